"""The audit log in the ledger: entries are added in the transaction that does what they tell, and never changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from import_project.records.audit import FIRST, Act, Entry, as_facts
from import_project.store.ledger.database import Database
from import_project.store.ledger.tables import audit, postings

_AT_ONCE = 1_000
#: An entry about thousands of decisions is a megabyte.
_ENTRIES_AT_ONCE = 16
_FIELDS = [audit.c[name] for name in Entry.__slots__]


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
    if rows:
        connection.execute(sa.insert(audit), rows)


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
