"""A proposal only: invoices of the amount whose customer's name is like the payer's. A person decides."""

from rapidfuzz.fuzz import token_sort_ratio

from import_project.matching.people import folded
from import_project.matching.rule import Answer, Case, Refused, Rule
from import_project.matching.settling import rival, same_currency
from import_project.records.payments import UnmatchedReason

NAME, VERSION = "similar_name", 1
_MOST = 5


def rule(*, least: int = 85) -> Rule:
    """Return the rule; `least` is the similarity of 100 from which an invoice is proposed."""
    return Rule(name=NAME, version=VERSION, decide=lambda case: _decide(case, least), reads_names=False)


def _decide(case: Case, least: int) -> Answer:
    payment, items = case.payment, case.items
    if not payment.payer_name or case.names.says_something:
        return None
    alike = []
    for item in same_currency(case, items.of_amount(payment.currency, payment.amount)):
        ratio = token_sort_ratio(folded(payment.payer_name), folded(items.invoice(item).customer_name))
        if items.open(item) == payment.amount and ratio >= least:
            alike.append((-ratio, items.place(item), item))
    if not alike:
        return None
    rivals = tuple(
        rival(items, [i], f"the names are alike to {-ratio:.0f} of 100") for ratio, _, i in sorted(alike)[:_MOST]
    )
    reason = UnmatchedReason.UNKNOWN_REFERENCE if payment.references else UnmatchedReason.NO_REFERENCE
    return Refused(reason=reason, evidence="a name alone proves nothing: see the proposals", rivals=rivals)
