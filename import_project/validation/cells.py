"""Cells to values, exactly: what is not, to the last digit, a value of the agreed type is none. No rules about values.

Polars' own casts round decimals, take "1e3", and read "24-01-31" as the year 24.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from import_project.validation.columns import Column

_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_BLANKS = "[ \u00a0\u202f]"
_DIRECTIVES: Mapping[str, str] = {
    "%Y": "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])",
    **dict.fromkeys(("%y", "%m", "%d", "%H", "%M"), "[0-9]{2}"),
    "%S": "[0-5][0-9]",  # a sixtieth second would become the next minute
    "%j": "[0-9]{3}",
    "%.f": r"(?:\.[0-9]{1,6})?",
    "%z": "[+-][0-9]{2}:?[0-9]{2}",
    "%%": "%",
}


def read_cells(column: "Column", source: pl.DataType, *, trimmed: bool = False) -> pl.Expr:
    """Return the values of a column that is `source` in the file: null where a cell is no value of the agreed type.

    Only text obeys the column's marks and formats; a file's own numbers and dates are what they are. Outer blanks of
    texts are no part of them, unless there are none (`trimmed`) to look for.
    """
    if source == pl.String:
        text = pl.col(column.name)
        return _from_text(column, text if trimmed else text.str.strip_chars().replace("", None))
    if source == column.dtype:
        own = pl.col(column.name)
        return _where(own.is_finite(), own) if column.type == "number" else own
    if column.type == "datetime" and isinstance(source, pl.Datetime):
        exact = pl.col(column.name).cast(pl.Datetime("us", source.time_zone))
        kept = _where(exact.cast(source) == pl.col(column.name), exact)
        return _in_utc(kept, column.timezone if source.time_zone is None else None)
    if column.type == "date" and isinstance(source, pl.Datetime):
        day = pl.col(column.name).dt.date()
        return pl.when(day.cast(source) == pl.col(column.name)).then(day)
    plain = column.with_plain_cells()
    return _from_text(plain, as_plain_text(pl.col(column.name), source))


def as_plain_text(value: pl.Expr, source: pl.DataType) -> pl.Expr:
    """Return values of a typed file as text: a decimal point, no zeros at the end of a fraction, ISO dates."""
    if source == pl.String:
        return value
    if source.is_float():
        return value.cast(pl.String).str.replace(r"\.0$", "")
    if isinstance(source, pl.Decimal):
        return value.cast(pl.String).str.replace(r"(\.[0-9]*?)0+$", "${1}").str.strip_suffix(".")
    if isinstance(source, pl.Datetime):
        return value.dt.strftime("%Y-%m-%dT%H:%M:%S%.f" + ("%z" if source.time_zone else ""))
    return value.cast(pl.String)


def _from_text(column: "Column", text: pl.Expr) -> pl.Expr:
    match column.type:
        case "text":
            return text
        case "integer":
            return _where(text.str.contains(r"^[+-]?[0-9]{1,18}$"), text.cast(pl.Int64, strict=False))
        case "decimal":
            return _decimal(column, text)
        case "number":
            return _where(text.str.contains(r"^[+-]?[0-9]{1,300}(\.[0-9]+)?$"), text.cast(pl.Float64, strict=False))
        case "date":
            return _fitting(text, text.str.to_date(column.date_format, strict=False, cache=False), column.date_format)
        case "datetime":
            return _datetime(column, text)
        case "boolean":
            return text.str.to_lowercase().replace_strict(_WORDS, default=None, return_dtype=pl.Boolean)


def _where(fits: pl.Expr, value: pl.Expr) -> pl.Expr:
    return pl.when(fits).then(value)


def _decimal(column: "Column", text: pl.Expr) -> pl.Expr:
    mark = re.escape(column.decimal_mark)
    whole = f"[0-9]{{1,{38 - column.scale - 1}}}"
    if column.group_mark:
        group = _BLANKS if column.group_mark == " " else re.escape(column.group_mark)
        whole = f"(?:{whole}|[0-9]{{1,3}}(?:{group}[0-9]{{3}})+)"
    fraction = rf"(?:{mark}[0-9]{{1,{column.scale}}})?" if column.scale else ""
    fits = text.str.contains(f"^[+-]?{whole}{fraction}$")
    point = text
    if column.group_mark:
        point = point.str.replace_all(group, "")
    if column.decimal_mark != ".":
        point = point.str.replace(column.decimal_mark, ".", literal=True)
    return _where(fits, point.cast(column.dtype, strict=False))


def _fitting(text: pl.Expr, value: pl.Expr, written: str) -> pl.Expr:
    """Keep a day or time only where the text has all digits of its format: "2026-1-5" is no "%Y-%m-%d"."""
    shape = _shape(written)
    return _where(text.str.contains(shape) if shape else value.dt.strftime(written) == text, value)


def _shape(written: str) -> str | None:
    """Return the pattern of texts in a strptime format; None when it holds names or such, which have no one length."""
    pieces = re.findall(r"%\.f|%.|[^%]+", written)
    if any(p.startswith("%") and p not in _DIRECTIVES for p in pieces):
        return None
    return "^" + "".join(_DIRECTIVES.get(p) or re.escape(p) for p in pieces) + "$"


def _datetime(column: "Column", text: pl.Expr) -> pl.Expr:
    written = column.datetime_format
    if "%z" in written:
        text = text.str.replace("Z$", "+0000")
        return _fitting(text, text.str.to_datetime(written, strict=False, time_unit="us", time_zone="UTC"), written)
    naive = text.str.to_datetime(written, strict=False, time_unit="us")
    return _in_utc(_fitting(text, naive, written), column.timezone)


def _in_utc(value: pl.Expr, zone: str | None) -> pl.Expr:
    """Give a time its zone, then UTC; one that the clock shows twice or never, when it is set, is none."""
    if zone is not None:
        value = value.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
    return value.dt.convert_time_zone("UTC").cast(pl.Datetime("us", "UTC"))
