"""No usable reference: the payer is known by account, and one set of its invoices and credit notes is the amount.

There must be no other set, and so few invoices that a set is hardly the amount by chance.
"""

from import_project.matching.rule import Answer, Case, Refused, Rule, Settled
from import_project.matching.settling import listed, minor, rival, same_currency, whole
from import_project.matching.subsets import subsets
from import_project.records.payments import UnmatchedReason

NAME, VERSION = "payer_and_sum", 1


def rule(*, most_invoices: int = 12) -> Rule:
    """Return the rule; a payer with more than `most_invoices` open is left to a person."""
    return Rule(name=NAME, version=VERSION, decide=lambda case: _decide(case, most_invoices), reads_names=False)


def _decide(case: Case, most: int) -> Answer:
    payment, items = case.payment, case.items
    if case.names.says_something or case.names.unknown or payment.amount <= 0:
        return None
    customers = items.customers(payment.payer_account)
    usable = [i for i in same_currency(case, items.of_customers(customers)) if items.open(i) != 0]
    if any(items.contradictory(i) for i in items.of_customers(customers)):
        return None
    if len(customers) != 1 or not 2 <= len(usable) <= most:
        return None
    found = subsets([minor(items.open(i)) for i in usable], minor(payment.amount))
    sets = [[usable[i] for i in one] for one in found.subsets]
    if found.only is not None and len(found.only) > 1:
        told = f"{listed(items, sets[0])}: the payer's only invoices that are together what the payment is"
        return Settled(parts=tuple(whole(items, i) for i in sets[0]), evidence=told)
    if len(sets) > 1:
        rivals = tuple(rival(items, one, "gives the amount") for one in sets)
        told = "several sets of the payer's invoices give the amount"
        return Refused(reason=UnmatchedReason.AMBIGUOUS, evidence=told, rivals=rivals)
    return None
