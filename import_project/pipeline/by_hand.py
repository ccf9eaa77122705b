"""Decisions that a person makes about a payment: which invoices it settles, or that it settles none after all.

Each stands in place of the one before, which is kept; no rule changes it again. What follows is posted at once.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import polars as pl

from import_project.config.load import LoadedFeed
from import_project.errors import ConfigError, DecidedMeanwhile
from import_project.frames import DECISIONS
from import_project.matching.frames import invoice_of
from import_project.pipeline.conclude import conclude
from import_project.pipeline.decision_drafts import Decision, Listed, drafts
from import_project.pipeline.freeze import decisions_now, keep
from import_project.pipeline.hold import Facts, Held, run_step
from import_project.pipeline.open_invoices import fresh_invoices, still_open
from import_project.pipeline.parts import Parts
from import_project.pipeline.post import post_matched, post_unmatched
from import_project.pipeline.remember import allocations_of, listed_of, unapplied_of
from import_project.records.decisions import DecidedPayment
from import_project.records.payments import Allocation, Invoice, Match, UnmatchedReason
from import_project.records.postings import Again, Draft, Taken

RULE = ("by_hand", 1)
_MOST_CONTENTIONS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An invoice that a person names, and how much of the payment goes to it; None: as much as both allow."""

    invoice_id: str
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """Who decides, and why."""

    by: str
    note: str = ""


def find(parts: Parts, name: str, feed: str | None) -> DecidedPayment:
    """Return the one payment whose id begins with `name`. Raises ConfigError for none or several."""
    found = parts.ledger.payments.called(name, feed) if name else []
    if not found:
        raise ConfigError(f"no payment {name} was decided about", do="see `import-project payments unmatched`")
    if len(found) > 1:
        raise ConfigError(f"several payments begin with {name}", do="write more of its id, or name its feed")
    return found[0]


def match_by_hand(
    parts: Parts,
    loaded: LoadedFeed,
    payment: DecidedPayment,
    wanted: Sequence[Wanted],
    hand: Hand,
    *,
    credit: bool,
    owner: str,
) -> DecidedPayment:
    """Settle invoices with a payment that settles none, and post that. Returns what stands now.

    Raises ConfigError when it cannot be so: another currency, more than is open or than was paid, a rest without
    `credit`, a payment that settles invoices already or was taken back.
    """
    if payment.reason is None:
        raise ConfigError("the payment settles invoices already", do="unmatch it first")
    if payment.taken_back_by is not None or payment.reason in {UnmatchedReason.NOT_BOOKED, UnmatchedReason.REVERSED}:
        raise ConfigError("the payment moved no money, or it was taken back: it cannot settle an invoice")

    if still := _settles(parts, payment):
        names = ", ".join(a.invoice_id for a in still)
        raise ConfigError(f"the API still has what the payment settled of {names}", do="unmatch it again")

    async def decide(held: Held) -> Facts:
        stored, since = await fresh_invoices(held)
        return _decided(
            held, payment, lambda taken: _match(held, payment, wanted, hand, stored, taken, credit=credit), since
        )

    return _carried_out(parts, loaded, payment, decide, owner)


def unmatch_by_hand(
    parts: Parts, loaded: LoadedFeed, payment: DecidedPayment, reason: UnmatchedReason, hand: Hand, *, owner: str
) -> DecidedPayment:
    """Take back what a payment settles, and post that. Returns what stands now. Raises ConfigError when it settles
    nothing."""
    if payment.taken_back_by is not None or (payment.reason is not None and not _settles(parts, payment)):
        raise ConfigError("the payment settles no invoice")

    async def decide(held: Held) -> Facts:
        return _decided(held, payment, lambda _taken: _unmatch(held, payment, reason, hand), held.parts.clock())

    return _carried_out(parts, loaded, payment, decide, owner)


