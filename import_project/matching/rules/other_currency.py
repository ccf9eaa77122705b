"""An invoice in another currency: the amount instructed is what is open, and the bank states the rate."""

from decimal import ROUND_HALF_UP, Decimal

from import_project.matching.rule import Answer, Case, Part, Rule
from import_project.matching.settling import one_of

NAME, VERSION = "other_currency", 1
_CENT = Decimal("0.01")


def rule() -> Rule:
    """Return the rule."""
    return Rule(name=NAME, version=VERSION, decide=_decide)


def _decide(case: Case) -> Answer:
    names, items, payment = case.names, case.items, case.payment
    original = payment.original_amount
    if names.references > 1 or original is None or payment.original_currency == payment.currency:
        return None
    fitting = [
        i
        for i in names.items
        if items.invoice(i).currency == payment.original_currency
        and not items.contradictory(i)
        and items.open(i) == original != 0
    ]
    if not fitting or not _stated(payment.amount, original, payment.exchange_rate):
        return None
    told = f"{original} {payment.original_currency} instructed, at the stated rate {payment.exchange_rate}"
    return one_of(case, fitting, told, lambda i: Part(item=i, amount=payment.amount, settles=original))


def _stated(amount: Decimal, original: Decimal, rate: Decimal | None) -> bool:
    """Whether the rate explains the amount to the cent, whichever way round the bank states it."""
    if rate is None or rate <= 0:
        return False
    there = (original * rate).quantize(_CENT, ROUND_HALF_UP)
    back = (original / rate).quantize(_CENT, ROUND_HALF_UP)
    return amount in {there, back}
