"""The statement line `:61:`, and amounts and balances. No sums."""

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from import_project.formats.payment_rows import minor_units

_LINE = re.compile(
    r"(?P<value>\d{6})(?P<entry>\d{4}| {4})?\s*(?P<mark>R[CD]|E[CD]|[CD])(?P<funds>[A-Z])?\s*(?P<amount>\d*[,.]?\d*)"
    r"(?P<rest>.*)",
    re.DOTALL,
)
_TYPE = re.compile(r"[A-Z][A-Z0-9 ]{3}")
_BALANCE = re.compile(r"(?P<mark>[CD])(?P<day>\d{6})(?P<currency>[A-Z]{3})?\s*(?P<amount>\d*[,.]?\d*)\s*$")
_SUM = re.compile(r"(?P<count>\d{1,10})(?P<currency>[A-Z]{3})\s*(?P<amount>\d*[,.]?\d*)\s*$")
_PIVOT = 80
_NOTHING = frozenset({"NONREF", "NOREF"})


def amount_of(text: str) -> int | None:
    """Return `1213,28`, `,02` or `15,` as minor units; None where it is no amount."""
    if (text[-3:-2] == "," and text[:1] != "0") and (minor := minor_units(f"{text[:-3]}.{text[-2:]}")) is not None:
        return minor  # as amounts are written mostly
    whole, _, decimals = text.replace(".", ",").partition(",")
    if not whole and not decimals:
        return None
    return minor_units(f"{whole.lstrip('0') or '0'}.{decimals}" if decimals else whole.lstrip("0") or "0")


@lru_cache(maxsize=4096)
def day_of(text: str) -> date | None:
    """Return YYMMDD as a day; None where there is no such day."""
    year = int(text[:2])
    try:
        return date(year + (1900 if year >= _PIVOT else 2000), int(text[2:4]), int(text[4:6]))
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def entry_day(entry: str, value: str) -> date | None:
    """Return MMDD as the day nearest to the value date: around New Year its year is another. None when there is
    none."""
    anchor = day_of(value) or day_of(value[:4] + "01")
    if anchor is None:
        return None
    days = []
    for year in (anchor.year - 1, anchor.year, anchor.year + 1):
        try:
            days.append(date(year, int(entry[:2]), int(entry[2:])))
        except ValueError:
            continue
    return min(days, key=lambda d: abs((d - anchor).days), default=None)


class Line(NamedTuple):
    """A `:61:`; `amount` is signed, in minor units. A reversed credit (RC) is money out, a reversed debit money in."""

    value_date: date | None
    booking_date: date | None
    amount: int | None
    credit: bool
    reversal: bool
    expected: bool
    code: str | None
    customer_reference: str | None
    bank_reference: str | None
    supplement: str | None


#: What stands for a line that is none.
UNREADABLE = Line(
    value_date=None,
    booking_date=None,
    amount=None,
    credit=True,
    reversal=False,
    expected=False,
    code=None,
    customer_reference=None,
    bank_reference=None,
    supplement=None,
)


def statement_line(value: str) -> Line | None:
    """Read the value of a `:61:`; None when it is none."""
    found = _LINE.match(value)
    if found is None:
        return None
    mark, entry = found["mark"], (found["entry"] or "").strip()
    minor = amount_of(found["amount"])
    credit = mark in {"C", "EC", "RD"}
    rest = found["rest"]
    kind = _TYPE.match(rest)
    first, _, supplement = rest[kind.end() if kind else 0 :].partition("\n")
    customer, _, bank = first.partition("//")
    value_date = day_of(found["value"])
    return Line(
        value_date=value_date,
        booking_date=entry_day(entry, found["value"]) if entry else value_date,
        amount=None if minor is None else (minor if credit else -minor),
        credit=credit,
        reversal=mark[0] == "R",
        expected=mark[0] == "E",
        code=kind[0].strip() if kind else None,
        customer_reference=_given(customer),
        bank_reference=_given(bank),
        supplement=" ".join(supplement.split()) or None,
    )


def _given(text: str) -> str | None:
    text = text.strip()
    return None if not text or (text[0] in "Nn" and text.upper() in _NOTHING) else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """A balance; `amount` is signed, in minor units, None where it is none."""

    amount: int | None
    currency: str | None
    day: date | None


def balance(value: str) -> Balance:
    """Read the value of a `:60F:`, `:62F:` or their like."""
    found = _BALANCE.match(value.strip().split("\n")[0])
    if found is None:
        return Balance(amount=None, currency=None, day=None)
    minor = amount_of(found["amount"])
    signed = minor if minor is None or found["mark"] == "C" else -minor
    return Balance(amount=signed, currency=found["currency"], day=day_of(found["day"]))


def stated_sum(value: str) -> tuple[int, str, int | None] | None:
    """Read a `:90D:` or `:90C:` as count, currency and sum in minor units; None when it is none."""
    found = _SUM.match(value.strip().split("\n")[0])
    return None if found is None else (int(found["count"]), found["currency"], amount_of(found["amount"]))
