"""Decisions in the ledger. A subject is decided once; keys and bodies of what follows from it never change again."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from import_project.errors import DecidedMeanwhile
from import_project.records.audit import Act, digest, request_digest
from import_project.records.files import Claim
from import_project.records.postings import UNSENT, Again, Decided, Draft, PostingKind, PostingState, Taken
from import_project.store.ledger.audit import append
from import_project.store.ledger.claims import fence
from import_project.store.ledger.database import Database
from import_project.store.ledger.payments import decide_again, insert_payments, mark_taken_back, recount
from import_project.store.ledger.tables import decisions, entries, postings, same_subjects

_CHUNK = 500
_FROZEN_AT_ONCE = 4_000


def posting_key(feed: str, subject: str, part: int) -> str:
    """Return the idempotency key: the same for the same payment or row for ever, and nothing can be read from it."""
    return "ip-" + sha256(f"import_project/1\n{feed}\n{subject}\n{part}".encode()).hexdigest()[:48]


def _kind(group: Sequence[Draft]) -> PostingKind:
    """What a subject is decided as: a payment with a credit beside is matched all the same."""
    return next((d.kind for d in group if d.kind is not PostingKind.CREDIT), group[0].kind)


def _posting(feed: str, file: str, api: str, draft: Draft, now: datetime) -> dict[str, Any]:
    return (
        {"feed": feed, "subject": draft.subject, "part": draft.part, "sha256": file, "kind": draft.kind}
        | {"row_number": draft.row_number, "key": posting_key(feed, draft.subject, draft.part), "api": api}
        | {"invoice_id": draft.invoice_id, "amount": draft.amount, "path": draft.path, "body": draft.body}
        | {"method": draft.method}
        | {"reference": draft.reference, "reference_form": draft.reference_form, "written_off": draft.written_off}
        | {"state": PostingState.READY, "frozen_at": now, "changed_at": now}
    )


def _chunks(drafts: Iterable[Draft]) -> Iterator[list[list[Draft]]]:
    """Some subjects at a time, each with its drafts; a subject that comes twice is decided as it was first."""
    groups: dict[str, list[Draft]] = {}
    for subject, group in itertools.groupby(drafts, key=lambda draft: draft.subject):
        if subject not in groups:
            groups[subject] = list(group)
        if len(groups) == _FROZEN_AT_ONCE:
            yield list(groups.values())
            groups = {}
    if groups:
        yield list(groups.values())


def _told(feed: str, group: Sequence[Draft]) -> dict[str, Any]:
    about = next((d.about for d in group if d.about is not None), None)
    keys = [[posting_key(feed, d.subject, d.part), request_digest(d.method, d.path, d.body)] for d in group]
    told = {"subject": group[0].subject, "row": group[0].row_number, "kind": _kind(group), "postings": keys}
    if about is None:
        return told
    by = {"rule": about.rule, "decided_by": about.decided_by, "note": about.note, "reason": about.reason}
    return told | {"evidence": digest(about.evidence)} | {k: v for k, v in by.items() if v}


def _newest(matched: sa.ColumnElement[bool]) -> sa.Select[tuple[int]]:
    return sa.select(sa.func.coalesce(sa.func.max(postings.c.id), 0)).where(matched)


def _decided(connection: Connection, feed: str, subjects: Sequence[str]) -> dict[str, Decided]:
    found: dict[str, Decided] = {}
    known = (decisions.c.sha256, decisions.c.kind, decisions.c.row_number)
    itself = sa.select(decisions.c.subject, *known).where(decisions.c.feed == feed)
    linked = (same_subjects.c.feed == decisions.c.feed) & (same_subjects.c.known_as == decisions.c.subject)
    other = sa.select(same_subjects.c.subject, *known).join_from(same_subjects, decisions, linked)
    other = other.where(same_subjects.c.feed == feed)
    for start in range(0, len(subjects), _CHUNK):
        some = subjects[start : start + _CHUNK]
        for query in (other.where(same_subjects.c.subject.in_(some)), itself.where(decisions.c.subject.in_(some))):
            for name, file, kind, number in connection.execute(query).tuples():
                found[name] = Decided(subject=name, sha256=file, kind=PostingKind(kind), row_number=number)
    return found


def _entries(connection: Connection, feed: str, names: Sequence[str]) -> dict[str, tuple[bool, str]]:
    found: dict[str, tuple[bool, str]] = {}
    distinct = list(dict.fromkeys(names))
    for start in range(0, len(distinct), _CHUNK):
        query = sa.select(entries.c.entry, entries.c.lump, entries.c.subject).where(
            entries.c.feed == feed, entries.c.entry.in_(distinct[start : start + _CHUNK])
        )
        found |= {entry: (lump, subject) for entry, lump, subject in connection.execute(query).tuples()}
    return found


class Decisions:
    """The `decisions`, `same_subjects` and `entries` tables, and the postings that are frozen with a decision."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def decided(self, feed: str, subjects: Sequence[str]) -> dict[str, Decided]:
        """Return which of `subjects` are decided already, by subject; as what they are known does not matter."""
        with self._database.read() as connection:
            return _decided(connection, feed, subjects)

    def any_decided(self, feed: str, file: str) -> bool:
        """Whether anything of a file is decided."""
        query = sa.select(decisions.c.subject).where(decisions.c.feed == feed, decisions.c.sha256 == file).limit(1)
        with self._database.read() as connection:
            return connection.execute(query).first() is not None

    def taken(self, api: str, *, since: datetime) -> Taken:
        """Return what matched postings take of invoices that a list fetched at `since` may not show yet."""
        matched = (postings.c.api == api) & (postings.c.kind == PostingKind.MATCHED)
        open_still = postings.c.state.in_((*UNSENT, PostingState.DEAD))  # a dead one may have taken effect
        hidden = open_still | ((postings.c.state == PostingState.DONE) & (postings.c.changed_at >= since))
        amounts: dict[str, Decimal] = {}
        with self._database.read() as connection:
            newest = connection.execute(_newest(matched)).scalar_one()
            query = sa.select(postings.c.invoice_id, postings.c.amount).where(matched, hidden)
            for invoice_id, amount in connection.execute(query):
                amounts[invoice_id] = amounts.get(invoice_id, Decimal(0)) + amount
        return Taken(of=amounts, newest=newest)

    def freeze(
        self,
        claim: Claim,
        file: str,
        api: str,
        drafts: Iterable[Draft],
        now: datetime,
        *,
        taken: Taken | None = None,
        again: Sequence[Again] = (),
        causes: Iterable[Draft] = (),
    ) -> int:
        """Keep each decision and its postings in one transaction, before any byte is sent.

        A subject that is decided already, by whomever, keeps its decision, and so does a row of this file. With
        `taken`, raises DecidedMeanwhile when another run has matched since. Returns how many subjects were new. The
        drafts of a subject come one after the other. Large files take several transactions, each fenced, so that other
        runs can write in between; the last one keeps the drafts among `causes` and the new decisions that follow from
        them, `again`, together.
        """
        newest, fresh = taken.newest if taken else None, 0
        chunks = itertools.chain(
            ((some, ()) for some in _chunks(drafts)), [(list(itertools.chain(*_chunks(causes))), tuple(again))]
        )
        for chunk, more in chunks:
            if not chunk and not more:
                continue
            with self._database.write() as connection:
                fence(connection, claim)
                if newest is not None:
                    self._database.lock(connection, api)
                    matched = (postings.c.api == api) & (postings.c.kind == PostingKind.MATCHED)
                    if connection.execute(_newest(matched)).scalar_one() != newest:
                        raise DecidedMeanwhile("another run has matched payments with the same API's invoices")
                new = self._freeze(connection, claim.feed, file, api, chunk, now)
                fresh += len(new)
                if more and len(new) != len(chunk):
                    raise DecidedMeanwhile("what a new decision follows from was decided otherwise")
                others = [self._freeze_again(connection, claim.feed, api, one, now) for one in more]
                if newest is not None:
                    newest = connection.execute(_newest(matched)).scalar_one()
                for of_file, groups in ((file, new), *((other, [drafts]) for other, drafts in others)):
                    self._log(connection, claim, of_file, groups, now)
        return fresh

    def _log(
        self, connection: Connection, claim: Claim, file: str, groups: Sequence[Sequence[Draft]], now: datetime
    ) -> None:
        """Add decisions and what is posted of them to the audit log; of rows and payments only digests."""
        if groups:
            facts = {"decisions": [_told(claim.feed, group) for group in groups]}
            append(self._database, connection, Act.DECIDED, facts, feed=claim.feed, file=file, by=claim.owner, now=now)

    def _freeze_again(
        self, connection: Connection, feed: str, api: str, again: Again, now: datetime
    ) -> tuple[str, list[Draft]]:
        numbered = decide_again(connection, feed, again, now)
        mine = (decisions.c.feed == feed) & (decisions.c.subject == numbered[0].subject)
        file = connection.execute(sa.select(decisions.c.sha256).where(mine)).scalar_one()
        connection.execute(sa.insert(postings), [_posting(feed, file, api, draft, now) for draft in numbered])
        recount(connection, feed, file)
        return file, numbered

    def _freeze(
        self, connection: Connection, feed: str, file: str, api: str, groups: list[list[Draft]], now: datetime
    ) -> list[list[Draft]]:
        subjects, numbers = [g[0].subject for g in groups], [g[0].row_number for g in groups]
        also = {g[0].also: g[0].subject for g in groups if g[0].also is not None}
        known = _decided(connection, feed, [*subjects, *also])
        same = {known_as: other for other, known_as in also.items() if other in known and known_as not in known}
        mine: set[int] = set()
        for start in range(0, len(groups), _CHUNK):
            rows = decisions.c.row_number.in_(numbers[start : start + _CHUNK])
            of_file = (decisions.c.feed == feed) & (decisions.c.sha256 == file)
            mine.update(connection.execute(sa.select(decisions.c.row_number).where(of_file, rows)).scalars())
        fresh = [g for g in groups if g[0].subject not in {*known, *same} and g[0].row_number not in mine]
        other_side = self._by_entry(connection, feed, [g[0] for g in fresh])
        fresh = [g for g in fresh if g[0].subject not in other_side]
        if strange := next((g[0].row_number for g in fresh if g[0].repeated), None):
            raise DecidedMeanwhile(f"row {strange} is no longer a repetition")
        same |= other_side
        same |= {g[0].also: g[0].subject for g in fresh if g[0].also is not None}
        if same:
            pairs = [{"feed": feed, "subject": one, "known_as": other} for one, other in same.items()]
            connection.execute(self._database.insert_new(same_subjects), pairs)
        if not fresh:
            return []
        first = [
            {"feed": feed, "subject": g[0].subject, "sha256": file, "row_number": g[0].row_number}
            | {"kind": _kind(g), "evidence": g[0].evidence, "decided_at": now}
            for g in fresh
        ]
        connection.execute(sa.insert(decisions), first)
        connection.execute(sa.insert(postings), [_posting(feed, file, api, d, now) for g in fresh for d in g])
        about = [g[0].about for g in fresh if g[0].about is not None]
        insert_payments(connection, feed, file, about, now)
        mark_taken_back(connection, feed, about)
        return fresh

    def _by_entry(self, connection: Connection, feed: str, fresh: Sequence[Draft]) -> dict[str, str]:
        """Return which payments are decided as their whole entry, or by its details, and the subject that stands for
        them. The entries of the others are kept."""
        named = [d for d in fresh if d.entry is not None]
        known = _entries(connection, feed, [d.entry for d in named if d.entry])
        decided, new = {}, {}
        for draft in named:
            assert draft.entry is not None
            lump, subject = known.setdefault(draft.entry, (draft.lump, draft.subject))
            if lump != draft.lump:
                decided[draft.subject] = subject
            elif subject == draft.subject:
                new[draft.entry] = {"feed": feed, "entry": draft.entry, "lump": lump, "subject": subject}
        if new:
            connection.execute(self._database.insert_new(entries), list(new.values()))
        return decided

    def entries(self, feed: str, names: Sequence[str]) -> dict[str, bool]:
        """Return which of these entries are decided, and whether as a whole (True) or by their details."""
        with self._database.read() as connection:
            return {entry: lump for entry, (lump, _) in _entries(connection, feed, names).items()}
