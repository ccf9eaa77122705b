"""Rows of a database, for lists that a feed needs beside its files. One query, read only; nothing is written."""

from typing import Any

import sqlalchemy as sa

from import_project.errors import ConfigError, SourceUnreachable


def query(url: str, statement: str) -> list[dict[str, Any]]:
    """Return the rows of a query by column. Raises SourceUnreachable when the database does not answer, and ConfigError
    for a query or an address that it cannot use; the address is never shown."""
    try:
        engine = sa.create_engine(_driver(sa.make_url(url)), hide_parameters=True)
    except (sa.exc.ArgumentError, ModuleNotFoundError) as error:
        name = f": {error.name} is missing" if isinstance(error, ModuleNotFoundError) else ""
        raise ConfigError(f"the database of open invoices cannot be opened{name}") from None
    try:
        reading = engine.execution_options(postgresql_readonly=True)
        with reading.connect() as connection:  # never committed: a statement that writes is taken back
            return [dict(row) for row in connection.execute(sa.text(statement)).mappings()]
    except (sa.exc.ProgrammingError, sa.exc.ResourceClosedError, sa.exc.DataError) as error:
        raise ConfigError(f"the query for open invoices does not work: {_reason(error)}") from None
    except sa.exc.OperationalError as error:
        if engine.dialect.name == "sqlite" and "unable to open" not in str(error.orig):
            raise ConfigError(f"the query for open invoices does not work: {_reason(error)}") from None
        raise SourceUnreachable(
            "the database of open invoices does not answer", do="the next try asks again"
        ) from error
    finally:
        engine.dispose()


def _driver(url: sa.URL) -> sa.URL:
    return url.set(drivername="postgresql+psycopg") if url.drivername in {"postgresql", "postgres"} else url


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0][:200]
