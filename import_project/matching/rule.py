"""What a rule is, what it is shown, and what it may answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from import_project.matching.naming import Names
from import_project.matching.open_items import OpenItems
from import_project.records.payments import Allocation, Match, Payment, Rival, UnmatchedReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One payment as a rule sees it: the invoices it names, and all items as they stand. `waiting` are earlier payments
    of the same payer that name nothing and settle nothing yet, in order."""

    payment: Payment
    names: Names
    items: OpenItems
    waiting: Sequence[Payment] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one payment gives to one invoice (`item`): see `Allocation`. The residual is what is open after it."""

    item: int
    amount: Decimal
    settles: Decimal
    written_off: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """An answer: these parts, what is left over as a credit, and why. `others` are parts of waiting payments."""

    parts: tuple[Part, ...]
    evidence: str
    unapplied: Decimal = Decimal(0)
    others: tuple[tuple[Payment, tuple[Part, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An answer that ends the search: nothing is settled, for a reason, with the answers that were not given."""

    reason: UnmatchedReason
    evidence: str
    rivals: tuple[Rival, ...] = ()


Answer = Settled | Refused | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A named, versioned rule with the feed's options in it. A change of what it decides is a new version.

    One that `reads_names` is asked at each width of what the payment names, the surest first; another once. `proposes`
    answers with rivals for a person, and settles nothing.
    """

    name: str
    version: int
    decide: Callable[[Case], Answer]
    reads_names: bool = True
    waits: bool = False


def allocation(items: OpenItems, part: Part) -> Allocation:
    """Return a part as an allocation, before it is used."""
    return Allocation(
        invoice_id=items.invoice(part.item).invoice_id,
        amount=part.amount,
        settles=part.settles,
        written_off=part.written_off,
        residual=items.open(part.item) - part.settles - part.written_off,
    )


def refused(
    payment: Payment, by: tuple[str, int], reason: UnmatchedReason, evidence: str, rivals: tuple[Rival, ...] = ()
) -> Match:
    """Return the decision that a payment settles nothing; `by` is the rule and its version."""
    name, version = by
    return Match(payment=payment, rule=name, rule_version=version, reason=reason, evidence=evidence, rivals=rivals)
