"""Frames of files that have types of their own, made plain: columns of text, numbers, dates, times and truth. No
reading."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import polars as pl
import pyarrow as pa

from import_project.errors import Unreadable
from import_project.formats.caps import MOST_COLUMNS
from import_project.formats.foreign import foreign_errors
from import_project.formats.json.scan import NotJson, written
from import_project.formats.loose import as_text
from import_project.frames import RAW, RESERVED, ROW_NUMBER, Batch, Part, issues_frame


def typed_parts(tables: Iterator[pa.RecordBatch | pa.Table]) -> Iterator[Part]:
    """Yield a batch for each Arrow table, in order."""
    for table in tables:
        yield partial(_batch, table)


def _batch(table: pa.RecordBatch | pa.Table) -> Batch:
    with foreign_errors("a column"):
        frame = pl.DataFrame(pl.from_arrow(table))
    names = typed_names(frame.columns)
    rows = frame.select(
        pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(ROW_NUMBER),
        *(plain(frame[old]).alias(new) for old, new in zip(frame.columns, names, strict=True)),
        pl.lit(None, pl.String).alias(RAW),
    )
    return Batch(frame=rows, issues=issues_frame([]), records=rows.height)


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


def _json(value: Any) -> str | None:
    if value is None:
        return None
    try:
        return written(value)
    except NotJson as error:
        raise Unreadable(f"a nested value cannot be text: {error}") from None
