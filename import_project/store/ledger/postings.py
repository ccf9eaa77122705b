"""Decisions and their postings in the ledger. A subject is decided once; its keys and bodies never change again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from import_project.records.files import Claim
from import_project.records.postings import Answer, Draft, Posting, PostingKind, PostingState
from import_project.store.ledger.arrivals import fence
from import_project.store.ledger.database import Database
from import_project.store.ledger.tables import decisions, postings

_FIELDS = [postings.c[name] for name in Posting.__slots__]
_UNSENT = (PostingState.READY, PostingState.SENDING, PostingState.UNKNOWN)
_CHUNK = 500


def posting_key(feed: str, subject: str, part: int) -> str:
    """Return the idempotency key: the same for the same payment or row for ever, and nothing can be read from it."""
    return "ip-" + sha256(f"import_project/1\n{feed}\n{subject}\n{part}".encode()).hexdigest()[:48]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What an earlier run decided about a subject, and in which file it stood."""

    subject: str
    sha256: str
    kind: PostingKind


class Postings:
    """The `decisions` and `postings` tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def decided(self, feed: str, subjects: Sequence[str]) -> dict[str, Decided]:
        """Return which of `subjects` are decided already, by subject."""
        found: dict[str, Decided] = {}
        with self._database.read() as connection:
            for start in range(0, len(subjects), _CHUNK):
                some = decisions.c.subject.in_(subjects[start : start + _CHUNK])
                query = sa.select(decisions.c.subject, decisions.c.sha256, decisions.c.kind)
                for subject, file, kind in connection.execute(query.where(decisions.c.feed == feed, some)):
                    found[subject] = Decided(subject=subject, sha256=file, kind=PostingKind(kind))
        return found

    def freeze(self, claim: Claim, file: str, api: str, drafts: Iterable[Draft], now: datetime) -> int:
        """Keep the decisions and their postings in one transaction, before any byte is sent.

        A subject that is decided already, by whomever, keeps its decision. Returns how many subjects were new.
        """
        by_subject: dict[str, list[Draft]] = {}
        for draft in drafts:
            by_subject.setdefault(draft.subject, []).append(draft)
        with self._database.write() as connection:
            fence(connection, claim)
            fresh: list[str] = []
            for subject, parts in by_subject.items():
                row = {"feed": claim.feed, "subject": subject, "sha256": file, "row_number": parts[0].row_number}
                row |= {"kind": parts[0].kind, "evidence": parts[0].evidence, "decided_at": now}
                insert = self._database.insert_new(decisions).values(**row).returning(decisions.c.subject)
                if connection.execute(insert).scalar() is not None:
                    fresh.append(subject)
            rows = [
                {"feed": claim.feed, "subject": d.subject, "part": d.part, "sha256": file, "kind": d.kind}
                | {"row_number": d.row_number, "key": posting_key(claim.feed, d.subject, d.part), "api": api}
                | {"path": d.path, "body": d.body, "state": PostingState.READY, "frozen_at": now, "changed_at": now}
                for subject in fresh
                for d in by_subject[subject]
            ]
            if rows:
                connection.execute(sa.insert(postings), rows)
        return len(fresh)

    def unsent(self, feed: str, file: str, kinds: Iterable[PostingKind], *, after: int, limit: int) -> list[Posting]:
        """Return the next postings of a file without a final answer, in row order, behind the id `after`.

        One that stands as `sending` was cut off: whether it took effect is unknown, its key makes sending again safe.
        """
        mine = (postings.c.feed == feed) & (postings.c.sha256 == file)
        query = sa.select(*_FIELDS).where(mine, postings.c.kind.in_(list(kinds)), postings.c.state.in_(_UNSENT))
        query = query.where(postings.c.id > after)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(postings.c.id).limit(limit))
            return [Posting(**{**r._asdict(), "state": PostingState(r.state)}) for r in rows]

    def sending(self, claim: Claim, ids: Sequence[int], now: datetime) -> None:
        """Mark postings as on their way, before their first byte leaves."""
        with self._database.write() as connection:
            fence(connection, claim)
            values = {"state": PostingState.SENDING, "attempts": postings.c.attempts + 1, "changed_at": now}
            connection.execute(sa.update(postings).where(postings.c.id.in_(ids)).values(**values))

    def answered(self, claim: Claim, answers: Iterable[Answer], now: datetime) -> None:
        """Store what the API said."""
        row = sa.update(postings).where(postings.c.id == sa.bindparam("posting"))
        values: dict[str, Any] = {
            "state": sa.bindparam("to"),
            "status": sa.bindparam("code"),
            "receipt": sa.bindparam("text"),
        }
        rows = [{"posting": a.posting_id, "to": a.state, "code": a.status, "text": a.receipt} for a in answers]
        with self._database.write() as connection:
            fence(connection, claim)
            connection.execute(row.values(**values, changed_at=now), rows)

    def subjects(self, feed: str, file: str) -> dict[tuple[PostingKind, bool, bool], int]:
        """Count a file's decided subjects by (kind, all postings done, any posting rejected)."""
        done = sa.func.min(sa.case((postings.c.state == PostingState.DONE, 1), else_=0))
        rejected = sa.func.max(sa.case((postings.c.state == PostingState.REJECTED, 1), else_=0))
        mine = (postings.c.feed == feed) & (postings.c.sha256 == file)
        each = sa.select(postings.c.kind, done.label("done"), rejected.label("rejected")).where(mine)
        one = each.group_by(postings.c.subject, postings.c.kind).subquery()
        query = sa.select(one.c.kind, one.c.done, one.c.rejected, sa.func.count()).group_by(*one.c)
        with self._database.read() as connection:
            return {(PostingKind(k), bool(d), bool(r)): n for k, d, r, n in connection.execute(query)}

    def rejections(self, feed: str, file: str) -> list[tuple[int, int | None, str]]:
        """Return row number, HTTP status and the API's words for each rejected posting of a file."""
        mine = (postings.c.feed == feed) & (postings.c.sha256 == file) & (postings.c.state == PostingState.REJECTED)
        query = sa.select(postings.c.row_number, postings.c.status, postings.c.receipt).where(mine)
        with self._database.read() as connection:
            return [(n, s, r or "") for n, s, r in connection.execute(query.order_by(postings.c.id))]
