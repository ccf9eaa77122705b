"""Postings in the ledger as they are sent: which wait, what was said to each. What people see and say of them is in
`dead_letters`, what is in them is decided in `decisions`."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from import_project.records.audit import Act, digest
from import_project.records.files import Claim
from import_project.records.postings import UNSENT, Answer, Health, Posting, PostingKind, PostingState
from import_project.store.ledger.apis import change_health
from import_project.store.ledger.audit import append
from import_project.store.ledger.claims import fence
from import_project.store.ledger.database import Database
from import_project.store.ledger.tables import decisions, payments, postings

_FIELDS = [postings.c[name] for name in Posting.__slots__]


def _one_before() -> sa.ColumnElement[bool]:
    """Whether a posting must wait for one that was frozen earlier for the same invoice: that one is still to be sent,
    or it is dead, and this one takes back what it may have done. A credit that is taken back waits likewise."""
    earlier = postings.alias()
    one, other = (sa.type_coerce(table.c.amount, sa.String) for table in (earlier, postings))
    opposite = (one == sa.literal("-") + other) | (other == sa.literal("-") + one)
    same = (earlier.c.api == postings.c.api) & (earlier.c.invoice_id == postings.c.invoice_id)
    waits = earlier.c.state.in_(UNSENT) | ((earlier.c.state == PostingState.DEAD) & opposite)
    of_invoice = sa.exists().where(same, earlier.c.id < postings.c.id, waits)
    credit = (earlier.c.feed == postings.c.feed) & (earlier.c.kind == PostingKind.CREDIT) & opposite
    credit &= (earlier.c.id < postings.c.id) & earlier.c.state.in_((*UNSENT, PostingState.DEAD))
    of_same = sa.exists().where(credit, earlier.c.subject == postings.c.subject)
    reversed_by = (payments.c.feed == postings.c.feed) & (payments.c.taken_back_by == postings.c.subject)
    of_reversed = sa.exists().where(reversed_by, credit, earlier.c.subject == payments.c.subject)
    return of_invoice | ((postings.c.kind == PostingKind.CREDIT) & (of_same | of_reversed))


def reject_what_takes_back(connection: Connection, posting: int, now: datetime) -> list[tuple[str, str, str]]:
    """What was never taken cannot be taken back: the opposite of a rejected posting is not sent. Returns feed, file and
    key of what is rejected with it."""
    columns = [postings.c[n] for n in ("feed", "subject", "api", "kind", "invoice_id", "amount")]
    one = connection.execute(sa.select(*columns).where(postings.c.id == posting)).one()
    if one.amount is None:
        return []
    reversal = sa.select(payments.c.taken_back_by).where(
        payments.c.feed == one.feed, payments.c.subject == one.subject, payments.c.taken_back_by.is_not(None)
    )
    by = (postings.c.subject == one.subject) | postings.c.subject.in_(reversal)
    same = (postings.c.feed == one.feed, postings.c.api == one.api, postings.c.kind == one.kind)
    invoice = postings.c.invoice_id.is_(None) if one.invoice_id is None else postings.c.invoice_id == one.invoice_id
    opposite = (postings.c.amount == -one.amount, postings.c.id > posting, postings.c.state == PostingState.READY)
    first = connection.execute(sa.select(sa.func.min(postings.c.id)).where(by, *same, invoice, *opposite)).scalar_one()
    values = {"state": PostingState.REJECTED, "receipt": TAKEN_BACK, "changed_at": now}
    change = sa.update(postings).where(postings.c.id == first).values(**values)
    found = connection.execute(change.returning(postings.c.feed, postings.c.sha256, postings.c.key))
    return list(found.tuples())


TAKEN_BACK = "what it takes back was rejected"


class Postings:
    """The `postings` table, for whoever sends."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unsent(
        self,
        feed: str,
        file: str,
        kinds: Iterable[PostingKind],
        *,
        after: int,
        limit: int,
        states: Collection[PostingState] = UNSENT,
    ) -> list[Posting]:
        """Return the next postings of a file that are still to be sent, in row order, behind the id `after`. One waits
        for those that were frozen earlier for the same invoice.

        One that stands as `sending` was cut off: whether it took effect is unknown.
        """
        behind = {"behind": after, "most": limit}
        with self._database.read() as connection:
            rows = connection.execute(_next(), {**_which(feed, file, kinds, states), **behind})
            return [_posting(row) for row in rows]

    def least_tried(self, feed: str, file: str, kinds: Iterable[PostingKind]) -> Posting | None:
        """Return the posting of a file that was tried the fewest times: the one to try an API with."""
        query = _waiting().order_by(postings.c.attempts, postings.c.id).limit(1)
        with self._database.read() as connection:
            row = connection.execute(query, _which(feed, file, kinds, UNSENT)).one_or_none()
        return None if row is None else _posting(row)

    def decided_again(self, feed: str, *, other_than: str) -> list[str]:
        """Return other files with unsent postings of payments that were decided again."""
        unsent = sa.exists().where(
            postings.c.feed == feed, postings.c.subject == payments.c.subject, postings.c.state.in_(UNSENT)
        )
        query = sa.select(payments.c.sha256).distinct().where(payments.c.feed == feed, payments.c.changes > 0, unsent)
        with self._database.read() as connection:
            return sorted(connection.execute(query.where(payments.c.sha256 != other_than)).scalars())

    def sending(self, claim: Claim, file: str, some: Sequence[Posting], now: datetime) -> set[int]:
        """Mark postings as on their way, before their first byte leaves: from now on each may have taken effect.

        Returns the ids of those that are; another run may have brought one to its end.
        """
        with self._database.write() as connection:
            fence(connection, claim)
            values: dict[str, Any] = {"state": PostingState.SENDING, "attempts": postings.c.attempts + 1}
            values |= {"changed_at": now}
            begun = sa.bindparam("begun", now, postings.c.sent_at.type)
            values |= {"sent_at": sa.func.coalesce(postings.c.sent_at, begun)}
            mine = postings.c.id.in_([p.id for p in some]) & postings.c.state.in_(UNSENT)
            change = sa.update(postings).where(mine).values(**values).returning(postings.c.id)
            marked = set(connection.execute(change).scalars())
            self._log(connection, claim, file, Act.SENT, {"keys": [p.key for p in some if p.id in marked]}, now)
        return marked

    def answered(
        self,
        claim: Claim,
        file: str,
        answers: Sequence[Answer],
        now: datetime,
        api: str,
        change: Callable[[Health], Health],
    ) -> Health:
        """Store what the API said to each, and `change` how the API has been answering: returns that.

        What has come to its end meanwhile stays as it is.
        """
        values: dict[str, Any] = {
            "state": sa.bindparam("to"),
            "status": sa.bindparam("code"),
            "receipt": sa.bindparam("text"),
            "sent_at": sa.bindparam("sent"),
            "repeats": sa.bindparam("times"),
            "attempts": postings.c.attempts - sa.bindparam("less"),
        }
        row = sa.update(postings).where(postings.c.id == sa.bindparam("posting")).values(**values, changed_at=now)
        each = {a.posting_id: a for a in answers}
        still = sa.select(postings.c.id).where(postings.c.id.in_(each), postings.c.state.in_(UNSENT))
        with self._database.write() as connection:
            fence(connection, claim)
            ids = connection.execute(still.order_by(postings.c.id).with_for_update()).scalars().all()
            answers = [each[i] for i in ids]
            if answers:
                connection.execute(row, [_bound(a) for a in answers])
            with_them: defaultdict[tuple[str, str], list[list[Any]]] = defaultdict(list)
            for answer in answers:
                if answer.state is PostingState.REJECTED:
                    for feed, other, key in reject_what_takes_back(connection, answer.posting_id, now):
                        with_them[feed, other].append([key, PostingState.REJECTED, None, digest(TAKEN_BACK)])
            health = change_health(self._database, connection, api, change)
            if answers:
                told = [[a.key, a.state, a.status, digest(a.receipt or "")] for a in answers]
                self._log(connection, claim, file, Act.ANSWERED, {"answers": told}, now)
            for (feed, other), more in with_them.items():
                facts = {"answers": more}
                append(self._database, connection, Act.ANSWERED, facts, feed=feed, file=other, by=claim.owner, now=now)
        return health

    def subjects(self, feed: str, file: str) -> dict[tuple[PostingKind, PostingState], int]:
        """Count a file's decided subjects by what they are decided as and how their postings stand together: `done`
        when all are, `rejected` or `dead` when any is and none is still to be sent; else `ready`."""
        is_ = postings.c.state.in_
        unsent = sa.func.max(sa.case((is_(UNSENT), 1), else_=0))
        rejected = sa.func.max(sa.case((postings.c.state == PostingState.REJECTED, 1), else_=0))
        dead = sa.func.max(sa.case((postings.c.state == PostingState.DEAD, 1), else_=0))
        together = sa.case(
            (unsent == 1, PostingState.READY),
            (dead == 1, PostingState.DEAD),
            (rejected == 1, PostingState.REJECTED),
            else_=PostingState.DONE,
        )
        mine = (postings.c.feed == feed) & (postings.c.sha256 == file)
        one = sa.select(postings.c.subject, together.label("state")).where(mine).group_by(postings.c.subject).subquery()
        decided = (decisions.c.feed == feed) & (decisions.c.subject == one.c.subject)
        query = sa.select(decisions.c.kind, one.c.state, sa.func.count()).select_from(one).join(decisions, decided)
        query = query.group_by(decisions.c.kind, one.c.state)
        with self._database.read() as connection:
            return {(PostingKind(k), PostingState(s)): n for k, s, n in connection.execute(query)}

    def _log(
        self, connection: Connection, claim: Claim, file: str, what: Act, facts: dict[str, Any], now: datetime
    ) -> None:
        append(self._database, connection, what, facts, feed=claim.feed, file=file, by=claim.owner, now=now)


