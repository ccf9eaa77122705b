"""Postings as people see them, and what people say of those that the API would not, or could not, settle."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from import_project.errors import ConfigError
from import_project.records.audit import Act
from import_project.records.files import Claim
from import_project.records.postings import UNSENT, KeptPosting, PostingKind, PostingState
from import_project.store.ledger.audit import append
from import_project.store.ledger.claims import fence
from import_project.store.ledger.database import Database
from import_project.store.ledger.postings import TAKEN_BACK, reject_what_takes_back
from import_project.store.ledger.tables import postings

_AT_ONCE = 1_000
_LONGEST_NUMBER = 9
_FIELDS = [postings.c[name] for name in KeptPosting.__slots__]


class DeadLetters:
    """The `postings` table, for people."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def kept(
        self,
        *,
        states: Collection[PostingState] = (),
        feed: str | None = None,
        file: str | None = None,
        api: str | None = None,
        since: datetime | None = None,
    ) -> Iterator[KeptPosting]:
        """Yield postings in the order they were frozen, those of certain states, or of one feed, file or API, or frozen
        since a moment."""
        after = 0
        while True:
            query = sa.select(*_FIELDS).where(postings.c.id > after).order_by(postings.c.id).limit(_AT_ONCE)
            if file is not None:  # else an index by feed would be sorted for each page
                query = query.where(postings.c.feed == feed, postings.c.sha256 == file)
            query = query.where(postings.c.state.in_(states)) if states else query
            query = query.where(postings.c.frozen_at >= since) if since is not None else query
            with self._database.read() as connection:
                rows = connection.execute(query).all()
            kept = (_kept(row) for row in rows if feed in {None, row.feed} and api in {None, row.api})
            yield from kept
            if len(rows) < _AT_ONCE:
                return
            after = rows[-1].id

    def counted(self) -> dict[str, tuple[int, int]]:
        """Return by API how many postings are still to be sent, and how many are dead."""
        query = sa.select(postings.c.api, postings.c.state, sa.func.count())
        query = query.where(postings.c.state.in_((*UNSENT, PostingState.DEAD)))
        found: dict[str, tuple[int, int]] = {}
        with self._database.read() as connection:
            for api, state, count in connection.execute(query.group_by(postings.c.api, postings.c.state)).tuples():
                unsent, dead = found.get(api, (0, 0))
                found[api] = (unsent, dead + count) if state == PostingState.DEAD else (unsent + count, dead)
        return found

    def called(self, name: str) -> list[KeptPosting]:
        """Return postings with this id, or whose key begins with `name`, at most ten."""
        same = postings.c.key.startswith(name, autoescape=True)
        if name.isascii() and name.isdecimal() and len(name) <= _LONGEST_NUMBER:
            same = postings.c.id == int(name)
        with self._database.read() as connection:
            return [_kept(row) for row in connection.execute(sa.select(*_FIELDS).where(same).limit(10))]

    def by_keys(self, api: str, keys: Sequence[str]) -> dict[str, KeptPosting]:
        """Return postings for an API by their keys."""
        query = sa.select(*_FIELDS).where(postings.c.key.in_(keys))
        with self._database.read() as connection:
            return {one.key: one for one in map(_kept, connection.execute(query)) if one.api == api}

    def replay(
        self, claim: Claim, posting: KeptPosting, by: str, note: str, now: datetime, *, lost: bool = False
    ) -> list[KeptPosting]:
        """Let a dead or rejected posting be sent again, with its key; with it those that take it back. Returns them.
        With `lost`, one that is done and that the API has no more.

        Raises ConfigError for any other, for one that takes back what was rejected, and for a rejected one of a payment
        that was decided about since.
        """
        allowed = {PostingState.DONE} if lost else {PostingState.DEAD, PostingState.REJECTED}
        with self._database.write() as connection:
            fence(connection, claim)
            one = self._standing(connection, posting, allowed)
            others = _rejected_with(connection, one) if one.state is PostingState.REJECTED else []
            # Only the API itself can say that it took nothing. Else a person answers for it now: the key counts as new.
            refused = one.state is PostingState.REJECTED and one.status is not None and 400 <= one.status < 500
            to = PostingState.READY if refused else PostingState.UNKNOWN
            sent = None if refused else now
            values: dict[str, Any] = {"state": to, "sent_at": sent, "repeats": 0, "changed_at": now}
            connection.execute(sa.update(postings).where(postings.c.id == one.id).values(**values))
            never = {"state": PostingState.READY, "changed_at": now}
            connection.execute(sa.update(postings).where(postings.c.id.in_([o.id for o in others])).values(**never))
            self._log(connection, [one], to, by, note, now)
            self._log(connection, others, PostingState.READY, by, note, now)
        return [one, *others]

    def settle(
        self, claim: Claim, posting: KeptPosting, state: PostingState, by: str, note: str, now: datetime
    ) -> None:
        """Take a person's word for what became of a posting: `done` or `rejected`. Raises ConfigError for one whose end
        is known."""
        with self._database.write() as connection:
            fence(connection, claim)
            one = self._standing(connection, posting, {PostingState.DEAD, PostingState.UNKNOWN})
            told = f"{state} says {by}" + (f": {note}" if note else "")
            values: dict[str, Any] = {"state": state, "receipt": told, "changed_at": now}
            connection.execute(sa.update(postings).where(postings.c.id == one.id).values(**values))
            rejected = reject_what_takes_back(connection, one.id, now) if state is PostingState.REJECTED else []
            self._log(connection, [one], state, by, note, now)
            for feed, file, key in rejected:
                self._add(connection, feed, file, [key], state, by, note, now)

    def _standing(self, connection: Connection, posting: KeptPosting, allowed: Collection[PostingState]) -> KeptPosting:
        query = sa.select(*_FIELDS).where(postings.c.id == posting.id).with_for_update()
        one = _kept(connection.execute(query).one())
        if one.state not in allowed:
            raise ConfigError(f"posting {one.id} is {one.state}", do=f"this is for {' or '.join(sorted(allowed))} ones")
        return one

    def _log(
        self,
        connection: Connection,
        some: Sequence[KeptPosting],
        state: PostingState,
        by: str,
        note: str,
        now: datetime,
    ) -> None:
        for feed, file in sorted({(p.feed, p.sha256) for p in some}):
            keys = [p.key for p in some if (p.feed, p.sha256) == (feed, file)]
            self._add(connection, feed, file, keys, state, by, note, now)

    def _add(
        self,
        connection: Connection,
        feed: str,
        file: str,
        keys: Sequence[str],
        state: PostingState,
        by: str,
        note: str,
        now: datetime,
    ) -> None:
        facts = {"keys": list(keys), "state": state, "note": note}
        append(self._database, connection, Act.BY_HAND, facts, feed=feed, file=file, by=by, now=now)