def reject_by_hand(
    parts: Parts, loaded: LoadedFeed, payment: DecidedPayment, hand: Hand, *, owner: str
) -> DecidedPayment:
    """Say that none of the proposals for a payment is right: it stays unmatched, no rule decides it again, and that is
    posted. Raises ConfigError when it settles invoices, or was taken back."""
    if payment.reason is None or _settles(parts, payment):
        raise ConfigError("the payment settles invoices", do="unmatch it")
    if payment.taken_back_by is not None or payment.reason in {UnmatchedReason.NOT_BOOKED, UnmatchedReason.REVERSED}:
        raise ConfigError("the payment moved no money, or it was taken back: there is nothing to reject")

    async def decide(held: Held) -> Facts:
        told = f"proposals rejected by {hand.by}" + (f": {hand.note}" if hand.note else "")
        match = Match(payment=payment.payment, rule=RULE[0], rule_version=RULE[1], reason=payment.reason, evidence=told)
        decision = Decision(match=match, remittance=payment.remittance, decided_by=hand.by, note=hand.note)
        made = list(drafts(decision, held.loaded.feed.post, {}))
        return _decided(held, payment, lambda _taken: made, held.parts.clock())

    return _carried_out(parts, loaded, payment, decide, owner)


def _settles(parts: Parts, payment: DecidedPayment) -> tuple[Allocation, ...]:
    """Return what the API has or will have of a payment, whatever was decided since: a rejected posting is none."""
    name = payment.payment.payment_id
    return allocations_of(parts.ledger.payments.settlements(payment.feed, [name])).get(name, ())


def _carried_out(parts: Parts, loaded: LoadedFeed, payment: DecidedPayment, decide: Any, owner: str) -> DecidedPayment:
    partition = parts.ledger.arrivals.bringer(payment.feed, payment.sha256).partition or ""
    for step in (decide, post_matched, post_unmatched, conclude):
        run_step(parts, loaded, partition, owner=owner, step=step)
    return parts.ledger.payments.by_id(payment.feed, [payment.payment.payment_id])[payment.payment.payment_id]


def _decided(held: Held, payment: DecidedPayment, made: Callable[[Taken], list[Draft]], since: Any) -> Facts:
    accepted = None if held.retired else held.parts.tables.read(held.feed, "accepted", held.sha256)
    for _ in range(_MOST_CONTENTIONS):
        taken = held.parts.ledger.decisions.taken(held.loaded.target, since=since)
        again = Again(drafts=tuple(made(taken)), changes=payment.changes)
        now = held.parts.ledger.payments.by_id(held.feed, [payment.payment.payment_id])[payment.payment.payment_id]
        if (now.changes, now.taken_back_by) != (payment.changes, payment.taken_back_by):
            raise DecidedMeanwhile("the payment was decided about in between", do="look at it again")
        with suppress(DecidedMeanwhile):
            keep(held, [], taken=taken, again=[again])
            if accepted is not None:
                held.parts.tables.write(held.feed, DECISIONS, held.sha256, decisions_now(held, accepted))
            return {"decided": 1}
    raise DecidedMeanwhile(f"other runs matched {_MOST_CONTENTIONS} times in between", do="try again")


def _match(
    held: Held,
    payment: DecidedPayment,
    wanted: Sequence[Wanted],
    hand: Hand,
    stored: pl.DataFrame,
    taken: Taken,
    *,
    credit: bool,
) -> list[Draft]:
    names = [w.invoice_id for w in wanted]
    if len(set(names)) != len(names):
        raise ConfigError("an invoice is named twice")
    rows = still_open(stored, taken.of).filter(pl.col("invoice_id").is_in(names)).rows(named=True)
    invoices = {row["invoice_id"]: invoice_of(row) for row in rows}
    left, allocations = payment.payment.amount, list[Allocation]()
    for one in wanted:
        part = _part(invoices.get(one.invoice_id), one, payment, left)
        allocations.append(part)
        left -= part.amount
    if left and not credit:
        raise ConfigError(
            f"{left} {payment.payment.currency} of the payment would be left over",
            do="name more invoices, or say --credit",
        )
    if left and held.loaded.feed.post.credits is None and held.loaded.callbacks.on_matched is None:
        raise ConfigError("the feed has no post.credits: what is left over cannot be posted")
    match = Match(
        payment=payment.payment,
        rule=RULE[0],
        rule_version=RULE[1],
        allocations=tuple(allocations),
        unapplied=left,
        evidence=f"decided by {hand.by}" + (f": {hand.note}" if hand.note else ""),
    )
    listed = {n: Listed(reference=i.reference, currency=i.currency, version=i.version) for n, i in invoices.items()}
    decision = Decision(match=match, remittance=payment.remittance, decided_by=hand.by, note=hand.note)
    return list(drafts(decision, held.loaded.feed.post, listed))


