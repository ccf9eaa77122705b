"""The audit log in the ledger: entries are added in the transaction that does what they tell, and never changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from import_project.records.audit import FIRST, Act, Entry, Mark, as_facts
from import_project.records.files import Claim
from import_project.store.ledger.claims import fence
from import_project.store.ledger.database import Database
from import_project.store.ledger.tables import audit, postings

_AT_ONCE = 1_000
#: An entry about thousands of decisions is a megabyte.
_ENTRIES_AT_ONCE = 16
_FIELDS = [audit.c[name] for name in Entry.__slots__]
#: Since when acts may be missing from a ledger that has nothing of the one before.
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


def append(
    database: Database,
    connection: Connection,
    what: Act,
    facts: Mapping[str, Any],
    *,
    feed: str,
    file: str,
    by: str,
    now: datetime,
) -> None:
    """Add an entry behind the last. It comes last in its transaction: until its end no other one can add."""
    append_all(database, connection, what, [New(facts=facts, feed=feed, file=file, by=by)], now)


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """An entry before it is in the log."""

    facts: Mapping[str, Any]
    feed: str
    file: str
    by: str


def append_all(database: Database, connection: Connection, what: Act, some: Sequence[New], now: datetime) -> None:
    """Add entries behind the last, in their order, as `append` does."""
    known = None if database.watermark is None else database.watermark.read()  # no disk keeps others from the log
    database.lock(connection, "import_project audit")
    last = sa.select(audit.c.number, audit.c.hash).order_by(audit.c.number.desc()).limit(1)
    number, before = connection.execute(last).tuples().one_or_none() or (0, FIRST)
    rows = []
    for one in some:
        number += 1
        entry = Entry(
            number=number, at=now, what=what, feed=one.feed, sha256=one.file, done_by=one.by, facts=as_facts(one.facts)
        )
        before = entry.chained(before)
        rows.append({**{name: getattr(entry, name) for name in Entry.__slots__}, "hash": before})
    if not rows:
        return
    connection.execute(sa.insert(audit), rows)
    if what is Act.ACCEPTED or missing_since(connection, known) is None:
        first = connection.execute(sa.select(audit.c.hash).where(audit.c.number == 1)).scalar_one()
        database.reached(connection, Mark(ledger=first, number=number, hash=before, at=now))


def missing_since(connection: Connection, known: Mark | None) -> datetime | None:
    """Return since when acts may be missing from a ledger that should hold the entry `known`; None: none is."""
    if known is None:
        return None
    of = sa.select(audit.c.hash).where(audit.c.number == sa.bindparam("number"))
    if connection.execute(of, {"number": known.number}).scalar_one_or_none() == known.hash:
        return None
    accepted = sa.select(audit.c.number).where(audit.c.feed == "", audit.c.sha256 == "")  # by an index
    accepted = accepted.where(audit.c.what == Act.ACCEPTED, audit.c.at >= known.at).limit(1)
    if connection.execute(accepted).first() is not None:
        return None
    if connection.execute(of, {"number": 1}).scalar_one_or_none() != known.ledger:
        return _EVER
    before = sa.select(audit.c.at).where(audit.c.at <= known.at).order_by(audit.c.number.desc()).limit(1)
    return connection.execute(before).scalar_one_or_none() or _EVER  # what is behind it was done since


class Audit:
    """The `audit` table, to be read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def entries(self, *, after: int = 0, feed: str | None = None, file: str | None = None) -> Iterator[Entry]:
        """Yield entries in their order, some at a time."""
        while True:
            query = sa.select(*_FIELDS).where(audit.c.number > after).order_by(audit.c.number)
            query = query.limit(_ENTRIES_AT_ONCE)
            query = query.where(audit.c.feed == feed) if feed is not None else query
            query = query.where(audit.c.sha256 == file) if file is not None else query
            with self._database.read() as connection:
                rows = connection.execute(query).all()
            yield from (_entry(row) for row in rows)
            if len(rows) < _ENTRIES_AT_ONCE:
                return
            after = rows[-1].number

    def missing_since(self) -> datetime | None:
        """Return since when acts may be missing from this ledger, for it does not hold what it once came to: it was
        restored from a backup, or is another one. Aware UTC; None: none is, or a person has accepted it."""
        known = None if self._database.watermark is None else self._database.watermark.read()
        with self._database.read() as connection:
            return missing_since(connection, known)

    def corrected(self, claim: Claim, file: str, by: str, facts: Mapping[str, Any], now: datetime) -> None:
        """Note who hands quarantined rows in again, before anything of them is posted. Raises ClaimLost."""
        with self._database.write() as connection:
            fence(connection, claim)
            append(self._database, connection, Act.CORRECTED, facts, feed=claim.feed, file=file, by=by, now=now)

    def accept(self, by: str, note: str, now: datetime) -> None:
        """Note a person's word that what is missing was seen to: the ledger counts from now on as it is."""
        with self._database.write() as connection:
            facts = {"note": note}
            append(self._database, connection, Act.ACCEPTED, facts, feed="", file="", by=by, now=now)

    def files(self) -> list[tuple[str, str]]:
        """Return feed and id of every file that has postings or entries."""
        query = sa.union(
            sa.select(audit.c.feed, audit.c.sha256).where(audit.c.sha256 != ""),
            sa.select(postings.c.feed, postings.c.sha256),
        )
        with self._database.read() as connection:
            return sorted(connection.execute(query).tuples())

    def postings(self, feed: str, file: str) -> Iterator[Row[Any]]:
        """Yield `id`, `key`, `method`, `path`, `body`, `state` of a file's postings, some at a time."""
        columns, after = [postings.c[n] for n in ("id", "key", "method", "path", "body", "state")], 0
        while True:
            query = sa.select(*columns).where(postings.c.feed == feed, postings.c.sha256 == file)
            query = query.where(postings.c.id > after).order_by(postings.c.id).limit(_AT_ONCE)
            with self._database.read() as connection:
                rows = connection.execute(query).all()
            yield from rows
            if len(rows) < _AT_ONCE:
                return
            after = rows[-1].id


def _entry(row: Row[Any]) -> Entry:
    made = Entry(**row._asdict())
    return replace(made, what=Act(made.what)) if made.what in set(Act) else made
