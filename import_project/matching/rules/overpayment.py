"""More than is open: the invoices named are settled, and what is left over is the payer's credit, told as such."""

from decimal import Decimal

from import_project.matching.naming import stranger
from import_project.matching.rule import Answer, Case, Rule, Settled
from import_project.matching.settling import listed, proved, same_currency, whole

NAME, VERSION = "overpayment", 1


def rule(*, unproved: bool = False) -> Rule:
    """Return the rule. Without `unproved`, a check digit or the payer must show that each reference is no slip."""
    return Rule(name=NAME, version=VERSION, decide=lambda case: _decide(case, unproved=unproved))


def _decide(case: Case, *, unproved: bool) -> Answer:
    names, items = case.names, case.items
    named = names.structured or names.items
    if not named or names.unknown or names.parts or (names.references > 1 and len(named) != names.references):
        return None
    if same_currency(case, named) != list(named) or not all(items.open(i) > 0 for i in named):
        return None
    if len(named) > 1 and names.references <= 1:
        return None
    rest = case.payment.amount - sum((items.open(i) for i in named), Decimal(0))
    if rest <= 0 or any(stranger(case.payment, items.invoice(i), items) for i in named):
        return None
    if not unproved and not all(proved(case, i) for i in named):
        return None
    parts = tuple(whole(items, i) for i in named)
    return Settled(parts=parts, unapplied=rest, evidence=f"{listed(items, named)}: settled; {rest} is left over")
