"""The rules that decide about one payment, each with its version. Contention between payments is decided in `match`.

A rule returns allocations or a reason when it applies, and None when the payment is not of its kind.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from import_project.matching.open_items import OpenItems, normal
from import_project.records.payments import Allocation, Invoice, Payment, UnmatchedReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a rule says about one payment, before other payments are looked at."""

    allocations: tuple[Allocation, ...] = ()
    reason: UnmatchedReason | None = None
    evidence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A named, versioned rule. A change of what it decides is a new version."""

    name: str
    version: int
    decide: Callable[[Payment, OpenItems], Proposal | None]


def _refused(reason: UnmatchedReason, evidence: str) -> Proposal:
    return Proposal(reason=reason, evidence=evidence)


def _one(reference: str, currency: str, items: OpenItems) -> Invoice | Proposal:
    """Return the one invoice with this reference in this currency, or why there is none."""
    found = items.find(reference)
    if not found:
        return _refused(UnmatchedReason.UNKNOWN_REFERENCE, f"no invoice has reference {reference}")
    if len(found) > 1:
        names = ", ".join(sorted(i.invoice_id for i in found))
        return _refused(UnmatchedReason.AMBIGUOUS, f"reference {reference} is on invoices {names}")
    if found[0].currency != currency:
        return _refused(UnmatchedReason.CURRENCY_MISMATCH, f"invoice {found[0].invoice_id} is in {found[0].currency}")
    return found[0]


def _settle(invoice: Invoice, amount: Decimal) -> Proposal:
    """Use `amount` for one invoice: in full, or in part with the rest left open; never more than is open."""
    if invoice.open_amount == 0:
        return _refused(UnmatchedReason.ALREADY_PAID, f"invoice {invoice.invoice_id} has nothing open")
    rest = invoice.open_amount - amount
    told = f"{amount} of {invoice.open_amount} {invoice.currency} open on invoice {invoice.invoice_id}"
    if amount == 0 or (amount < 0) != (invoice.open_amount < 0) or abs(amount) > abs(invoice.open_amount):
        return _refused(UnmatchedReason.AMOUNT_MISMATCH, told)
    return Proposal(
        allocations=(Allocation(invoice_id=invoice.invoice_id, amount=amount, residual=rest),), evidence=told
    )


def _by_reference(payment: Payment, items: OpenItems) -> Proposal | None:
    """One reference: its invoice, paid in full or in part."""
    if len({normal(r.text) for r in payment.references}) != 1:
        return None
    found = _one(payment.references[0].text, payment.currency, items)
    return found if isinstance(found, Proposal) else _settle(found, payment.amount)


def _by_references(payment: Payment, items: OpenItems) -> Proposal | None:
    """Several references: by the given part amounts, else all invoices in full when they add up to the payment."""
    if len({normal(r.text) for r in payment.references}) < 2:
        return None
    parts = any(r.amount is not None for r in payment.references)
    invoices: dict[str, tuple[Invoice, Decimal]] = {}
    for reference in payment.references:
        found = _one(reference.text, payment.currency, items)
        if isinstance(found, Proposal):
            return found
        already = invoices[found.invoice_id][1] if found.invoice_id in invoices else Decimal(0)
        part = already + (reference.amount or Decimal(0)) if parts else found.open_amount
        invoices[found.invoice_id] = (found, part)
    total = sum((part for _, part in invoices.values()), Decimal(0))
    if total != payment.amount:
        told = f"the invoices' open amounts give {total}, the payment is {payment.amount}"
        return _refused(UnmatchedReason.AMOUNT_MISMATCH, told)
    settled = [_settle(invoice, part) for invoice, part in invoices.values()]
    for one in settled:
        if one.reason is not None:
            return one
    evidence = "; ".join(one.evidence for one in settled)
    return Proposal(allocations=tuple(a for one in settled for a in one.allocations), evidence=evidence)


RULES: Mapping[str, Rule] = {
    "reference": Rule(name="reference", version=1, decide=_by_reference),
    "references": Rule(name="references", version=1, decide=_by_references),
}
