"""The statement line `:61:`, and amounts and balances. No sums."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import polars as pl

from import_project.formats.payment_rows import minor_units

_LINE = (
    r"(?s)^(?P<value>[0-9]{6})(?P<entry>[0-9]{4}| {4})?\s*(?P<mark>R[CD]|E[CD]|[CD])(?P<funds>[A-Z])?\s*"
    r"(?P<amount>[0-9]*[,.]?[0-9]*)(?P<rest>.*)"
)
# Possessive: what was taken is not tried again in pieces, however long a partner makes it.
_AMOUNT = r"\s*+(?P<amount>\d*+(?:[,.]\d*+)?)\s*+$"
_TYPE = r"^([A-Z][A-Z0-9 ]{3})"
_BALANCE = re.compile(r"(?P<mark>[CD])(?P<day>\d{6})(?P<currency>[A-Z]{3})?" + _AMOUNT)
_SUM = re.compile(r"(?P<count>\d{1,10})(?P<currency>[A-Z]{3})" + _AMOUNT)
_PIVOT = 80
_NOTHING = ["NONREF", "NOREF"]


def amount_of(text: str) -> int | None:
    """Return `1213,28`, `,02` or `15,` as minor units; None where it is no amount."""
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


def statement_lines(values: pl.Series) -> pl.DataFrame:
    """Read values of `:61:`. A reversed credit (RC) is money out, a reversed debit money in.

    Columns: `read` (whether it is a line at all), `value_date`, `booking_date`, `amount` (signed, in minor units, null
    where it is none), `credit`, `reversal`, `expected`, `code`, `customer` and `bank` reference, `supplement`.
    """
    frame = values.rename("61").to_frame().select(pl.col("61").str.extract_groups(_LINE)).unnest("61")
    mark, rest, entry = pl.col("mark"), pl.col("rest"), pl.col("entry").str.strip_chars()
    kind = rest.str.extract(_TYPE)
    behind = rest.str.slice(kind.str.len_chars().fill_null(0))
    first, more = behind.str.splitn("\n", 2).struct.field("field_0"), behind.str.splitn("\n", 2).struct.field("field_1")
    references = first.str.splitn("//", 2)
    frame = frame.with_columns(
        _said(frame["amount"], amount_of, pl.Int64, plain=r"^[1-9][0-9]{0,15},[0-9]{2}$"),
        _said(frame["value"], day_of, pl.Date).alias("value_date"),
        _said(frame.select(pl.concat_str(entry, pl.lit("/"), "value")).to_series(), _entry_day, pl.Date).alias(
            "entry_date"
        ),
        credit=mark.is_in(["C", "EC", "RD"]),
        code=kind.str.strip_chars(),
        customer=_given(references.struct.field("field_0")),
        bank=_given(references.struct.field("field_1")),
        supplement=_filled(more.str.replace_all(r"\s+", " ").str.strip_chars()),
    )
    return frame.select(
        "value_date",
        "code",
        "customer",
        "bank",
        "supplement",
        read=mark.is_not_null(),
        booking_date=pl.when(entry != "").then("entry_date").otherwise("value_date"),
        amount=pl.when("credit").then("amount").otherwise(-pl.col("amount")),
        credit=pl.col("credit").fill_null(value=True),
        reversal=mark.str.starts_with("R").fill_null(value=False),
        expected=mark.str.starts_with("E").fill_null(value=False),
    )


def _entry_day(told: str) -> date | None:
    entry, _, value = told.partition("/")
    return entry_day(entry, value) if entry else None


def _said(
    texts: pl.Series, say: Callable[[str], Any], as_type: type[pl.DataType], *, plain: str | None = None
) -> pl.Series:
    """Return what a function says of each text; those that are a plain amount in bulk."""
    known = texts.str.contains(plain) if plain else pl.repeat(value=False, n=texts.len(), eager=True)
    other = texts.filter(~known.fill_null(value=False)).drop_nulls().unique()
    said = texts.replace_strict({t: say(t) for t in other}, default=None, return_dtype=as_type())
    if plain is None:
        return said
    return (
        pl.select(
            pl.when(known).then(texts.str.replace(",", "", literal=True).cast(pl.Int64, strict=False)).otherwise(said)
        )
        .to_series()
        .alias(texts.name)
    )


def _filled(text: pl.Expr) -> pl.Expr:
    return pl.when(text != "").then(text)


def _given(text: pl.Expr) -> pl.Expr:
    stripped = text.str.strip_chars()
    return pl.when((stripped != "") & ~stripped.str.to_uppercase().is_in(_NOTHING)).then(stripped)


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
