"""Money that came in, what it may settle, and what was decided. Amounts are Decimal with a currency beside them."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

#: The source of a reference candidate that was only found in free text.
FREE_TEXT = "free_text"


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
    a `reversal` takes an earlier one back. `original_amount` was instructed in `original_currency`, at a rate the bank
    states. Dates are the bank's days."""

    payment_id: str
    row_number: int
    account: str
    currency: str
    amount: Decimal
    booking_date: date
    references: tuple[Reference, ...]
    booked: bool = True
    reversal: bool = False
    payer_name: str | None = None
    payer_account: str | None = None
    bank_reference: str | None = None
    end_to_end_id: str | None = None
    original_currency: str | None = None
    original_amount: Decimal | None = None
    exchange_rate: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """An open item: what is still to be paid under which reference. A credit note has a negative open amount.

    `payer_accounts` are accounts its customer is known to pay from. Paid by the day `discount_until`, `discount` less
    is owed. A `closed` one is settled or cancelled: nothing is open, whatever the amount says. `version` is the
    receiving system's own, and goes with what is posted.
    """

    invoice_id: str
    reference: str
    currency: str
    open_amount: Decimal
    customer_id: str | None = None
    customer_name: str | None = None
    payer_accounts: tuple[str, ...] = ()
    due_on: date | None = None
    discount: Decimal | None = None
    discount_until: date | None = None
    closed: bool = False
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """A part of a payment that settles an invoice.

    `amount` is money of the payment, in its currency; `settles` is what that is in the invoice's currency;
    `written_off` is forgiven besides (a discount, a difference within the tolerance; negative when too much was paid);
    `residual` stays open. settles + written_off + residual is what was open.
    """

    invoice_id: str
    amount: Decimal
    residual: Decimal
    settles: Decimal
    written_off: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """An answer that was not given: the invoices it would settle, and why it was not."""

    invoice_ids: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The decision about one payment: what it settles by which rule, or why nothing.

    The amounts of its allocations and what is `unapplied`, a credit of the payer's, make up the payment. `reverses` is
    the payment that it takes back. One that `waits` names nothing, and may still be decided with others of its payer.
    """

    payment: Payment
    rule: str
    rule_version: int
    allocations: tuple[Allocation, ...] = ()
    unapplied: Decimal = Decimal(0)
    reason: UnmatchedReason | None = None
    evidence: str = ""
    rivals: tuple[Rival, ...] = ()
    reverses: str | None = None
    waits: bool = False

    @property
    def matched(self) -> bool:
        """Whether the payment settles something."""
        return self.reason is None