def _rejected_with(connection: Connection, one: KeptPosting) -> list[KeptPosting]:
    """Return the posting that was rejected because it takes back this one, which was. Raises ConfigError when the
    payment was decided anew since."""
    if one.receipt == TAKEN_BACK:
        raise ConfigError(f"posting {one.id} takes back one that was rejected", do="replay that one; this one follows")
    query = sa.select(*_FIELDS).where(postings.c.api == one.api, postings.c.id > one.id)
    mine = (postings.c.feed == one.feed) & (postings.c.subject == one.subject)
    follows = (postings.c.invoice_id == one.invoice_id) & (postings.c.receipt == TAKEN_BACK)
    later = [_kept(row) for row in connection.execute(query.where(mine | follows).order_by(postings.c.id))]
    takes_back = [p for p in later if p.receipt == TAKEN_BACK and one.amount is not None and p.amount == -one.amount][
        :1
    ]
    same_payment = [p for p in later if (p.feed, p.subject) == (one.feed, one.subject) and p not in takes_back]
    if any(p.frozen_at > one.frozen_at for p in same_payment):
        raise ConfigError(f"what posting {one.id} is about was decided anew since", do="nothing of it is to be sent")
    return takes_back


def _kept(row: Row[Any]) -> KeptPosting:
    values = row._asdict()
    return KeptPosting(**{**values, "state": PostingState(row.state), "kind": PostingKind(row.kind)})
