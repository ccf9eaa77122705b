"""One invoice is named, and the payment is what is open of it."""

from import_project.matching.rule import Answer, Case, Refused, Rule
from import_project.matching.settling import one_of, rival, same_currency, whole
from import_project.records.payments import UnmatchedReason

NAME, VERSION = "reference", 2


def rule() -> Rule:
    """Return the rule."""
    return Rule(name=NAME, version=VERSION, decide=_decide)


def _decide(case: Case) -> Answer:
    names, items = case.names, case.items
    if names.references > 1 or case.payment.amount == 0:
        return None
    fitting = [i for i in same_currency(case, names.items) if items.open(i) == case.payment.amount]
    if names.structured and fitting and not set(fitting) & set(names.structured):
        return Refused(
            reason=UnmatchedReason.AMBIGUOUS,
            evidence="the reference names one invoice, and the amount fits another one named in the text",
            rivals=tuple(rival(items, [i], "named") for i in (*names.structured, *fitting)),
        )
    return one_of(case, fitting, "the payment is what is open", lambda item: whole(items, item))
