"""Payments in the ledger: what was decided about each, by whom, and what stood before. A person's decision is never
changed by rules."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from import_project.errors import DecidedMeanwhile
from import_project.records.decisions import RULES, Change, DecidedPayment, Settlement
from import_project.records.payments import Payment, Reference, UnmatchedReason
from import_project.records.postings import Again, Draft, PostingKind, PostingState
from import_project.store.ledger.database import Database
from import_project.store.ledger.tables import changes, decisions, files, outcomes, payments, postings

_CHUNK = 500
_OF_PAYMENT: tuple[str, ...] = ("row_number", "account", "currency", "amount", "booking_date", "reversal", "payer_name")
_OF_PAYMENT += ("payer_account", "bank_reference", "end_to_end_id")
_STANDING = ("rule", "rule_version", "reason", "evidence", "decided_by", "note", "decided_at")


def insert_payments(
    connection: Connection, feed: str, file: str, about: Iterable[DecidedPayment], now: datetime
) -> None:
    """Keep payments that are decided for the first time, and mark those that they take back."""
    rows = [_row(one, now) | {"feed": feed, "sha256": file} for one in about]
    if not rows:
        return
    connection.execute(sa.insert(payments), rows)


def mark_taken_back(connection: Connection, feed: str, about: Iterable[DecidedPayment]) -> None:
    """Mark the payments that these take back. Raises DecidedMeanwhile when another took one back before."""
    for one in about:
        if one.reverses is None:
            continue
        mine = (payments.c.feed == feed) & (payments.c.subject == one.reverses) & payments.c.taken_back_by.is_(None)
        done = connection.execute(sa.update(payments).where(mine).values(taken_back_by=one.payment.payment_id))
        if done.rowcount != 1:
            raise DecidedMeanwhile("another run has taken the same payment back")


def decide_again(connection: Connection, feed: str, again: Again, now: datetime) -> list[Draft]:
    """Put a new decision in place of the one that stands, which is kept among the changes. Returns the drafts with
    their parts numbered on. Raises DecidedMeanwhile when another decision stands than was looked at, or, for rules, a
    person's."""
    about = again.drafts[0].about
    assert about is not None
    mine = (payments.c.feed == feed) & (payments.c.subject == about.payment.payment_id)
    standing = connection.execute(sa.select(payments).where(mine).with_for_update()).one()
    changed = standing.changes != again.changes or standing.taken_back_by not in {None, about.taken_back_by}
    if changed or (about.decided_by == RULES and standing.decided_by != RULES):
        raise DecidedMeanwhile("the payment was decided about in between")
    before = {name: getattr(standing, name) for name in _STANDING}
    key = {"feed": feed, "subject": standing.subject, "number": standing.changes + 1}
    connection.execute(sa.insert(changes), [key | before])
    now_standing = {n: v for n, v in _row(about, now).items() if n in {*_STANDING, "waits"}}
    connection.execute(sa.update(payments).where(mine).values(**now_standing, changes=standing.changes + 1))
    back = (payments.c.feed == feed) & (payments.c.taken_back_by == standing.subject)
    connection.execute(sa.update(payments).where(back).values(taken_back_by=None))
    of = (decisions.c.feed == feed) & (decisions.c.subject == standing.subject)
    kind = PostingKind.UNMATCHED if about.reason is not None else PostingKind.MATCHED
    connection.execute(sa.update(decisions).where(of).values(kind=kind, evidence=about.evidence, decided_at=now))
    parts = (postings.c.feed == feed) & (postings.c.subject == standing.subject)
    last = connection.execute(sa.select(sa.func.max(postings.c.part)).where(parts)).scalar_one()
    return [replace(d, part=last + 1 + n, row_number=standing.row_number) for n, d in enumerate(again.drafts)]


