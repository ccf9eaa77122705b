"""What is still open of the listed invoices while one payment after the other is decided about. No decisions."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, islice

import polars as pl

from import_project.matching.invoice_index import MOST_NAMED, InvoiceIndex
from import_project.matching.memory import Memory, Use
from import_project.matching.references import form, keys, pieces
from import_project.records.payments import Allocation, Payment

_NOTHING = Decimal(0)

#: What sorts payments: the day, whether it names anything, its name. Reversals come behind what they take back.
Order = tuple[int, int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A payment that settles one invoice in full, as was seen without looking at any other, and its place in order."""

    order: Order
    use: Use


class OpenItems(InvoiceIndex):
    """Invoices with what is still open of each: less what this run used so far, and plain cases up to `at`."""

    def __init__(self, invoices: pl.DataFrame, memory: Memory, *, plain: Mapping[int, Plain] | None = None) -> None:
        """`invoices` are `OPEN_INVOICES`, less what earlier runs took; `plain` by the row of its invoice."""
        super().__init__(invoices)
        self._memory = memory
        self._plain: Mapping[int, Plain] = plain or {}
        self._uses: defaultdict[int, list[Use]] = defaultdict(list)
        self._used: defaultdict[int, Decimal] = defaultdict(Decimal)
        self._forgiven: defaultdict[int, Decimal] = defaultdict(Decimal)
        self._open_now: defaultdict[tuple[str, str, Decimal], set[int]] = defaultdict(set)
        self._before: dict[str, Sequence[Use]] = {}
        self._forms: set[str] = set()
        self.at: Order = (0, 0, "")

    def expect(self, payments: Iterable[Payment], *, amounts: bool = False) -> None:
        """Make sure that all invoices that these payments may be about are known."""
        some = list(payments)
        texts = {t for p in some for r in p.references for t in (r.text, *pieces(r.text))}
        equal = {(p.currency, p.amount) for p in some} if amounts else ()
        new = self.include(texts, {p.payer_account for p in some if p.payer_account}, equal)
        self._before |= self._memory.uses([i for i in new if i not in self._before])
        forms = {form(key) for text in texts for _, key in keys(text)} - self._forms - {""}
        self._forms |= forms
        for gone in self._memory.gone(forms) if forms else ():
            if self.add(gone.invoice) is not None:
                self._before[gone.invoice.invoice_id] = gone.uses

    def open(self, item: int) -> Decimal:
        """Return what is open of an invoice now."""
        invoice = self.invoice(item)
        if invoice.closed:
            return _NOTHING
        left = invoice.open_amount - self._used[item] if item in self._used else invoice.open_amount
        plain = self._plain.get(item)
        return left - plain.use.amount if plain is not None and plain.order < self.at else left

    def uses(self, item: int) -> list[Use]:
        """Return the payments that this and earlier runs used for an invoice, as of now."""
        plain = self._plain.get(item)
        own = [plain.use] if plain is not None and plain.order < self.at else []
        return [*self._before.get(self.invoice(item).invoice_id, ()), *own, *self._uses[item]]

    def forgiven(self, item: int) -> Decimal:
        """Return how much was written off of an invoice, by whichever run, whichever way."""
        before = self._before.get(self.invoice(item).invoice_id, ())
        return sum((abs(u.written_off) for u in before), self._forgiven[item])

    def later_plain(self, item: int) -> bool:
        """Whether a payment that comes later in order was taken to settle this invoice."""
        plain = self._plain.get(item)
        return plain is not None and plain.order > self.at

    def fitting(self, customers: Iterable[str], currency: str, amount: Decimal) -> list[int]:
        """Return the invoices of some customers of which exactly this amount is open now, by due date and id; at most
        one more than `MOST_NAMED` of them."""
        wanted = list(customers)
        changed = (i for c in wanted for i in self._open_now.get((c, currency, amount), ()))
        listed = (i for i in self.of_customers_listed(wanted, currency, amount) if i not in self._used)
        found = islice((i for i in chain(changed, listed) if self.open(i) == amount), MOST_NAMED + 1)
        return sorted(found, key=self.place)

    def use(self, item: int, allocation: Allocation, payment: Payment) -> None:
        """Take an allocation's part of an invoice."""
        self._uses[item].append(
            Use(
                payment_id=payment.payment_id,
                amount=allocation.settles,
                payer_account=payment.payer_account,
                written_off=allocation.written_off,
            )
        )
        invoice = self.invoice(item)
        customer = invoice.customer_id or ""
        self._open_now[customer, invoice.currency, self.open(item)].discard(item)
        self._used[item] += allocation.settles + allocation.written_off
        self._open_now[customer, invoice.currency, self.open(item)].add(item)
        self._forgiven[item] += abs(allocation.written_off)

    def item_of(self, invoice_id: str) -> int | None:
        """As the index, with what earlier runs used of it."""
        item = super().item_of(invoice_id)
        if item is not None and invoice_id not in self._before:
            self._before[invoice_id] = self._memory.uses([invoice_id]).get(invoice_id, ())
        return item
