"""No usable reference: the payer is known by account, and one of its invoices alone is the amount, near its due date.

A reference that names nothing forbids it, unless it is the invoice's own with one slip.
"""

from import_project.matching.references import loose, normal
from import_project.matching.rule import Answer, Case, Rule
from import_project.matching.settling import one_of, whole

NAME, VERSION = "payer_and_amount", 1


def rule(*, days: int = 60) -> Rule:
    """Return the rule; the booking is at most `days` before or after the due date."""
    return Rule(name=NAME, version=VERSION, decide=lambda case: _decide(case, days), reads_names=False)


def _decide(case: Case, days: int) -> Answer:
    payment, items = case.payment, case.items
    if case.names.says_something or payment.amount == 0:
        return None
    customers = items.customers(payment.payer_account)
    fitting = items.fitting(customers, payment.currency, payment.amount) if len(customers) == 1 else []
    if case.names.unknown:
        fitting = [i for i in fitting if _slipped(case.names.unknown, items.invoice(i).reference)]
    if len(fitting) == 1 and (items.contradictory(fitting[0]) or not _near(case, fitting[0], days)):
        return None
    told = f"the payer's account is known, and the payment is what is open, within {days} days of the due date"
    return one_of(case, fitting, told, lambda item: whole(items, item))


def _near(case: Case, item: int, days: int) -> bool:
    due = case.items.invoice(item).due_on
    return due is not None and abs((case.payment.booking_date - due).days) <= days


def _slipped(unknown: tuple[str, ...], reference: str) -> bool:
    return len(unknown) == 1 and one_slip(loose(normal(unknown[0])), loose(normal(reference)))


def one_slip(one: str, other: str) -> bool:
    """Whether two texts differ by one character changed, left out or put in, or by two neighbours swapped."""
    if one == other or not one or not other or abs(len(one) - len(other)) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    if len(one) != len(other):
        short, long = sorted((one, other), key=len)
        return short[start:] == long[start + 1 :]
    swapped = one[start : start + 2] == other[start : start + 2][::-1] and one[start + 2 :] == other[start + 2 :]
    return one[start + 1 :] == other[start + 1 :] or swapped
