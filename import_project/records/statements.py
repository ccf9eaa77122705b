"""Parts of a bank file that carry their own control total: a BgMax section, an account statement."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

UNKNOWN_CURRENCY = "???"


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """The entries of a statement in one currency, booked or not: how many, and their unsigned sums by direction."""

    currency: str
    entries: int
    credit: Decimal
    debit: Decimal

    def __add__(self, other: "Total") -> "Total":
        """Return both together; they are of one currency."""
        return Total(
            currency=self.currency,
            entries=self.entries + other.entries,
            credit=self.credit + other.credit,
            debit=self.debit + other.debit,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement or section. Amounts are in `currency`, signed; None where the file does not say.

    `net` sums what is booked. `difference` is declared minus found (zero: the money adds up; None: it cannot be
    tested). `sequence` is the number the bank gives the statement among those of the account, `form` the message it
    came in (`camt.053`, `mt940`).
    """

    number: int
    account: str | None
    currency: str
    identification: str | None
    booking_date: date | None
    payments: int
    net: Decimal
    opening: Decimal | None = None
    closing: Decimal | None = None
    declared: Decimal | None = None
    difference: Decimal | None = None
    receiver: str | None = None
    totals: tuple[Total, ...] = ()
    sequence: str | None = None
    form: str = ""

    @property
    def balance(self) -> str:
        """`ok`, the exact difference, or `untestable`."""
        if self.difference is None:
            return "untestable"
        return "ok" if self.difference == 0 else f"{self.difference:.2f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """A statement of an earlier file, by the file's name at its sender."""

    file: str
    statement: Statement
