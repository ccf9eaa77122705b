"""All payments of a file against all open invoices: the rules in their order, then what several contend for."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from import_project.matching.open_items import OpenItems
from import_project.matching.rules import RULES, Proposal, Rule
from import_project.records.payments import Allocation, Invoice, Match, Payment, UnmatchedReason

_NO_RULE = Rule(name="none", version=1, decide=lambda _payment, _items: None)


def _moved(payment: Payment, _items: OpenItems) -> Proposal | None:
    """Refuse what did not move money, or moved it back: no rule may settle an invoice with it."""
    if not payment.booked:
        return Proposal(reason=UnmatchedReason.NOT_BOOKED, evidence="the bank has not booked it")
    if payment.reversal:
        return Proposal(reason=UnmatchedReason.REVERSED, evidence="it takes an earlier payment back")
    return None


_MOVED = Rule(name="moved", version=1, decide=_moved)


def match(payments: Iterable[Payment], invoices: Sequence[Invoice], rules: Sequence[str]) -> list[Match]:
    """Decide about every payment, in row order. The result does not depend on the order of the arguments' items.

    Payments that together want more of an invoice than is open are all left to a person: which came first says nothing.
    """
    items = OpenItems(invoices)
    chosen = [RULES[name] for name in rules]
    first = [_decide(p, items, chosen) for p in sorted(payments, key=lambda p: (p.row_number, p.payment_id))]
    return _contend(first, {i.invoice_id: i.open_amount for i in invoices})


def _decide(payment: Payment, items: OpenItems, rules: Sequence[Rule]) -> Match:
    reason = UnmatchedReason.UNKNOWN_REFERENCE if payment.references else UnmatchedReason.NO_REFERENCE
    said, by = (
        Proposal(reason=reason, evidence="no rule applies" if payment.references else "no reference given"),
        _NO_RULE,
    )
    for rule in (_MOVED, *rules):
        proposal = rule.decide(payment, items)
        if proposal is not None:
            said, by = proposal, rule
            break
    return Match(
        payment=payment,
        rule=by.name,
        rule_version=by.version,
        allocations=said.allocations,
        reason=said.reason,
        evidence=said.evidence,
    )


def _contend(matches: Sequence[Match], open_amounts: dict[str, Decimal]) -> list[Match]:
    wanted: defaultdict[str, Decimal] = defaultdict(Decimal)
    for one in matches:
        for a in one.allocations:
            wanted[a.invoice_id] += a.amount
    over = {i for i, amount in wanted.items() if abs(amount) > abs(open_amounts[i])}
    settled = []
    for one in matches:
        fought = sorted(a.invoice_id for a in one.allocations if a.invoice_id in over)
        if fought:
            told = f"several payments of this file want more of {', '.join(fought)} than is open"
            settled.append(replace(one, allocations=(), reason=UnmatchedReason.AMBIGUOUS, evidence=told))
            continue
        rest = tuple(_with_rest(a, open_amounts[a.invoice_id] - wanted[a.invoice_id]) for a in one.allocations)
        settled.append(replace(one, allocations=rest))
    return settled


def _with_rest(allocation: Allocation, residual: Decimal) -> Allocation:
    """What stays open once all payments of the file are used."""
    return replace(allocation, residual=residual)
