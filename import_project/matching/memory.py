"""What earlier runs leave that a decision needs, asked for when it is needed. The ledger answers; here is the question,
and an answer that knows nothing."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from import_project.records.payments import Allocation, Invoice, Payment


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A payment's use of an invoice, in the invoice's currency, by whichever run."""

    payment_id: str
    amount: Decimal
    payer_account: str | None = None
    written_off: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A payment that was decided before, by this run or another: what it settles, and what of it is a credit."""

    payment: Payment
    allocations: tuple[Allocation, ...] = ()
    unapplied: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """An invoice that earlier payments were used for, listed or not: nothing more is known to be open of it."""

    invoice: Invoice
    uses: tuple[Use, ...]


class Memory(Protocol):
    """What is known of earlier runs of the feed."""

    def uses(self, invoice_ids: Collection[str]) -> Mapping[str, Sequence[Use]]:
        """Return what payments used of these invoices."""

    def gone(self, forms: Collection[str]) -> Sequence[Gone]:
        """Return invoices that payments were used for, whose reference has one of these forms (`references.form`)."""

    def earlier(self, reversals: Sequence[Payment]) -> Sequence[Earlier]:
        """Return payments that these may take back: of the opposite amount, and not taken back yet."""

    def waiting(self, payer_accounts: Collection[str]) -> Sequence[Payment]:
        """Return payments from these normal accounts that name nothing and settle nothing, about which no person has
        decided."""


class Nothing:
    """The memory of a first run."""

    def uses(self, invoice_ids: Collection[str]) -> Mapping[str, Sequence[Use]]:
        """Nothing was used."""
        return {}

    def gone(self, forms: Collection[str]) -> Sequence[Gone]:
        """Nothing was paid."""
        return ()

    def earlier(self, reversals: Sequence[Payment]) -> Sequence[Earlier]:
        """Nothing was decided."""
        return ()

    def waiting(self, payer_accounts: Collection[str]) -> Sequence[Payment]:
        """Nothing waits."""
        return ()
