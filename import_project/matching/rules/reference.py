"""One invoice is named, and the payment is what is open of it."""

from import_project.matching.rule import Answer, Case, Refused, Rule
from import_project.matching.settling import minor, one_of, rival, same_currency, whole
from import_project.matching.subsets import subsets
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
    if fitting and not names.structured and (refused := _or_together(case)):
        return refused
    return one_of(case, fitting, "the payment is what is open", lambda item: whole(items, item))


def _or_together(case: Case) -> Refused | None:
    """Text may name one invoice of the amount, and others that give it together: that is a tie."""
    items = case.items
    usable = sorted((i for i in same_currency(case, case.names.items) if items.open(i) != 0), key=items.place)
    if len(usable) < 3:
        return None
    found = subsets([minor(items.open(i)) for i in usable], minor(case.payment.amount), least=2)
    if found.whole and not found.subsets:
        return None
    rivals = tuple(rival(items, [usable[i] for i in one], "named, and gives the amount") for one in found.subsets)
    told = "one of the invoices named is the amount, and so are others together"
    return Refused(reason=UnmatchedReason.AMBIGUOUS, evidence=told, rivals=rivals)
