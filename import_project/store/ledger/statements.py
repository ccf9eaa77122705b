"""Statements of bank files in the ledger: what later files of the same account are held against."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

import sqlalchemy as sa

from import_project.records.files import Claim
from import_project.records.statements import Filed, Statement
from import_project.store.ledger.claims import fence
from import_project.store.ledger.database import Database
from import_project.store.ledger.tables import arrivals, files, statements

_FIELDS = [c for c in statements.c if c.name not in {"feed", "sha256"}]
_AROUND = timedelta(days=400)  # a year of statements, and some


class Statements:
    """The `statements` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, claim: Claim, file: str, found: Iterable[Statement]) -> None:
        """Keep the statements of a file, in place of what was kept of it before."""
        mine = (statements.c.feed == claim.feed) & (statements.c.sha256 == file)
        rows = [{"feed": claim.feed, "sha256": file, **{c.name: getattr(s, c.name) for c in _FIELDS}} for s in found]
        with self._database.write() as connection:
            fence(connection, claim)
            connection.execute(sa.delete(statements).where(mine))
            if rows:
                connection.execute(sa.insert(statements), rows)

    def around(self, feed: str, file: str, found: Sequence[Statement]) -> list[Filed]:
        """Return what other files brought of the account that `found` are of, in the same currency and message, about
        a year before and after them."""
        days = [s.booking_date for s in found if s.booking_date is not None]
        if not days or found[0].account is None:
            return []
        account = statements.c.account == found[0].account
        alike = (statements.c.currency == found[0].currency) & (statements.c.form == found[0].form)
        one = (files.c.feed == statements.c.feed) & (files.c.sha256 == statements.c.sha256)
        query = (
            sa.select(arrivals.c.name, *_FIELDS)
            .select_from(statements)
            .join(files, one)
            .join(arrivals, arrivals.c.id == files.c.arrival_id)
            .where(
                statements.c.feed == feed,
                statements.c.sha256 != file,
                account,
                alike,
                statements.c.booking_date.between(min(days) - _AROUND, max(days) + _AROUND),
            )
            .order_by(statements.c.booking_date, files.c.landed_at, statements.c.number)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [Filed(file=name, statement=Statement(**dict(zip(_NAMES, rest, strict=True)))) for name, *rest in rows]


_NAMES = [c.name for c in _FIELDS]
