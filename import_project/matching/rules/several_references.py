"""Several invoices and credit notes are named, and together they are the payment; or each has its part given."""

from decimal import Decimal

from import_project.matching.naming import stranger
from import_project.matching.rule import Answer, Case, Part, Refused, Rule, Settled
from import_project.matching.settling import listed, minor, one_customer, proved, rival, same_currency, whole, within
from import_project.matching.subsets import subsets
from import_project.records.payments import UnmatchedReason

NAME, VERSION = "several_references", 2


def rule(*, most_invoices: int = 24) -> Rule:
    """Return the rule; more than `most_invoices` named in free text are left to a person."""
    return Rule(name=NAME, version=VERSION, decide=lambda case: _decide(case, most_invoices))


def _decide(case: Case, most: int) -> Answer:
    names = case.names
    if names.parts:
        return _by_parts(case)
    if len(names.items) < 2 or case.payment.amount == 0:
        return None
    return _together(case, most)


def _by_parts(case: Case) -> Answer:
    names, items = case.names, case.items
    if names.unknown or not names.structured:
        return None
    wanted: dict[int, Decimal] = {}
    for reference in dict.fromkeys(n.reference for n in names.names if n.structured):
        found = {n.item for n in names.names if n.structured and n.reference == reference}
        if len(found) > 1:
            return Refused(
                reason=UnmatchedReason.AMBIGUOUS,
                evidence=f"reference {reference} names {listed(items, sorted(found, key=items.place))}",
                rivals=tuple(rival(items, [i], f"has reference {reference}") for i in sorted(found, key=items.place)),
            )
    for name in names.names:
        if name.structured:
            wanted[name.item] = wanted.get(name.item, Decimal(0)) + (name.part or Decimal(0))
    fits = same_currency(case, wanted) == list(wanted) and sum(wanted.values()) == case.payment.amount
    if not fits or not all(within(part, items.open(i)) for i, part in wanted.items()):
        return None
    if not all(part == items.open(i) or proved(case, i) for i, part in wanted.items()):
        return None
    if refused := _foreign(case, list(wanted)):
        return refused
    parts = tuple(Part(item=i, amount=part, settles=part) for i, part in wanted.items())
    return Settled(parts=parts, evidence=f"{listed(items, wanted)}: each has its part given")


def _together(case: Case, most: int) -> Answer:
    names, items = case.names, case.items
    usable = [i for i in same_currency(case, names.items) if items.open(i) != 0]
    must = [i for i in names.structured if i in usable]
    if len(usable) < 2 or len(usable) - len(must) > most or set(names.structured) - set(usable):
        return None
    usable = sorted(usable, key=items.place)
    found = subsets(
        [minor(items.open(i)) for i in usable],
        minor(case.payment.amount),
        least=2,
        must=[usable.index(i) for i in must],
    )
    if found.only is not None:
        chosen = [usable[i] for i in found.only]
        if refused := _foreign(case, chosen):
            return refused
        if not must and not one_customer(items, chosen):
            return Refused(
                reason=UnmatchedReason.AMBIGUOUS,
                evidence=f"{listed(items, chosen)} give the amount, but are of different customers",
                rivals=(rival(items, chosen, "named in the text, of different customers"),),
            )
        evidence = f"{listed(items, chosen)}: named, and together what the payment is"
        return Settled(parts=tuple(whole(items, i) for i in chosen), evidence=evidence)
    if len(found.subsets) > 1 or not found.whole:
        rivals = tuple(rival(items, [usable[i] for i in one], "named, and gives the amount") for one in found.subsets)
        told = "several sets of the invoices named give the amount" if found.whole else "too many invoices are named"
        return Refused(reason=UnmatchedReason.AMBIGUOUS, evidence=told, rivals=rivals)
    return None


def _foreign(case: Case, chosen: list[int]) -> Refused | None:
    items = case.items
    foreign = [i for i in chosen if stranger(case.payment, items.invoice(i), items)]
    if not foreign:
        return None
    told = f"{listed(items, foreign)} is of another customer than the account"
    rivals = (rival(items, chosen, "named, and gives the amount"),)
    return Refused(reason=UnmatchedReason.AMBIGUOUS, evidence=told, rivals=rivals)
