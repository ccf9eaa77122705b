"""A decided payment as it is handed to Python of the user's own. Standard library only."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFacts:
    """The payment: its signed amount and currency, the day it was booked, and what the payer gave with it.

    `reference` is the first of `references`, None where there is none.
    """

    payment_id: str
    amount: Decimal
    currency: str
    payment_date: date
    account: str
    references: tuple[str, ...]
    reference: str | None
    payer_name: str | None = None
    payer_account: str | None = None
    remittance: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMatch:
    """What was decided about a payment. One that settles several invoices is handed over once for each.

    `amount` is what it gives to `invoice_id`, of which `residual` stays open and `written_off` is forgiven. A credit
    has an amount and no invoice; an unmatched payment has a `reason` and its `explanation`. `key` is the same for the
    same decision for ever: whoever keeps it can tell one that is handed over once more.
    """

    feed: str
    key: str
    payment: PaymentFacts
    invoice_id: str | None = None
    amount: Decimal | None = None
    residual: Decimal | None = None
    written_off: Decimal = Decimal(0)
    reason: str | None = None
    explanation: str | None = None
    rule: str | None = None
