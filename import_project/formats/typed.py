"""Frames of files that have types of their own, made plain: columns of text, numbers, dates, times and truth. No
reading."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import polars as pl
import pyarrow as pa

from import_project.errors import Unreadable
from import_project.formats.caps import MOST_COLUMNS
from import_project.formats.characters import CONTROLS, character_issues
from import_project.formats.foreign import foreign_errors
from import_project.formats.json.scan import NotJson, written
from import_project.formats.loose import as_text
from import_project.frames import RAW, RESERVED, ROW_NUMBER, Batch, Part, issues_frame

#: The first day of year 1 and the first of year 10000, in days from 1970.
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_897


def typed_parts(tables: Iterator[pa.RecordBatch | pa.Table]) -> Iterator[Part]:
    """Yield a batch for each Arrow table, in order."""
    for table in tables:
        yield partial(_batch, table)


def _batch(table: pa.RecordBatch | pa.Table) -> Batch:
    with foreign_errors("a column"):
        table.validate(full=True)
        frame = pl.DataFrame(pl.from_arrow(table))
        names = typed_names(frame.columns)
        columns = [plain(frame[old]).alias(new) for old, new in zip(frame.columns, names, strict=True)]
    numbers = pl.int_range(1, frame.height + 1, dtype=pl.Int64, eager=True).alias(ROW_NUMBER)
    rows = pl.DataFrame([numbers, *columns]).with_columns(pl.lit(None, pl.String).alias(RAW))
    texts = [c.name for c in columns if c.dtype == pl.String and c.str.contains(CONTROLS).any()]
    issues = sorted(character_issues(rows, texts), key=lambda issue: issue.row_number or 0)
    return Batch(frame=rows, issues=issues_frame(issues), records=rows.height)


def typed_names(names: Sequence[str]) -> list[str]:
    """Return the names of a typed file's columns as we call them. Raises Unreadable for what can be none."""
    if len(names) > MOST_COLUMNS:
        raise Unreadable(f"the file has {len(names)} columns, more than {MOST_COLUMNS}")
    found = [f"{n}_in_file" if n in RESERVED else n for n in names]
    for name in found:
        if not name or name == "*" or (name.startswith("^") and name.endswith("$")) or found.count(name) > 1:
            raise Unreadable(f"{name[:40]!r} cannot be a column's name, or stands twice")
    return found


def plain(column: pl.Series) -> pl.Series:
    """Return a column that holds no lists, records, bytes or categories: those become text, nested ones as JSON."""
    dtype = column.dtype
    if isinstance(dtype, pl.Date | pl.Datetime):
        return column if _days_that_exist(column) else _times_as_text(column)
    if dtype.is_nested():
        return pl.Series(column.name, [_json(v) for v in column.to_list()], dtype=pl.String)
    if dtype == pl.Binary:
        return column.bin.encode("hex")
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return column.cast(pl.String)
    if dtype in {pl.Duration, pl.Time}:
        return pl.Series(column.name, [as_text(v) for v in column.to_list()], dtype=pl.String)
    if dtype == pl.Object:
        raise Unreadable(f"column {column.name!r} holds values of a kind that is not read")
    if dtype == pl.Null:
        return column.cast(pl.String)
    return column


def _days_that_exist(column: pl.Series) -> bool:
    ticks, physical = _ticks(column.dtype), column.to_physical()
    ends = [end for end in (physical.min(), physical.max()) if isinstance(end, int)]
    return all(_FIRST_DAY * ticks <= end < _LAST_DAY * ticks for end in ends)


def _times_as_text(column: pl.Series) -> pl.Series:
    """Write times as text where some are of no year between 1 and 9999: those are the bare number that the file
    holds."""
    ticks, physical = _ticks(column.dtype), column.to_physical()
    exist = ((physical >= _FIRST_DAY * ticks) & (physical < _LAST_DAY * ticks)).fill_null(value=False)
    good = column.set(~exist, None)
    text = good.dt.strftime("%Y-%m-%dT%H:%M:%S%.f" if isinstance(column.dtype, pl.Datetime) else "%Y-%m-%d")
    return text.zip_with(exist, physical.cast(pl.String))


def _ticks(dtype: pl.DataType) -> int:
    """How many of a type's units a day has."""
    per_second = {"ms": 10**3, "us": 10**6, "ns": 10**9}
    return 86_400 * per_second[dtype.time_unit] if isinstance(dtype, pl.Datetime) else 1


def _json(value: Any) -> str | None:
    if value is None:
        return None
    try:
        return written(value)
    except NotJson as error:
        raise Unreadable(f"a nested value cannot be text: {error}") from None
