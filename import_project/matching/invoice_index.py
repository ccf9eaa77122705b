"""The list of open invoices, found by reference, payer, amount and name. It never changes; nothing is decided here.

Only invoices that some payment may be about are turned into records: those that a reference, a payer or an amount
leads to.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from itertools import islice

import polars as pl

from import_project.matching.frames import invoice_of
from import_project.matching.people import bare
from import_project.matching.references import (
    digits,
    digits_form,
    keys,
    loose,
    loose_form,
    normal,
    normal_form,
)
from import_project.records.payments import Invoice

#: A reference that names more invoices names none of them; of a payer with more, or an amount with more, none stands
#: out.
MOST_NAMED, MOST_OF_PAYER, MOST_OF_AMOUNT = 50, 500, 200
_NONE: AbstractSet[int] = frozenset()


class InvoiceIndex:
    """Invoices (`OPEN_INVOICES`, in order of id) by their row in the list, an `item`."""

    def __init__(self, invoices: pl.DataFrame) -> None:
        normally = normal_form("reference")
        loosely = loose_form(normally)
        forms = {"given": normally, "loose": loosely, "digits": digits_form(loosely)}
        self._all = invoices.with_columns(**forms).with_row_index("item")
        self._accounts = _accounts(self._all)
        self._invoices: dict[int, Invoice] = {}
        self._unlisted: dict[str, int] = {}
        self._contradictory: set[int] = set()
        self._keys: defaultdict[str, set[int]] = defaultdict(set)
        self._given: defaultdict[str, set[int]] = defaultdict(set)
        self._customers: dict[str, frozenset[str]] = {}
        self._of_customer: defaultdict[str, list[int]] = defaultdict(list)
        self._of_amount: defaultdict[tuple[str, Decimal], list[int]] = defaultdict(list)
        self._of_customer_amount: defaultdict[tuple[str, str, Decimal], list[int]] = defaultdict(list)
        self._sorted: dict[frozenset[str], list[int]] = {}
        self._looked_up: tuple[set[str], set[str], set[tuple[str, Decimal]]] = (set(), set(), set())
        self._people: list[tuple[str, str]] | None = None
        self._namesakes: dict[str, int] = {}

    def include(
        self, texts: Iterable[str], accounts: Iterable[str], amounts: Iterable[tuple[str, Decimal]] = ()
    ) -> list[str]:
        """Make sure that all invoices are known that these references, payers' accounts and amounts lead to. Returns
        the ids of those that are new."""
        seen_keys, seen_accounts, seen_amounts = self._looked_up
        wanted = {key for text in texts for _, key in keys(text)} - seen_keys
        payers = {normal(account) for account in accounts} - seen_accounts - {""}
        equal = set(amounts) - seen_amounts
        seen_keys |= wanted
        seen_accounts |= payers
        seen_amounts |= equal
        if not wanted and not payers and not equal:
            return []
        chosen = [pl.col(c).is_in(list(wanted)) for c in ("given", "loose", "digits") if wanted]
        if payers:
            chosen.append(pl.col("customer_id").is_in(self._know(payers)))
        if equal:
            schema = {"currency": pl.String(), "open_amount": self._all.schema["open_amount"]}
            alike = pl.DataFrame(list(equal), schema=schema, orient="row")
            found = self._all.join(alike, on=["currency", "open_amount"], how="semi")["item"]
            chosen.append(pl.col("item").is_in(found.to_list()))
        rows = self._all.filter(pl.any_horizontal(chosen).fill_null(value=False))
        return [invoice_id for row in rows.iter_rows(named=True) if (invoice_id := self._add(row))]

    def _know(self, accounts: Collection[str]) -> list[str]:
        """Note whose these accounts are, and return those customers."""
        found = self._accounts.filter(pl.col("account").is_in(list(accounts)))
        of_account: defaultdict[str, set[str]] = defaultdict(set)
        for account, customer in found.select("account", "customer_id").iter_rows():
            of_account[account].add(customer)
        self._customers |= {account: frozenset(customers) for account, customers in of_account.items()}
        return found["customer_id"].unique().to_list()

    def _add(self, row: Mapping[str, object]) -> str | None:
        item = row["item"]
        assert isinstance(item, int)
        if item in self._invoices:
            return None
        if row["contradictory"]:
            self._contradictory.add(item)
        return self._put(item, invoice_of(row))

    def add(self, invoice: Invoice) -> int | None:
        """Make an invoice known that is not listed, and return its item; None where it is listed or known."""
        if invoice.invoice_id in self._unlisted or self.item_of(invoice.invoice_id) is not None:
            return None
        item = self._unlisted[invoice.invoice_id] = self._all.height + len(self._unlisted)
        self._put(item, invoice)
        return item

    def _put(self, item: int, invoice: Invoice) -> str:
        self._invoices[item] = invoice
        given = normal(invoice.reference)
        loosely = loose(given)
        for key in {given, loosely, digits(loosely)} - {"", None}:
            self._keys[str(key)].add(item)
        self._given[given].add(item)
        if invoice.customer_id is not None:
            self._of_customer[invoice.customer_id].append(item)
            self._of_customer_amount[invoice.customer_id, invoice.currency, invoice.open_amount].append(item)
            self._sorted.clear()
        self._of_amount[invoice.currency, invoice.open_amount].append(item)
        return invoice.invoice_id

    def invoice(self, item: int) -> Invoice:
        """Return an invoice as it was listed."""
        return self._invoices[item]

    def known(self, item: int) -> bool:
        """Whether an invoice was turned into a record."""
        return item in self._invoices

    def contradictory(self, item: int) -> bool:
        """Whether it was listed more than once, differently."""
        return item in self._contradictory

    def named(self, key: str, *, given: bool) -> AbstractSet[int]:
        """Return the invoices whose reference has this form; with `given`, exactly as it is."""
        return (self._given if given else self._keys).get(key, _NONE)

    def customers(self, payer_account: str | None) -> frozenset[str]:
        """Return whose account this is known to be."""
        return self._customers.get(normal(payer_account), frozenset()) if payer_account else frozenset()

    def of_customers(self, customers: frozenset[str]) -> Sequence[int]:
        """Return the invoices of some customers, by due date and id; none where they have more than `MOST_OF_PAYER`."""
        if customers not in self._sorted:
            found = [i for c in customers for i in self._of_customer.get(c, ())]
            self._sorted[customers] = sorted(found, key=self.place) if len(found) <= MOST_OF_PAYER else []
        return self._sorted[customers]

    def of_customers_listed(self, customers: Iterable[str], currency: str, amount: Decimal) -> Iterator[int]:
        """Yield the invoices of some customers that were listed with this open amount."""
        return (i for c in customers for i in self._of_customer_amount.get((c, currency, amount), ()))

    def of_amount(self, currency: str, amount: Decimal) -> list[int]:
        """Return the invoices that were listed with this open amount, by due date and id; none where they are more than
        `MOST_OF_AMOUNT`."""
        found = self._of_amount.get((currency, amount), [])
        return sorted(found, key=self.place) if len(found) <= MOST_OF_AMOUNT else []

    def namesakes(self, *names: str | None) -> int:
        """Return how many customers have the shortest of these names, or one that begins with it; 2 stands for more."""
        if self._people is None:
            people = self._all.select("customer_name", "customer_id").drop_nulls().unique().iter_rows()
            self._people = sorted((bare(name), customer) for name, customer in people)
        least = min((bare(n) for n in names), key=len)
        if least not in self._namesakes:
            found = set[str]()
            for name, customer in islice(self._people, bisect_left(self._people, (least, "")), None):
                if not name.startswith(least) or len(found) == 2:
                    break
                found.add(customer)
            self._namesakes[least] = len(found)
        return self._namesakes[least]

    def place(self, item: int) -> tuple[int, str]:
        """Return what invoices are sorted by: the due date, then the id."""
        invoice = self._invoices[item]
        return (invoice.due_on.toordinal() if invoice.due_on else 0, invoice.invoice_id)

    def item_of(self, invoice_id: str) -> int | None:
        """Return the row of an invoice by its id, and make it known; None when it is not listed."""
        if invoice_id in self._unlisted:
            return self._unlisted[invoice_id]
        place = self._all["invoice_id"].search_sorted(invoice_id)
        if place >= self._all.height or self._all["invoice_id"][place] != invoice_id:
            return None
        self._add(self._all.row(place, named=True))
        return place


def _accounts(invoices: pl.DataFrame) -> pl.DataFrame:
    known = invoices.select("customer_id", "payer_accounts").filter(
        pl.col("payer_accounts").list.len() > 0, pl.col("customer_id").is_not_null()
    )
    each = known.explode("payer_accounts").select("customer_id", account=normal_form("payer_accounts"))
    return each.unique()
