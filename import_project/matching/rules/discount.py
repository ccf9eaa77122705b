"""An early payment: the invoices named, less the discount that their terms allow on that day."""

from datetime import timedelta
from decimal import Decimal

from import_project.matching.rule import Answer, Case, Rule, Settled
from import_project.matching.settling import listed, one_of, same_currency, together, whole

NAME, VERSION = "discount", 1


def rule(*, grace_days: int = 0) -> Rule:
    """Return the rule; `grace_days` are let pass behind the last day of the terms."""
    return Rule(name=NAME, version=VERSION, decide=lambda case: _decide(case, timedelta(days=grace_days)))


def _decide(case: Case, grace: timedelta) -> Answer:
    names, items = case.names, case.items
    if names.parts or case.payment.amount <= 0:
        return None
    usable = [i for i in same_currency(case, names.items) if items.open(i) != 0]
    less = {i: _allowed(case, i, grace) for i in usable}
    if names.references <= 1 and (not names.structured or len(names.structured) == 1):
        of = [i for i in (names.structured or usable) if i in usable]
        fitting = [i for i in of if less[i] and items.open(i) - less[i] == case.payment.amount]
        answer = one_of(
            case, fitting, "the payment is what is open, less the discount", lambda i: whole(items, i, less=less[i])
        )
        if answer is not None:
            return answer
    if len(usable) < 2 or len(usable) != len(names.items) or names.unknown or not any(less.values()):
        return None
    total = sum((items.open(i) - less[i] for i in usable), Decimal(0))
    if total != case.payment.amount or not together(case, usable):
        return None
    evidence = f"{listed(items, usable)}: all that are named, less their discounts"
    return Settled(parts=tuple(whole(items, i, less=less[i]) for i in usable), evidence=evidence)


def _allowed(case: Case, item: int, grace: timedelta) -> Decimal:
    """Return the discount that an invoice allows on the payment's day: of one not touched yet, none twice."""
    invoice = case.items.invoice(item)
    if invoice.discount is None or invoice.discount_until is None or invoice.discount <= 0:
        return Decimal(0)
    in_time = case.payment.booking_date - invoice.discount_until <= grace
    untouched = case.items.open(item) == invoice.open_amount and not case.items.uses(item)
    return invoice.discount if in_time and untouched and invoice.discount < invoice.open_amount else Decimal(0)