@cache
def _waiting() -> sa.Select[Any]:
    """What `_which` means; built once, for every step asks."""
    mine = (postings.c.feed == sa.bindparam("of")) & (postings.c.sha256 == sa.bindparam("file"))
    mine &= postings.c.kind.in_(sa.bindparam("kinds", expanding=True))
    mine &= postings.c.state.in_(sa.bindparam("states", expanding=True))
    return sa.select(*_FIELDS).where(mine, ~_one_before())


@cache
def _next() -> sa.Select[Any]:
    behind = postings.c.id > sa.bindparam("behind")
    return _waiting().where(behind).order_by(postings.c.id).limit(sa.bindparam("most", type_=sa.Integer))


def _which(
    feed: str, file: str, kinds: Iterable[PostingKind], states: Collection[PostingState]
) -> dict[str, str | list[Any]]:
    return {"of": feed, "file": file, "kinds": list(kinds), "states": list(states)}


def _bound(answer: Answer) -> dict[str, Any]:
    told = {"posting": answer.posting_id, "to": answer.state, "code": answer.status, "text": answer.receipt}
    return told | {"sent": answer.sent_at, "times": answer.repeats, "less": int(not answer.tried)}


def _posting(row: Any) -> Posting:
    return Posting(**{**row._asdict(), "state": PostingState(row.state), "kind": PostingKind(row.kind)})
