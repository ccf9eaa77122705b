"""Several payments of one payer, none of which names anything, are together one set of its invoices.

The earlier ones wait until the last one makes the sum; then all are decided with it. There must be one answer only.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal

from import_project.matching.open_items import OpenItems
from import_project.matching.rule import Answer, Case, Part, Refused, Rule, Settled
from import_project.matching.settling import listed, minor, rival, same_currency
from import_project.matching.subsets import MOST_STEPS, subsets
from import_project.records.payments import Payment, UnmatchedReason

NAME, VERSION = "several_payments", 1
_MOST_PAYMENTS = 6


def rule(*, days: int = 14, most_invoices: int = 8) -> Rule:
    """Return the rule: payments at most `days` apart, a payer with at most `most_invoices` open."""
    span = timedelta(days=days)
    return Rule(
        name=NAME,
        version=VERSION,
        decide=lambda case: _decide(case, span, most_invoices),
        reads_names=False,
        waits=True,
    )


def _decide(case: Case, span: timedelta, most: int) -> Answer:
    payment, items = case.payment, case.items
    if case.names.says_something or case.names.unknown or payment.amount <= 0:
        return None
    customers = items.customers(payment.payer_account)
    usable = [i for i in same_currency(case, items.of_customers(customers)) if items.open(i) > 0]
    earlier = [
        p
        for p in case.waiting
        if p.currency == payment.currency and p.amount > 0 and abs(payment.booking_date - p.booking_date) <= span
    ]
    if len(customers) != 1 or not earlier or not usable or len(usable) > most or len(earlier) > _MOST_PAYMENTS:
        return None
    if any(items.contradictory(i) for i in items.of_customers(customers)):
        return None
    answers = list(_answers(payment, earlier, usable, items))
    if len(answers) == 1:
        paying, chosen = answers[0]
        if alone := [p for p in (*paying, payment) if _fits_alone(p, usable, items)]:
            told = f"payment {alone[0].payment_id[:12]} is a set of the payer's invoices by itself too"
            beside = (rival(items, chosen, f"with {len(paying)} payments more"),)
            return Refused(reason=UnmatchedReason.AMBIGUOUS, evidence=told, rivals=beside)
        parts = _shared([*paying, payment], chosen, items)
        told = f"{listed(items, chosen)}: {len(paying) + 1} payments of the payer are together what is open"
        return Settled(parts=parts[-1], evidence=told, others=tuple(zip(paying, parts[:-1], strict=True)))
    if answers:
        rivals = tuple(rival(items, chosen, f"with {len(paying)} payments more") for paying, chosen in answers)
        told = "several sets of the payer's payments and invoices give the same sum"
        return Refused(reason=UnmatchedReason.AMBIGUOUS, evidence=told, rivals=rivals)
    return None


def _fits_alone(payment: Payment, usable: Sequence[int], items: OpenItems) -> bool:
    return bool(subsets([minor(items.open(i)) for i in usable], minor(payment.amount)).subsets)


def _answers(
    payment: Payment, earlier: Sequence[Payment], usable: Sequence[int], items: OpenItems
) -> Iterator[tuple[list[Payment], list[int]]]:
    """Yield up to two answers; three where the search was cut short, so that it is no proof."""
    yielded = 0
    steps = MOST_STEPS >> len(earlier)
    opens = [minor(items.open(i)) for i in usable]
    for chosen in range(1, 1 << len(earlier)):
        paying = [p for place, p in enumerate(earlier) if chosen >> place & 1]
        total = minor(sum((p.amount for p in paying), payment.amount))
        found = subsets(opens, total, steps=steps)
        if not found.whole:
            yield from ((paying, []), (paying, []))
            return
        for one in found.subsets:
            yield paying, [usable[i] for i in one]
            yielded += 1
            if yielded == 2:
                return


def _shared(payments: Sequence[Payment], chosen: Sequence[int], items: OpenItems) -> list[tuple[Part, ...]]:
    """Fill the invoices one after the other, with one payment after the other."""
    left = [(i, items.open(i)) for i in chosen]
    given: list[tuple[Part, ...]] = []
    for payment in payments:
        rest, parts = payment.amount, list[Part]()
        while rest > 0:
            item, open_still = left[0]
            part: Decimal = min(rest, open_still)
            parts.append(Part(item=item, amount=part, settles=part))
            rest -= part
            left[0] = (item, open_still - part)
            if not left[0][1]:
                left.pop(0)
        given.append(tuple(parts))
    return given
