"""Amounts, balances and transactions of BAI2 records. No sums."""

from datetime import date
from typing import NamedTuple

import polars as pl

from import_project.formats.bai2.records import Record, after_funds, funds_end
from import_project.formats.payment_rows import minor_units

#: Currencies whose minor unit is not a hundredth (ISO 4217).
_WITHOUT_MINOR = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"}
)
_THOUSANDTHS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
_MOST = 10**18
_TRANSACTION = ("code", "amount", "sign", "value_date", "bank", "customer", "words")
#: A transaction that tells something without money.
TOLD_ONLY = "890"


def whole(text: str) -> int | None:
    """Return a signed whole number; None where it is none. Nothing counts as zero."""
    text = text.strip()
    if not text:
        return 0
    digits = text[1:] if text[:1] in "+-" else text
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 18):
        return None
    return -int(digits) if text[0] == "-" else int(digits)


def amount(text: str) -> int | None:
    """Return an amount as it stands; some banks write a decimal point."""
    return minor_units(text.strip()) if "." in text else whole(text)


def hundredths(amount: int, currency: str) -> int | None:
    """Return an amount in the currency's minor unit as hundredths; None where it is finer, or has over 18 digits."""
    if currency in _WITHOUT_MINOR:
        return amount * 100 if abs(amount) < _MOST // 100 else None
    if currency in _THOUSANDTHS:
        return amount // 10 if amount % 10 == 0 else None
    return amount


def in_hundredths(amount: pl.Expr, currency: pl.Expr) -> pl.Expr:
    """Return the same for columns."""
    tenth = pl.when(amount % 10 == 0).then(amount // 10)
    scaled = pl.when(currency.is_in(list(_THOUSANDTHS))).then(tenth).otherwise(amount)
    hundredfold = pl.when(amount.abs() < _MOST // 100).then(amount) * 100
    return pl.when(currency.is_in(list(_WITHOUT_MINOR))).then(hundredfold).otherwise(scaled)


def day(text: str) -> date | None:
    """Return YYMMDD as a day; None where there is no such day."""
    text = text.strip()
    if len(text) != 6 or not text.isdecimal() or not text.isascii():
        return None
    try:
        return date(2000 + int(text[:2]), int(text[2:4]), int(text[4:]))
    except ValueError:
        return None


class Stated(NamedTuple):
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
        place = after_funds(fields, place + 3)
    return account, currency or None, amounts


def transactions(records: pl.DataFrame) -> pl.DataFrame:
    """Return the records 16, by `record`, `so_far`, `line` and `text`, with their fields: `code`, `amount` as it stands
    in the currency's minor unit (null where it is none), `sign` (1, -1, or null where the code says no direction),
    `value_date`, `bank`, `customer`, `words`. Codes from 100 to 399 are credits, from 400 to 699 debits."""
    fields = pl.col("fields")

    def at(place: int | pl.Expr) -> pl.Expr:
        return fields.list.get(place, null_on_oob=True).str.strip_chars()

    def filled(text: pl.Expr) -> pl.Expr:
        return pl.when(text != "").then(text)

    after = pl.col("after")
    number = pl.when(pl.col("code").str.contains("^[0-9]{3}$")).then("code").cast(pl.Int64)
    sign = pl.when(number.is_between(100, 399)).then(1).when(number.is_between(400, 699)).then(-1)
    dated = pl.when(at(2).str.to_uppercase() == "V").then(at(3))
    found = (
        records.filter(pl.col("kind") == "16")
        .with_columns(fields=pl.col("text").str.split(","))
        .with_columns(after=funds_end(fields), code=at(0))
        .with_columns(
            amount_text=at(1),
            sign=sign,
            value_date=pl.when(dated.str.contains("^[0-9]{6}$"))
            .then(pl.concat_str(pl.lit("20"), dated))
            .str.to_date("%Y%m%d", strict=False),
            bank=filled(at(after)),
            customer=filled(at(after + 1)),
            words=pl.when(fields.list.len() > after + 2).then(fields.list.slice(after + 2).list.join(",")),
        )
    )
    words = pl.col("words").str.replace_all(r"\s+", " ").str.strip_chars()
    read = found.with_columns(_amounts(found["amount_text"]), words=filled(words))
    return read.select("record", "so_far", "line", "text", *_TRANSACTION)


def _amounts(texts: pl.Series) -> pl.Series:
    """Return what `amount` says of each text; whole numbers, as nearly all are, in bulk."""
    plain = texts.str.contains("^[0-9]{1,18}$").fill_null(value=False)
    read = texts.set(~plain, None).cast(pl.Int64)
    if plain.all():
        return read.alias("amount")
    odd = {text: amount(text) for text in texts.filter(~plain).drop_nulls().unique()}
    other = texts.replace_strict(odd, default=None, return_dtype=pl.Int64)
    return pl.select(pl.coalesce(read, other)).to_series().alias("amount")
