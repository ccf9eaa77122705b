"""Opening the ledger's database, bringing it to the newest migration, and its transactions. No tables of its own."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from import_project.errors import ConfigError, LedgerUnavailable, StoreFull
from import_project.records.audit import Mark
from import_project.store.ledger.engines import shared_engine
from import_project.store.watermark import Watermark

_REACHED = "import_project: entry that was reached"
_MIGRATIONS = Path(__file__).with_name("migrations")


@cache
def newest() -> str:
    """Return the newest migration's revision: their files begin with it."""
    return max(path.name[:4] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


class Database:
    """One engine, with `read` for queries and `write` for transactions that change something; the `watermark` learns
    how far those came."""

    def __init__(self, url: str, watermark: Watermark | None = None) -> None:
        self.url = _url(url)
        self.watermark = watermark
        self._shared = shared_engine(self.url)
        self.engine = self._shared.take()
        self._migrated = self._closed = False

    @property
    def sqlite(self) -> bool:
        """Whether SQLite is behind it."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for queries."""
        self._migrate()
        with _database_errors(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: all of it is kept, or nothing. On SQLite it takes the write lock at once."""
        self._migrate()
        with _database_errors(), self.engine.execution_options(write=True).begin() as connection:
            connection.info.pop(_REACHED, None)
            yield connection
            mark: Mark | None = connection.info.pop(_REACHED, None)
        if mark is not None and self.watermark is not None:
            self.watermark.write(mark)

    def reached(self, connection: Connection, mark: Mark) -> None:
        """Let the watermark tell of an entry as soon as its transaction is kept."""
        connection.info[_REACHED] = mark

    def insert_new(self, table: sa.Table) -> Any:
        """An INSERT that leaves rows alone whose key exists."""
        dialect = sqlite if self.sqlite else postgresql
        return dialect.insert(table).on_conflict_do_nothing()

    def lock(self, connection: Connection, name: str) -> None:
        """Let one transaction at a time hold `name`, until its end. SQLite's writers are alone anyway."""
        if not self.sqlite:
            number = int.from_bytes(sha256(name.encode()).digest()[:8], signed=True)
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:n)"), {"n": number})

    def close(self) -> None:
        """Give all connections back, as soon as nobody in this process uses the database."""
        if not self._closed:
            self._closed = True
            self._shared.give_back()

    def _migrate(self) -> None:
        if self._migrated:
            return
        with _database_errors():
            with self.engine.connect() as connection:
                ready = _version(connection) == newest()
            if not ready:
                with self.engine.execution_options(write=True).begin() as connection:
                    self.lock(connection, "import_project migrations")
                    upgrade(connection)
        self._migrated = True


def _version(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Run what is missing of the migrations up to `revision`, inside the caller's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _url(text: str) -> sa.URL:
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError:
        raise ConfigError("the ledger's URL cannot be read", do="such as sqlite:////var/lib/ledger.db") from None
    if url.drivername in {"postgresql", "postgres"}:
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise ConfigError(f"the ledger cannot live in {url.get_backend_name()}", do="use sqlite or postgresql")
    return url


@contextmanager
def _database_errors() -> Iterator[None]:
    """Turn a database that cannot work into one of our errors; defects in our SQL stay what they are."""
    try:
        yield
    except (sa.exc.IntegrityError, sa.exc.ProgrammingError, sa.exc.DataError):
        raise
    except sa.exc.DBAPIError as error:
        reason = str(error.orig)
        if "disk is full" in reason or "readonly database" in reason or f"[Errno {errno.ENOSPC}]" in reason:
            raise StoreFull(f"the ledger cannot be written: {reason}", do="free space or mend the rights") from error
        raise LedgerUnavailable(f"the ledger does not answer: {reason}", do="the next try goes on") from error
