"""Amounts, balances and transactions of BAI2 records. No sums."""

from dataclasses import dataclass
from datetime import date

from import_project.formats.bai2.records import Record, funds_end, text_place
from import_project.formats.payment_rows import minor_units

#: Currencies whose minor unit is not a hundredth (ISO 4217).
_WITHOUT_MINOR = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"}
)
_THOUSANDTHS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
#: Codes from 100 to 399 are credits, from 400 to 699 debits; 890 tells something without money.
_CREDITS, _DEBITS, _TOLD_ONLY = range(100, 400), range(400, 700), 890


def whole(text: str) -> int | None:
    """Return a signed whole number; None where it is none. Nothing counts as zero."""
    text = text.strip()
    if not text:
        return 0
    digits = text[1:] if text[:1] in "+-" else text
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 18):
        return None
    return -int(digits) if text[0] == "-" else int(digits)


def hundredths(amount: int, currency: str) -> int | None:
    """Return an amount in the currency's minor unit as hundredths; None where it is finer."""
    if currency in _WITHOUT_MINOR:
        return amount * 100
    if currency in _THOUSANDTHS:
        return amount // 10 if amount % 10 == 0 else None
    return amount


def day(text: str) -> date | None:
    """Return YYMMDD as a day; None where there is no such day."""
    text = text.strip()
    if len(text) != 6 or not text.isdecimal() or not text.isascii():
        return None
    try:
        return date(2000 + int(text[:2]), int(text[2:4]), int(text[4:]))
    except ValueError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """An amount of an account record, by its type code: a balance, or a sum."""

    code: str
    amount: int | None


def stated(record: Record) -> tuple[str, str | None, list[Stated]] | None:
    """Read an account record 03 as account, currency and amounts; None where its fields do not fit."""
    fields = record.text.split(",")
    account, currency = fields[0].strip(), fields[1].strip() if len(fields) > 1 else ""
    amounts: list[Stated] = []
    place = 2
    while place < len(fields):
        code = fields[place].strip()
        if not code:
            if any(f.strip() for f in fields[place:]):
                return None
            break
        if len(fields) <= place + 1:
            return None
        amounts.append(Stated(code=code, amount=whole(fields[place + 1])))
        after = funds_end(fields, place + 3)
        place = len(fields) if after is None else after
    return account, currency or None, amounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A record 16. `amount` is as it stands, in the currency's minor unit, None where it is none; `sign` is 1, -1, or
    None where the code says no direction."""

    code: str
    amount: int | None
    sign: int | None
    value_date: date | None
    bank_reference: str | None
    customer_reference: str | None
    text: str | None

    @property
    def money(self) -> bool:
        """Whether it moves money at all."""
        return self.code != str(_TOLD_ONLY)


def transaction(record: Record) -> Transaction:
    """Read a transaction record; fields that are missing are None."""
    fields = record.text.split(",")
    code = fields[0].strip()
    number = int(code) if code.isascii() and code.isdecimal() and len(code) == 3 else 0
    after, place = funds_end(fields, 2), text_place(fields)
    references = fields[after : after + 2] if after is not None else []
    bank, customer = ([r.strip() or None for r in references] + [None, None])[:2]
    dated = len(fields) > 3 and fields[2].strip().upper() == "V"
    return Transaction(
        code=code,
        amount=amount(fields[1]) if len(fields) > 1 else None,
        sign=1 if number in _CREDITS else -1 if number in _DEBITS else None,
        value_date=day(fields[3]) if dated else None,
        bank_reference=bank,
        customer_reference=customer,
        text=" ".join(",".join(fields[place:]).split()) or None if place is not None else None,
    )


def amount(text: str) -> int | None:
    """Return an amount as it stands; some banks write a decimal point."""
    return minor_units(text.strip()) if "." in text else whole(text)