def recount(connection: Connection, feed: str, file: str) -> None:
    """Let the outcome of a file that has ended follow decisions that were made since."""
    mine = (payments.c.feed == feed) & (payments.c.sha256 == file)
    counts = [
        sa.select(sa.func.count()).where(mine, of).scalar_subquery()
        for of in (payments.c.reason.is_(None), payments.c.reason.is_not(None))
    ]
    bringer = sa.select(files.c.arrival_id).where(files.c.feed == feed, files.c.sha256 == file).scalar_subquery()
    ended = (outcomes.c.arrival_id == bringer) & outcomes.c.matched.is_not(None)
    connection.execute(sa.update(outcomes).where(ended).values(matched=counts[0], unmatched=counts[1]))


def _row(one: DecidedPayment, now: datetime) -> dict[str, Any]:
    given = [[r.text, r.source, None if r.amount is None else str(r.amount)] for r in one.payment.references]
    return {
        "subject": one.payment.payment_id,
        **{name: getattr(one.payment, name) for name in _OF_PAYMENT},
        "given": json.dumps(given, ensure_ascii=False, separators=(",", ":")),
        "remittance": one.remittance,
        "rule": one.rule,
        "rule_version": one.rule_version,
        "reason": one.reason,
        "evidence": one.evidence,
        "decided_by": one.decided_by,
        "note": one.note,
        "decided_at": now,
        "waits": one.waits,
    }


def _payment(row: Row[Any]) -> Payment:
    references = tuple(
        Reference(text=text, source=source, amount=None if amount is None else Decimal(amount))
        for text, source, amount in json.loads(row.given)
    )
    return Payment(
        payment_id=row.subject,
        references=references,
        booked=row.reason != UnmatchedReason.NOT_BOOKED,
        **{name: getattr(row, name) for name in _OF_PAYMENT},
    )


def _decided(row: Row[Any]) -> DecidedPayment:
    return DecidedPayment(
        payment=_payment(row),
        reason=None if row.reason is None else UnmatchedReason(row.reason),
        **{n: getattr(row, n) for n in ("rule", "rule_version", "evidence", "decided_by", "note", "decided_at")},
        **{n: getattr(row, n) for n in ("remittance", "waits", "taken_back_by", "changes", "feed", "sha256")},
    )


