"""Money that came in, what it may settle, and what was decided. Amounts are Decimal with a currency beside them."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum


class UnmatchedReason(StrEnum):
    """Why a payment settles nothing: a closed list."""

    NO_REFERENCE = "no_reference"
    UNKNOWN_REFERENCE = "unknown_reference"
    AMOUNT_MISMATCH = "amount_mismatch"
    ALREADY_PAID = "already_paid"
    CURRENCY_MISMATCH = "currency_mismatch"
    DUPLICATE_PAYMENT = "duplicate_payment"
    AMBIGUOUS = "ambiguous"
    REVERSED = "reversed"
    NOT_BOOKED = "not_booked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A reference the payer gave, where it stood, and the part of the amount given for it, if any."""

    text: str
    source: str
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One movement. `amount` is signed: money out, such as a deduction, is negative. Only `booked` ones moved money;
    a `reversal` takes an earlier one back."""

    payment_id: str
    row_number: int
    account: str
    currency: str
    amount: Decimal
    booking_date: date
    references: tuple[Reference, ...]
    booked: bool = True
    reversal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """An open item: what is still to be paid under which reference. A credit note has a negative open amount."""

    invoice_id: str
    reference: str
    currency: str
    open_amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """A part of a payment that settles an invoice, and what stays open of it (`residual`)."""

    invoice_id: str
    amount: Decimal
    residual: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The decision about one payment: what it settles by which rule, or why nothing."""

    payment: Payment
    rule: str
    rule_version: int
    allocations: tuple[Allocation, ...] = ()
    reason: UnmatchedReason | None = None
    evidence: str = ""

    @property
    def matched(self) -> bool:
        """Whether the payment settles something."""
        return self.reason is None
