"""A small difference: the invoices named, paid a little less or more than is open. It is written off, within bounds."""

from decimal import Decimal

from import_project.matching.rule import Answer, Case, Part, Rule, Settled
from import_project.matching.settling import listed, one_of, same_currency, together, whole

NAME, VERSION = "tolerance", 1


def rule(
    *, amount: Decimal = Decimal("1.00"), percent: Decimal | None = Decimal(5), budget: Decimal | None = None
) -> Rule:
    """Return the rule. A difference is at most `amount`, and at most `percent` of what is open where that is set; all
    differences of an invoice together are at most `budget`, else `amount`."""
    return Rule(
        name=NAME,
        version=VERSION,
        decide=lambda case: _decide(case, amount, percent, amount if budget is None else budget),
    )


def _decide(case: Case, most: Decimal, percent: Decimal | None, budget: Decimal) -> Answer:
    names, items, paid = case.names, case.items, case.payment.amount
    if names.parts or paid == 0:
        return None
    usable = [i for i in same_currency(case, names.items) if items.open(i) != 0]

    def bearable(item: int, difference: Decimal) -> bool:
        spent = items.forgiven(item)
        share = most if percent is None else min(most, abs(items.open(item)) * percent / 100)
        return difference != 0 and abs(difference) <= share and abs(difference) + spent <= budget

    if names.references <= 1:
        of = [i for i in (names.structured or usable) if i in usable]
        fitting = [i for i in of if (paid < 0) == (items.open(i) < 0) and bearable(i, items.open(i) - paid)]
        answer = one_of(
            case,
            fitting,
            "the difference is within the tolerance",
            lambda i: Part(item=i, amount=paid, settles=paid, written_off=items.open(i) - paid),
        )
        if answer is not None:
            return answer
    if len(usable) < 2 or len(usable) != len(names.items) or names.unknown:
        return None
    difference = sum((items.open(i) for i in usable), Decimal(0)) - paid
    bearer = max(usable, key=lambda i: (items.open(i), items.invoice(i).invoice_id))
    if not bearable(bearer, difference) or not together(case, usable):
        return None
    rest = items.open(bearer) - difference
    part = Part(item=bearer, amount=rest, settles=rest, written_off=difference)
    parts = tuple(part if i == bearer else whole(items, i) for i in usable)
    return Settled(parts=parts, evidence=f"{listed(items, usable)}: all that are named, the difference written off")