class Payments:
    """The `payments` and `changes` tables, and postings as uses of invoices."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unmatched(self, feed: str | None = None, reason: UnmatchedReason | None = None) -> list[DecidedPayment]:
        """Return payments that settle nothing and were not taken back, the oldest first."""
        query = sa.select(payments).where(payments.c.reason.is_not(None), payments.c.taken_back_by.is_(None))
        query = query.where(payments.c.reason == reason) if reason else query.where(payments.c.reason != "reversed")
        query = query.where(payments.c.feed == feed) if feed else query
        return self._payments(query.order_by(payments.c.booking_date, payments.c.feed, payments.c.row_number))

    def all(self, feed: str | None = None) -> list[DecidedPayment]:
        """Return all payments, the oldest first."""
        query = sa.select(payments).order_by(payments.c.booking_date, payments.c.feed, payments.c.row_number)
        return self._payments(query.where(payments.c.feed == feed) if feed else query)

    def called(self, name: str, feed: str | None = None) -> list[DecidedPayment]:
        """Return payments whose id begins with `name`, at most ten."""
        query = sa.select(payments).where(payments.c.subject.startswith(name, autoescape=True)).limit(10)
        return self._payments(query.where(payments.c.feed == feed) if feed else query)

    def by_id(self, feed: str, subjects: Sequence[str]) -> dict[str, DecidedPayment]:
        """Return payments by their ids."""
        found: list[DecidedPayment] = []
        for some in _chunks(subjects):
            found += self._payments(sa.select(payments).where(payments.c.feed == feed, payments.c.subject.in_(some)))
        return {one.payment.payment_id: one for one in found}

    def waiting(self, feed: str, payer_accounts: Collection[str]) -> list[DecidedPayment]:
        """Return payments from these normal accounts that name nothing, and about which only rules have decided."""
        still = (payments.c.waits, payments.c.decided_by == RULES, payments.c.taken_back_by.is_(None))
        found: list[DecidedPayment] = []
        for some in _chunks(payer_accounts):
            query = sa.select(payments).where(payments.c.feed == feed, payments.c.payer_account.in_(some), *still)
            found += self._payments(query)
        return found

    def opposite(self, feed: str, reversals: Sequence[Payment]) -> list[DecidedPayment]:
        """Return payments of the opposite amount on the same account that nothing has taken back."""
        found: dict[str, DecidedPayment] = {}
        for account, currency, amount in sorted({(r.account, r.currency, -r.amount) for r in reversals}):
            alike = (payments.c.account == account, payments.c.currency == currency, payments.c.amount == amount)
            query = sa.select(payments).where(payments.c.feed == feed, *alike, payments.c.taken_back_by.is_(None))
            found |= {one.payment.payment_id: one for one in self._payments(query)}
        return list(found.values())

    def changes(self, feed: str, subject: str) -> list[Change]:
        """Return the decisions that stood before, the oldest first."""
        query = sa.select(changes).where(changes.c.feed == feed, changes.c.subject == subject)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(changes.c.number)).all()
        return [
            Change(
                number=r.number,
                reason=None if r.reason is None else UnmatchedReason(r.reason),
                **{n: getattr(r, n) for n in _STANDING if n != "reason"},
            )
            for r in rows
        ]

    def settlements(self, feed: str, subjects: Sequence[str]) -> list[Settlement]:
        """Return the postings of payments, in order."""
        columns = [postings.c[n] for n in Settlement.__slots__ if n != "payment_id"]
        found: list[Settlement] = []
        for some in _chunks(subjects):
            query = sa.select(postings.c.subject.label("payment_id"), *columns)
            query = query.where(postings.c.feed == feed, postings.c.subject.in_(some))
            with self._database.read() as connection:
                rows = connection.execute(query.order_by(postings.c.subject, postings.c.part)).all()
            found += [Settlement(**row._asdict()) for row in rows]
        return found

    def uses(self, api: str, column: str, values: Collection[str]) -> list[Row[Any]]:
        """Return what postings use of invoices, found by `invoice_id` or `reference_form`: rows of `invoice_id`,
        `reference`, `currency`, `subject`, `amount`, `written_off` and `payer_account`. What the API rejected is no
        use."""
        one = (payments.c.feed == postings.c.feed) & (payments.c.subject == postings.c.subject)
        of_posting = [postings.c[n] for n in ("invoice_id", "reference", "subject", "amount", "written_off")]
        found: list[Row[Any]] = []
        for some in _chunks(values):
            query = (
                sa.select(*of_posting, payments.c.payer_account, payments.c.currency)
                .join(payments, one, isouter=True)
                .where(postings.c.api == api, postings.c[column].in_(some), postings.c.kind == PostingKind.MATCHED)
                .where(postings.c.state != PostingState.REJECTED)
                .order_by(postings.c.id)
            )
            with self._database.read() as connection:
                found += connection.execute(query).all()
        return found

    def residual(self, api: str, invoice_id: str) -> Decimal | None:
        """Return what the newest posting of an invoice left open of it."""
        newest = sa.select(postings.c.body).where(postings.c.api == api, postings.c.invoice_id == invoice_id)
        newest = newest.where(postings.c.kind == PostingKind.MATCHED, postings.c.state != PostingState.REJECTED)
        with self._database.read() as connection:
            body = connection.execute(newest.order_by(postings.c.id.desc()).limit(1)).scalar()
        return None if body is None else Decimal(json.loads(body)["residual"])

    def _payments(self, query: sa.Select[Any]) -> list[DecidedPayment]:
        with self._database.read() as connection:
            return [_decided(row) for row in connection.execute(query)]


def _chunks(values: Collection[str]) -> Iterable[list[str]]:
    ordered = sorted(values)
    return (ordered[start : start + _CHUNK] for start in range(0, len(ordered), _CHUNK))
