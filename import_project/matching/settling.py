"""What rules share: a candidate paid in full, the choice among several candidates, and how answers are worded."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from import_project.matching.invoice_index import MOST_NAMED
from import_project.matching.naming import stranger, supports
from import_project.matching.open_items import OpenItems
from import_project.matching.rule import Case, Part, Refused, Settled
from import_project.records.payments import Invoice, Rival, UnmatchedReason


def listed(items: OpenItems, chosen: Iterable[int]) -> str:
    """Return invoices by their ids, for a sentence."""
    names = [items.invoice(i).invoice_id for i in chosen]
    return ("invoice " if len(names) == 1 else "invoices ") + ", ".join(names)


def same_currency(case: Case, chosen: Iterable[int]) -> list[int]:
    """Return the invoices in the payment's currency, whose list does not contradict itself."""
    items = case.items
    return [i for i in chosen if items.invoice(i).currency == case.payment.currency and not items.contradictory(i)]


def whole(items: OpenItems, item: int, *, less: Decimal = Decimal(0)) -> Part:
    """Return the part that settles an invoice; `less` is forgiven."""
    amount = items.open(item) - less
    return Part(item=item, amount=amount, settles=amount, written_off=less)


def rival(items: OpenItems, chosen: Iterable[int], why: str) -> Rival:
    """Return an answer that was not given."""
    return Rival(invoice_ids=tuple(items.invoice(i).invoice_id for i in chosen), why=why)


def one_of(case: Case, fitting: Sequence[int], evidence: str, part: Callable[[int], Part]) -> Settled | Refused | None:
    """Answer with the one invoice that fits. Of several, the payer's own may be told; else it is a tie, and no guess.

    One that is another customer's than the one whose account the money comes from is never taken by itself.
    """
    items = case.items
    if not fitting:
        return None
    foreign = [i for i in fitting if stranger(case.payment, items.invoice(i), items)]
    own = [i for i in fitting if i not in foreign]
    if not own:
        return Refused(
            reason=UnmatchedReason.AMBIGUOUS,
            evidence=f"{listed(items, foreign)} fits, but the account is known to be another customer's",
            rivals=tuple(rival(items, [i], evidence) for i in foreign),
        )
    if len(fitting) > MOST_NAMED:
        return Refused(reason=UnmatchedReason.AMBIGUOUS, evidence=f"more than {MOST_NAMED} invoices fit equally well")
    if len(own) > 1:
        own = [i for i in own if supports(case.payment, items.invoice(i), items)] or own
    if len(own) > 1:
        return Refused(
            reason=UnmatchedReason.AMBIGUOUS,
            evidence=f"{listed(items, own)} fit equally well",
            rivals=tuple(rival(items, [i], evidence) for i in own),
        )
    beside = f"; {named}" if (named := _named(case, own[0])) else ""
    return Settled(parts=(part(own[0]),), evidence=f"{listed(items, own)}: {evidence}{beside}")


def _named(case: Case, item: int) -> str:
    if item not in case.names.items:
        return ""
    name = case.names.of(item)
    how = {"given": "as it is listed", "written": "written another way", "checked": "told by its check digit"}
    how["unchecked"] = "without its check digit"
    where = "" if name.structured else ", in free text"
    return f"named by reference {name.reference}, {how[name.how]}{where}"


def customer(invoice: Invoice) -> str:
    """Return whose an invoice is, as far as the list says."""
    return invoice.customer_id or ""


def together(case: Case, chosen: Sequence[int]) -> bool:
    """Whether invoices may be paid together: all named by structured references, or of one customer, and none of
    another customer's than the account is known to be."""
    items = case.items
    if any(stranger(case.payment, items.invoice(i), items) for i in chosen):
        return False
    return set(chosen) <= set(case.names.structured) or one_customer(items, chosen)


def one_customer(items: OpenItems, chosen: Iterable[int]) -> bool:
    """Whether invoices are all of one customer, or may be."""
    return len({customer(items.invoice(i)) for i in chosen} - {""}) <= 1


def proved(case: Case, item: int) -> bool:
    """Whether a slip of the pen is ruled out: a check digit is right, or the payer is the invoice's customer."""
    name = case.names.of(item)
    return name.proved or supports(case.payment, case.items.invoice(item), case.items)


def within(amount: Decimal, bound: Decimal) -> bool:
    """Whether an amount is a part of a bound with the same sign, and neither is zero."""
    return amount != 0 and bound != 0 and (amount < 0) == (bound < 0) and abs(amount) <= abs(bound)


def minor(amount: Decimal) -> int:
    """Return money in hundredths."""
    return int(amount.scaleb(2))
