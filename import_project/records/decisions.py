"""What the ledger keeps of a payment that was decided about. How it was decided is matching's business."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from import_project.records.payments import Payment, UnmatchedReason

#: Who decided, where no person did.
RULES = "rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedPayment:
    """A payment and the decision about it that stands; times are aware UTC.

    `evidence` is JSON: what speaks for the decision, and the answers that were not given. `reason` is None when the
    payment is matched. One that `waits` names nothing; `reverses` names the payment it takes back. `changes` counts the
    decisions that stood before this one.
    """

    payment: Payment
    rule: str
    rule_version: int
    evidence: str
    reason: UnmatchedReason | None = None
    remittance: str | None = None
    waits: bool = False
    reverses: str | None = None
    taken_back_by: str | None = None
    decided_by: str = RULES
    note: str = ""
    decided_at: datetime | None = None
    changes: int = 0
    feed: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A decision that stood before, and the note of who made it."""

    number: int
    rule: str
    rule_version: int
    reason: UnmatchedReason | None
    evidence: str
    decided_by: str
    note: str
    decided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """One posting of a payment as people see it: what it takes of an invoice, in the invoice's currency, and whether
    the API has it. `reference` is the invoice's; `body` is what was or will be sent."""

    payment_id: str
    part: int
    kind: str
    state: str
    invoice_id: str | None
    amount: Decimal | None
    written_off: Decimal | None
    body: str
    reference: str | None = None
    receipt: str | None = None
