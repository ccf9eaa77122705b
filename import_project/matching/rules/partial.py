"""A part of one invoice: it is named beyond doubt, and less is paid than is open. The rest stays open."""

from import_project.matching.naming import stranger
from import_project.matching.rule import Answer, Case, Part, Rule
from import_project.matching.settling import one_of, proved, same_currency, within

NAME, VERSION = "partial", 1


def rule(*, unproved: bool = False) -> Rule:
    """Return the rule. Without `unproved`, a check digit or the payer must show that the reference is no slip."""
    return Rule(name=NAME, version=VERSION, decide=lambda case: _decide(case, unproved=unproved))


def _decide(case: Case, *, unproved: bool) -> Answer:
    names, items, paid = case.names, case.items, case.payment.amount
    named = names.structured or names.items
    if len(named) != 1 or names.references > 1 or names.parts:
        return None
    (item,) = named
    if not same_currency(case, named) or not within(paid, items.open(item)) or paid == items.open(item):
        return None
    if stranger(case.payment, items.invoice(item), items) or not (unproved or proved(case, item)):
        return None
    return one_of(case, named, "a part of what is open", lambda i: Part(item=i, amount=paid, settles=paid))