def _part(invoice: Invoice | None, wanted: Wanted, payment: DecidedPayment, left: Decimal) -> Allocation:
    if invoice is None:
        raise ConfigError(f"invoice {wanted.invoice_id} is not among the open invoices")
    if invoice.currency != payment.payment.currency:
        raise ConfigError(
            f"invoice {invoice.invoice_id} is in {invoice.currency}, the payment in {payment.payment.currency}"
        )
    if invoice.closed or not invoice.open_amount:
        raise ConfigError(f"invoice {invoice.invoice_id} has nothing open")
    smaller = min(left, invoice.open_amount)
    if invoice.open_amount < 0:  # a credit note: all of it, unless the payment itself is money back
        smaller = max(left, invoice.open_amount) if payment.payment.amount < 0 else invoice.open_amount
    if wanted.amount is None and smaller != invoice.open_amount:
        told = f"{left} is left of the payment, {invoice.open_amount} is open on invoice {invoice.invoice_id}"
        raise ConfigError(told, do=f"to pay a part of it, write {invoice.invoice_id}={smaller}")
    amount = smaller if wanted.amount is None else wanted.amount
    alike = amount != 0 and (amount < 0) == (invoice.open_amount < 0)
    if not alike or abs(amount) > abs(invoice.open_amount):
        raise ConfigError(f"{invoice.open_amount} is open on invoice {invoice.invoice_id}, {amount} is no part of it")
    if payment.payment.amount > 0 and amount > left:
        raise ConfigError(f"{left} is left of the payment, less than {amount} for invoice {invoice.invoice_id}")
    return Allocation(
        invoice_id=invoice.invoice_id, amount=amount, settles=amount, residual=invoice.open_amount - amount
    )


def _unmatch(held: Held, payment: DecidedPayment, reason: UnmatchedReason, hand: Hand) -> list[Draft]:
    """Take each allocation and credit back by its opposite, then say that the payment is unmatched."""
    known = held.parts.ledger.payments.settlements(payment.feed, [payment.payment.payment_id])
    settles = allocations_of(known).get(payment.payment.payment_id, ())
    listed = listed_of(known, payment.payment.currency)
    after: dict[str, Decimal | None] = {i: held.parts.ledger.payments.residual(held.loaded.target, i) for i in listed}
    told = f"taken back by {hand.by}" + (f": {hand.note}" if hand.note else "")
    back = Match(
        payment=payment.payment,
        rule=RULE[0],
        rule_version=RULE[1],
        allocations=tuple(
            replace(
                a,
                amount=-a.amount,
                settles=-a.settles,
                written_off=-a.written_off,
                residual=(after.get(a.invoice_id) or a.residual) + a.settles + a.written_off,
            )
            for a in settles
        ),
        unapplied=-unapplied_of(known).get(payment.payment.payment_id, Decimal(0)),
        evidence=told,
    )
    now = replace(back, allocations=(), unapplied=Decimal(0), reason=reason)
    one, two = (
        Decision(match=m, remittance=payment.remittance, decided_by=hand.by, note=hand.note) for m in (now, back)
    )
    made = [*drafts(two, held.loaded.feed.post, listed), *drafts(one, held.loaded.feed.post, {})]
    about = made[-1].about
    return [replace(made[0], about=about), *(replace(d, about=None) for d in made[1:])]
