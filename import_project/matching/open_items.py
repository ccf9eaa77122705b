"""The open invoices as they stand while one payment after the other is decided about. No decisions.

Only invoices that some payment may be about are turned into records: those that a reference or a payer leads to.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice, takewhile

import polars as pl

from import_project.matching.frames import invoice_of
from import_project.matching.memory import Memory, Use
from import_project.matching.people import bare
from import_project.matching.references import digits_form, keys, loose_form, normal, normal_form, pieces
from import_project.records.payments import Allocation, Invoice, Payment

_NOTHING = Decimal(0)


#: What sorts payments: the day, whether it names anything, its name. Reversals come behind what they take back.
Order = tuple[int, int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A payment that settles one invoice in full, as was seen without looking at any other, and its place in order."""

    order: Order
    use: Use


class OpenItems:
    """Invoices by reference, payer and amount, with what is still open of each."""

    def __init__(self, invoices: pl.DataFrame, memory: Memory, *, plain: Mapping[int, Plain] | None = None) -> None:
        """`invoices` are `OPEN_INVOICES`, less what earlier runs took; `plain` by the row of its invoice."""
        self._memory = memory
        normally = normal_form("reference")
        loosely = loose_form(normally)
        self._all = invoices.with_columns(given=normally, loose=loosely, digits=digits_form(loosely)).with_row_index(
            "item"
        )
        self._accounts = _accounts(self._all)
        self._invoices: dict[int, Invoice] = {}
        self._contradictory: set[int] = set()
        self._keys: defaultdict[str, set[int]] = defaultdict(set)
        self._given: dict[int, str] = {}
        self._customers: dict[str, frozenset[str]] = {}
        self._of_customer: defaultdict[str, list[int]] = defaultdict(list)
        self._of_amount: defaultdict[tuple[str, Decimal], list[int]] = defaultdict(list)
        self._looked_up: set[str] = set()
        self._uses: defaultdict[int, list[Use]] = defaultdict(list)
        self._plain: Mapping[int, Plain] = plain or {}
        self._before: dict[str, Sequence[Use]] = {}
        self._people: list[tuple[str, str]] | None = None
        self.at: Order = (0, 0, "")

    def include(self, payments: Sequence[Payment], *, amounts: bool = False) -> None:
        """Make sure that all invoices that these payments may be about are known here."""
        texts = {t for p in payments for r in p.references for t in (r.text, *pieces(r.text))}
        wanted = {key for text in texts for _, key in keys(text)} - self._looked_up
        self._looked_up |= wanted
        accounts = {normal(p.payer_account) for p in payments if p.payer_account}
        found = self._accounts.filter(pl.col("account").is_in(list(accounts)))
        of_account: defaultdict[str, set[str]] = defaultdict(set)
        for account, customer in found.select("account", "customer_id").iter_rows():
            of_account[account].add(customer)
        self._customers |= {account: frozenset(customers) for account, customers in of_account.items()}
        by_key = pl.any_horizontal(pl.col(c).is_in(list(wanted)) for c in ("given", "loose", "digits"))
        chosen = by_key | pl.col("customer_id").is_in(found["customer_id"].unique().to_list())
        if amounts:
            equal = pl.DataFrame(
                {"currency": [p.currency for p in payments], "open_amount": [p.amount for p in payments]},
                schema={"currency": pl.String, "open_amount": self._all.schema["open_amount"]},
            ).unique()
            alike = self._all.join(equal, on=["currency", "open_amount"], how="semi")["item"]
            chosen |= pl.col("item").is_in(alike.to_list())
        rows = self._all.filter(chosen.fill_null(value=False))
        self._before |= self._memory.uses([i for i in rows["invoice_id"] if i not in self._before])
        for row in rows.iter_rows(named=True):
            self._add(row)

    def _add(self, row: Mapping[str, object]) -> None:
        item = row["item"]
        assert isinstance(item, int)
        if item in self._invoices:
            return
        invoice = self._invoices[item] = invoice_of(row)
        if row["contradictory"]:
            self._contradictory.add(item)
        for form in ("given", "loose", "digits"):
            key = row[form]
            if isinstance(key, str) and key:
                self._keys[key].add(item)
        self._given[item] = str(row["given"])
        if invoice.customer_id is not None:
            self._of_customer[invoice.customer_id].append(item)
        self._of_amount[invoice.currency, invoice.open_amount].append(item)

    def invoice(self, item: int) -> Invoice:
        """Return an invoice as it was listed."""
        return self._invoices[item]

    def contradictory(self, item: int) -> bool:
        """Whether it was listed more than once, differently."""
        return item in self._contradictory

    def open(self, item: int) -> Decimal:
        """Return what is open of an invoice now."""
        invoice = self._invoices[item]
        if invoice.closed:
            return _NOTHING
        left = invoice.open_amount - sum((u.amount + u.written_off for u in self._uses[item]), _NOTHING)
        plain = self._plain.get(item)
        return left - plain.use.amount if plain is not None and plain.order < self.at else left

    def uses(self, item: int) -> list[Use]:
        """Return the payments that this and earlier runs used for an invoice, as of now."""
        plain = self._plain.get(item)
        own = [plain.use] if plain is not None and plain.order < self.at else []
        return [*self._before.get(self._invoices[item].invoice_id, ()), *own, *self._uses[item]]

    def later_plain(self, item: int) -> bool:
        """Whether a payment that comes later in order was taken to settle this invoice."""
        plain = self._plain.get(item)
        return plain is not None and plain.order > self.at

    def named(self, key: str, *, given: bool) -> set[int]:
        """Return the invoices whose reference has this form; with `given`, exactly as it is."""
        found = self._keys.get(key, set())
        return {i for i in found if self._given[i] == key} if given else set(found)

    def customers(self, payer_account: str | None) -> frozenset[str]:
        """Return whose account this is known to be."""
        return self._customers.get(normal(payer_account), frozenset()) if payer_account else frozenset()

    def of_customers(self, customers: Iterable[str]) -> list[int]:
        """Return the invoices of some customers, by due date and id."""
        found = [i for c in customers for i in self._of_customer.get(c, ())]
        return sorted(found, key=self.place)

    def namesakes(self, *names: str | None) -> int:
        """Return how many customers have the shortest of these names, or one that begins with it."""
        if self._people is None:
            people = self._all.select("customer_name", "customer_id").drop_nulls().unique().iter_rows()
            self._people = sorted((bare(name), customer) for name, customer in people)
        least = min((bare(n) for n in names), key=len)
        start = bisect_left(self._people, (least, ""))
        return len({c for _, c in takewhile(lambda one: one[0].startswith(least), islice(self._people, start, None))})

    def of_amount(self, currency: str, amount: Decimal) -> list[int]:
        """Return the invoices that were listed with this open amount, as far as they are known here."""
        return sorted(self._of_amount.get((currency, amount), ()), key=self.place)

    def place(self, item: int) -> tuple[int, str]:
        """Return what invoices are sorted by: the due date, then the id."""
        invoice = self._invoices[item]
        return (invoice.due_on.toordinal() if invoice.due_on else 0, invoice.invoice_id)

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

    def item_of(self, invoice_id: str) -> int | None:
        """Return the row of an invoice that is known here, by its id."""
        place = self._all["invoice_id"].search_sorted(invoice_id)
        if place >= self._all.height or self._all["invoice_id"][place] != invoice_id:
            return None
        if place not in self._invoices:
            self._before |= self._memory.uses([invoice_id])
            self._add(self._all.row(place, named=True))
        return place


def _accounts(invoices: pl.DataFrame) -> pl.DataFrame:
    known = invoices.select("customer_id", "payer_accounts").filter(
        pl.col("payer_accounts").list.len() > 0, pl.col("customer_id").is_not_null()
    )
    each = known.explode("payer_accounts").select("customer_id", account=normal_form("payer_accounts"))
    return each.unique()
