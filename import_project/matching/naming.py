"""Which invoices a payment names, by which of its references, and what else speaks for or against them."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import islice

from import_project.matching.invoice_index import MOST_NAMED
from import_project.matching.open_items import OpenItems
from import_project.matching.people import same_name
from import_project.matching.references import CHECKED, GIVEN, form, keys, normal, pieces, proves_itself
from import_project.records.payments import FREE_TEXT, Invoice, Payment

WIDTHS = ("given", "variants", "free_text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """An invoice (`item`) that a reference names. `proved`: a check digit says that the reference is no slip."""

    item: int
    reference: str
    how: str
    structured: bool
    proved: bool
    part: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Names:
    """What a payment names at one width. `references` counts its distinct structured references, `unknown` are those
    that name nothing, `crowds` those that name so many invoices that none is meant; `parts` says that part amounts are
    given."""

    names: tuple[Name, ...] = ()
    references: int = 0
    unknown: tuple[str, ...] = ()
    crowds: tuple[str, ...] = ()
    parts: bool = False

    @cached_property
    def items(self) -> tuple[int, ...]:
        """The invoices, each once, in the order named."""
        return tuple(dict.fromkeys(n.item for n in self.names))

    @cached_property
    def structured(self) -> tuple[int, ...]:
        """The invoices that structured references name."""
        return tuple(dict.fromkeys(n.item for n in self.names if n.structured))

    @property
    def says_something(self) -> bool:
        """Whether any reference names invoices, too many included."""
        return bool(self.names or self.crowds)

    def of(self, item: int) -> Name:
        """Return how an invoice is named, the surest way first."""
        return next(n for n in self.names if n.item == item)


def widths(payment: Payment, items: OpenItems, chosen: Sequence[str], schemes: frozenset[str]) -> list[Names]:
    """Return what a payment names at each of the chosen `WIDTHS`; one that names no more than the one before is left
    out. A reference names the invoices found the surest way, and no others."""
    found: list[Names] = []
    for width in chosen:
        names = _names(payment, items, width, schemes)
        if not found or names.names != found[-1].names:
            found.append(names)
        if width == GIVEN and not names.unknown and len(names.names) == len(payment.references):
            break  # each reference is an invoice's as it is: no width finds more
    return found or [Names()]


def _names(payment: Payment, items: OpenItems, width: str, schemes: frozenset[str]) -> Names:
    names: list[Name] = []
    unknown: list[str] = []
    crowds: list[str] = []
    seen: set[tuple[str, bool]] = set()
    structured = [r for r in payment.references if r.source != FREE_TEXT and normal(r.text)]
    for reference in payment.references:
        formal = reference.source != FREE_TEXT
        key = (normal(reference.text), formal)
        if not key[0] or (not formal and width != "free_text"):
            continue
        if key in seen and reference.amount is None:
            continue
        seen.add(key)
        how, found = _find(reference.text, items, variants=width != "given")
        if not found and not formal:
            how, found = _find_pieces(reference.text, items)
        if len(found) > MOST_NAMED:
            crowds, found = [*crowds, reference.text], []
        elif not found and formal:
            unknown.append(reference.text)
        names += [
            Name(
                item=item,
                reference=reference.text,
                how=how,
                structured=formal,
                proved=how in {GIVEN, CHECKED} and proves_itself(reference.text, schemes),
                part=reference.amount,
            )
            for item in found
        ]
    return Names(
        names=tuple(names),
        references=len({normal(r.text) for r in structured}),
        unknown=tuple(unknown),
        crowds=tuple(crowds),
        parts=any(r.amount is not None for r in structured),
    )


def _find(text: str, items: OpenItems, *, variants: bool) -> tuple[str, list[int]]:
    """Return the invoices that a reference names, found the surest way; of a crowd, one more than `MOST_NAMED`."""
    best, found = "", set[int]()
    for how, key in keys(text):
        if how != GIVEN and not variants:
            break
        if found and how != best:
            break
        more = items.named(key, given=how == GIVEN)
        if more:
            best = how
            found.update(islice(more, MOST_NAMED + 1))
    return best, sorted(found, key=items.place)


def _find_pieces(text: str, items: OpenItems) -> tuple[str, list[int]]:
    """Numbers in free text stand side by side with a stroke between, such as invoice and customer number."""
    how, found = "", list[int]()
    for piece in pieces(text):
        more = _find(piece, items, variants=True)
        how, found = more[0] or how, found + more[1]
    return how, found


def supports(payment: Payment, invoice: Invoice, items: OpenItems) -> bool:
    """Whether the payer is known to be the invoice's customer: by account, by name, or by the customer's number, unless
    that is what names the invoice."""
    if invoice.customer_id is not None:
        if invoice.customer_id in items.customers(payment.payer_account):
            return True
        number = normal(invoice.customer_id)
        if form(number) != form(invoice.reference) and any(normal(r.text) == number for r in payment.references):
            return True
    alike = same_name(payment.payer_name, invoice.customer_name)
    return alike and items.namesakes(payment.payer_name, invoice.customer_name) <= 1


def stranger(payment: Payment, invoice: Invoice, items: OpenItems) -> bool:
    """Whether the payment comes from an account that is known to be another customer's."""
    known = items.customers(payment.payer_account)
    return bool(known) and invoice.customer_id is not None and invoice.customer_id not in known
