"""Payments and invoices for tests of matching, and all decisions about them by payment."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from import_project.matching.decide import Rules, decide
from import_project.matching.frames import invoices_frame, payments_frame
from import_project.matching.memory import Earlier, Gone, Memory, Use
from import_project.matching.references import form, normal
from import_project.matching.rules import RULES, reference
from import_project.records.payments import Allocation, Invoice, Match, Payment, Reference, UnmatchedReason

ALL = Rules(chosen=tuple(make() for make in RULES.values()))
NOV_20 = date(2026, 11, 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """A memory of what these decisions were; `invoices` are those that were listed, by id."""

    found: Mapping[str, Match]
    invoices: Mapping[str, Invoice]

    def uses(self, invoice_ids: Collection[str]) -> dict[str, list[Use]]:
        """As the ledger has it."""
        uses: dict[str, list[Use]] = {}
        for match in self.found.values():
            for a in match.allocations:
                if a.invoice_id in invoice_ids:
                    uses.setdefault(a.invoice_id, []).append(
                        Use(
                            payment_id=match.payment.payment_id,
                            amount=a.settles,
                            written_off=a.written_off,
                            payer_account=match.payment.payer_account,
                        )
                    )
        return uses

    def gone(self, forms: Collection[str]) -> list[Gone]:
        """As the ledger has it."""
        return [
            Gone(invoice=replace(self.invoices[i], open_amount=Decimal("0.00")), uses=tuple(uses))
            for i, uses in self.uses(set(self.invoices)).items()
            if form(self.invoices[i].reference) in forms
            and sum((u.amount + u.written_off for u in uses), Decimal(0)) != 0
        ]

    def earlier(self, reversals: Sequence[Payment]) -> list[Earlier]:
        """As the ledger has it."""
        undone = {m.reverses for m in self.found.values()}
        return [
            Earlier(payment=m.payment, allocations=m.allocations)
            for name, m in self.found.items()
            if name not in undone and m.reason is not UnmatchedReason.REVERSED
        ]

    def waiting(self, payer_accounts: Collection[str]) -> list[Payment]:
        """As the ledger has it."""
        waits = [m.payment for m in self.found.values() if m.waits]
        return [p for p in waits if normal(p.payer_account or "") in payer_accounts]


def rules(*names: str) -> Rules:
    """Return some rules, as they are by default."""
    return Rules(chosen=tuple(RULES[n]() for n in names))


def payment(
    amount: str, *references: str | tuple[str, str], number: int = 1, currency: str = "SEK", **cells: object
) -> Payment:
    """Return a payment; a reference is a text, or a text and its part amount."""
    given = tuple(
        Reference(text=r, source="reference")
        if isinstance(r, str)
        else Reference(text=r[0], source="extra_reference", amount=Decimal(r[1]))
        for r in references
    )
    plain = {"account": "5841", "booking_date": NOV_20, "references": given} | cells
    return Payment(
        payment_id=f"p{number:02}",
        row_number=number,
        currency=currency,
        amount=Decimal(amount),
        **plain,  # type: ignore[arg-type]
    )


def text(*candidates: str) -> tuple[Reference, ...]:
    """Return candidates out of free text."""
    return tuple(Reference(text=t, source="free_text") for t in candidates)


def invoice(name: str, reference: str, amount: str, currency: str = "SEK", **cells: object) -> Invoice:
    """Return an open invoice."""
    return Invoice(
        invoice_id=name,
        reference=reference,
        currency=currency,
        open_amount=Decimal(amount),
        **cells,  # type: ignore[arg-type]
    )


def decisions(
    payments: Sequence[Payment], invoices: Sequence[Invoice], chosen: Rules = ALL, memory: Memory | None = None
) -> dict[str, Match]:
    """Return the decision about each payment, later ones about earlier payments among them."""
    frame = payments_frame(list(payments))
    decided = decide(frame, invoices_frame(list(invoices)), chosen, memory)
    found = {m.payment.payment_id: m for m in (*decided.matches, *decided.later)}
    for row, invoice_id, amount in decided.plain.select("row", "invoice_id", "amount").iter_rows():
        whole = Allocation(invoice_id=invoice_id, amount=amount, settles=amount, residual=amount * 0)
        one = payments[row]
        assert one.payment_id not in found
        found[one.payment_id] = Match(
            payment=one, rule=reference.NAME, rule_version=reference.VERSION, allocations=(whole,)
        )
    return found


def one(pay: Payment, *invoices: Invoice, chosen: Rules = ALL, memory: Memory | None = None) -> Match:
    """Return the decision about one payment."""
    (decision,) = decisions([pay], invoices, chosen, memory).values()
    return decision


def settled(decision: Match) -> list[tuple[str, Decimal, Decimal]]:
    """Return invoice, amount and residual of each allocation."""
    return [(a.invoice_id, a.amount, a.residual) for a in decision.allocations]
