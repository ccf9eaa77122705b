"""The ledger as matching's memory: what earlier runs of a feed used, what waits, and what may be taken back."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from import_project.matching.memory import Earlier, Gone, Use
from import_project.pipeline.decision_drafts import Listed
from import_project.records.decisions import DecidedPayment, Settlement
from import_project.records.payments import Allocation, Invoice, Payment
from import_project.records.postings import PostingKind, PostingState
from import_project.store.ledger import Ledger


class LedgerMemory:
    """Implements `matching.memory.Memory`. `looked_at` are the payments that it told of, by id, and
    `invoices` what is known of those they settle."""

    def __init__(self, ledger: Ledger, feed: str, target: str) -> None:
        self._ledger, self._feed, self._target = ledger, feed, target
        self.looked_at: dict[str, DecidedPayment] = {}
        self.invoices: dict[str, Listed] = {}

    def uses(self, invoice_ids: Collection[str]) -> Mapping[str, Sequence[Use]]:
        """Return what postings use of these invoices."""
        found: defaultdict[str, list[Use]] = defaultdict(list)
        for row in self._ledger.payments.uses(self._target, "invoice_id", invoice_ids):
            found[row.invoice_id].append(_use(row))
        return dict(found)

    def gone(self, forms: Collection[str]) -> Sequence[Gone]:
        """Return invoices that postings use, by the form of their reference, unless all of it was taken back."""
        found: defaultdict[str, list[Any]] = defaultdict(list)
        for row in self._ledger.payments.uses(self._target, "reference_form", forms):
            found[row.invoice_id].append(row)
        return [
            Gone(
                invoice=Invoice(
                    invoice_id=name,
                    reference=rows[0].reference,
                    currency=rows[0].currency or "",
                    open_amount=Decimal("0.00"),
                ),
                uses=tuple(_use(row) for row in rows),
            )
            for name, rows in found.items()
            if sum(row.amount for row in rows) != 0
        ]

    def earlier(self, reversals: Sequence[Payment]) -> Sequence[Earlier]:
        """Return payments of the opposite amount that nothing has taken back, with what they settle."""
        found = [one for one in self._ledger.payments.opposite(self._feed, reversals) if not one.payment.reversal]
        self.looked_at |= {one.payment.payment_id: one for one in found}
        settled = self._ledger.payments.settlements(self._feed, [o.payment.payment_id for o in found])
        by_payment, credits_of = allocations_of(settled), unapplied_of(settled)
        for one in found:
            mine = [s for s in settled if s.payment_id == one.payment.payment_id]
            self.invoices |= listed_of(mine, one.payment.currency)
        return [
            Earlier(
                payment=o.payment,
                allocations=by_payment.get(o.payment.payment_id, ()),
                unapplied=credits_of.get(o.payment.payment_id, Decimal(0)),
            )
            for o in found
        ]

    def waiting(self, payer_accounts: Collection[str]) -> Sequence[Payment]:
        """Return payments from these accounts that name nothing."""
        found = self._ledger.payments.waiting(self._feed, payer_accounts)
        self.looked_at |= {one.payment.payment_id: one for one in found}
        return [one.payment for one in found]


def _use(row: Any) -> Use:
    less = row.written_off or Decimal(0)
    return Use(payment_id=row.subject, amount=row.amount - less, written_off=less, payer_account=row.payer_account)


def listed_of(settlements: Sequence[Settlement], currency: str) -> dict[str, Listed]:
    """Return what postings know of the invoices they settle, by id."""
    return {
        s.invoice_id: Listed(reference=s.reference or "", currency=json.loads(s.body).get("invoice_currency", currency))
        for s in settlements
        if s.invoice_id is not None
    }


def unapplied_of(settlements: Sequence[Settlement]) -> dict[str, Decimal]:
    """Return what of payments is a credit now, by payment; what was rejected is none."""
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    for one in settlements:
        if one.kind == PostingKind.CREDIT and one.state != PostingState.REJECTED:
            found[one.payment_id] += Decimal(json.loads(one.body)["amount"])
    return dict(found)


def allocations_of(settlements: Sequence[Settlement]) -> dict[str, tuple[Allocation, ...]]:
    """Return what payments settle now, by payment: what was taken back is taken off, what was rejected left out."""
    found: defaultdict[str, dict[str, Allocation]] = defaultdict(dict)
    for one in settlements:
        if one.kind != PostingKind.MATCHED or one.state == PostingState.REJECTED or one.invoice_id is None:
            continue
        body = json.loads(one.body)
        less = one.written_off or Decimal(0)
        before = found[one.payment_id].get(one.invoice_id)
        assert one.amount is not None
        found[one.payment_id][one.invoice_id] = Allocation(
            invoice_id=one.invoice_id,
            amount=Decimal(body["amount"]) + (before.amount if before else 0),
            settles=one.amount - less + (before.settles if before else 0),
            written_off=less + (before.written_off if before else 0),
            residual=Decimal(body["residual"]),
        )
    still = {name: tuple(a for a in by_invoice.values() if a.settles or a.amount) for name, by_invoice in found.items()}
    return {name: allocations for name, allocations in still.items() if allocations}
