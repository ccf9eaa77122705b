"""Postings in the ledger: which wait, what was said to each. What is in them is decided in `decisions`."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from import_project.records.files import Claim
from import_project.records.postings import UNSENT, Answer, Posting, PostingKind, PostingState
from import_project.store.ledger.arrivals import fence
from import_project.store.ledger.database import Database
from import_project.store.ledger.tables import decisions, payments, postings

_FIELDS = [postings.c[name] for name in Posting.__slots__]


def _one_before() -> sa.ColumnElement[bool]:
    """Whether a posting that was frozen earlier for the same invoice has no final answer yet."""
    earlier = postings.alias()
    same = (earlier.c.api == postings.c.api) & (earlier.c.invoice_id == postings.c.invoice_id)
    return sa.exists().where(same, earlier.c.id < postings.c.id, earlier.c.state.in_(UNSENT))


def _reject_what_takes_back(connection: Connection, posting: int, now: datetime) -> None:
    """What was never taken cannot be taken back: the opposite of a rejected posting is not sent."""
    columns = [postings.c[n] for n in ("feed", "subject", "api", "invoice_id", "amount")]
    one = connection.execute(sa.select(*columns).where(postings.c.id == posting)).one()
    if one.invoice_id is None or one.amount is None:
        return
    reversal = sa.select(payments.c.taken_back_by).where(
        payments.c.feed == one.feed, payments.c.subject == one.subject, payments.c.taken_back_by.is_not(None)
    )
    by = (postings.c.subject == one.subject) | postings.c.subject.in_(reversal)
    same = (postings.c.feed == one.feed, postings.c.api == one.api, postings.c.invoice_id == one.invoice_id)
    opposite = (postings.c.amount == -one.amount, postings.c.id > posting, postings.c.state == PostingState.READY)
    values = {"state": PostingState.REJECTED, "receipt": "what it takes back was rejected", "changed_at": now}
    connection.execute(sa.update(postings).where(by, *same, *opposite).values(**values))


class Postings:
    """The `postings` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unsent(self, feed: str, file: str, kinds: Iterable[PostingKind], *, after: int, limit: int) -> list[Posting]:
        """Return the next postings of a file without a final answer, in row order, behind the id `after`. One waits for
        those that were frozen earlier for the same invoice.

        One that stands as `sending` was cut off: whether it took effect is unknown, its key makes sending again safe.
        """
        mine = (postings.c.feed == feed) & (postings.c.sha256 == file)
        query = sa.select(*_FIELDS).where(mine, postings.c.kind.in_(list(kinds)), postings.c.state.in_(UNSENT))
        query = query.where(postings.c.id > after, ~_one_before())
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(postings.c.id).limit(limit))
            return [Posting(**{**r._asdict(), "state": PostingState(r.state)}) for r in rows]

    def decided_again(self, feed: str, *, other_than: str) -> list[str]:
        """Return other files with unsent postings of payments that were decided again."""
        one = (payments.c.feed == postings.c.feed) & (payments.c.subject == postings.c.subject)
        query = sa.select(postings.c.sha256).distinct().join(payments, one)
        query = query.where(postings.c.feed == feed, postings.c.sha256 != other_than, payments.c.changes > 0)
        with self._database.read() as connection:
            return sorted(connection.execute(query.where(postings.c.state.in_(UNSENT))).scalars())

    def sending(self, claim: Claim, ids: Sequence[int], now: datetime) -> None:
        """Mark postings as on their way, before their first byte leaves."""
        with self._database.write() as connection:
            fence(connection, claim)
            values = {"state": PostingState.SENDING, "attempts": postings.c.attempts + 1, "changed_at": now}
            connection.execute(sa.update(postings).where(postings.c.id.in_(ids)).values(**values))

    def answered(self, claim: Claim, answers: Iterable[Answer], now: datetime) -> None:
        """Store what the API said."""
        open_still = (postings.c.state != PostingState.DONE) & (postings.c.state != PostingState.REJECTED)
        row = sa.update(postings).where(postings.c.id == sa.bindparam("posting"), open_still)
        values: dict[str, Any] = {
            "state": sa.bindparam("to"),
            "status": sa.bindparam("code"),
            "receipt": sa.bindparam("text"),
        }
        answered = list(answers)
        rows = [{"posting": a.posting_id, "to": a.state, "code": a.status, "text": a.receipt} for a in answered]
        with self._database.write() as connection:
            fence(connection, claim)
            connection.execute(row.values(**values, changed_at=now), rows)
            for answer in answered:
                if answer.state is PostingState.REJECTED:
                    _reject_what_takes_back(connection, answer.posting_id, now)

    def subjects(self, feed: str, file: str) -> dict[tuple[PostingKind, bool, bool], int]:
        """Count a file's decided subjects by (what they are decided as, all postings done, any posting rejected)."""
        done = sa.func.min(sa.case((postings.c.state == PostingState.DONE, 1), else_=0))
        rejected = sa.func.max(sa.case((postings.c.state == PostingState.REJECTED, 1), else_=0))
        mine = (postings.c.feed == feed) & (postings.c.sha256 == file)
        decided = (decisions.c.feed == postings.c.feed) & (decisions.c.subject == postings.c.subject)
        each = sa.select(decisions.c.kind, done.label("done"), rejected.label("rejected")).join(decisions, decided)
        one = each.where(mine).group_by(postings.c.subject, decisions.c.kind).subquery()
        query = sa.select(one.c.kind, one.c.done, one.c.rejected, sa.func.count()).group_by(*one.c)
        with self._database.read() as connection:
            return {(PostingKind(k), bool(d), bool(r)): n for k, d, r, n in connection.execute(query)}

    def rejections(self, feed: str, file: str) -> list[tuple[int, int | None, str]]:
        """Return row number, HTTP status and the API's words for each rejected posting of a file."""
        mine = (postings.c.feed == feed) & (postings.c.sha256 == file) & (postings.c.state == PostingState.REJECTED)
        query = sa.select(postings.c.row_number, postings.c.status, postings.c.receipt).where(mine)
        with self._database.read() as connection:
            return [(n, s, r or "") for n, s, r in connection.execute(query.order_by(postings.c.id))]
