"""Records that bring their own columns (JSON, XML, parsers in Python), gathered into batches of text. No parsing."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import polars as pl

from import_project.errors import Unreadable
from import_project.formats.caps import BLOCK, DEEPEST, MOST_CELLS, MOST_COLUMNS
from import_project.formats.characters import BAD, CONTROLS, character_issues, shown_columns
from import_project.formats.json.scan import NotJson, Number, written
from import_project.frames import RAW, RESERVED, ROW_NUMBER, Batch, Part, issues_frame
from import_project.records.issues import Issue

_AT_ONCE = 10_000


class Loose(NamedTuple):
    """One record: the fields it has, and its text; or, where it cannot be read, the rule it breaks. None: no record.

    A plain tuple, for a file has millions.
    """

    fields: Mapping[str, Any] | None = None
    text: str = ""
    rule: str = ""
    message: str = ""


def loose_parts(records: Iterable[Loose | None]) -> Iterator[Part]:
    """Yield batches of records, at least one. None stands for a number without a record, such as a blank line."""
    some: list[Loose | None] = []
    size, given = 0, False
    for record in records:
        some.append(record)
        size += len(record.text) if record is not None else 1
        if len(some) >= _AT_ONCE or size >= BLOCK:
            yield partial(_batch, some)
            some, size, given = [], 0, True
    if some or not given:
        yield partial(_batch, some)


def _batch(records: list[Loose | None]) -> Batch:
    rows: dict[int, dict[str, str | None]] = {}
    issues: list[Issue] = []
    columns: dict[str, None] = {}
    for number, record in enumerate(records, start=1):
        if record is None:
            continue
        rows[number] = {}
        if record.fields is None:
            issues.append(Issue(rule=record.rule, message=record.message, row_number=number))
            continue
        try:
            cells = flat(record.fields)
        except NotJson as error:
            issues.append(Issue(rule="unreadable_record", message=str(error), row_number=number))
            continue
        rows[number] = cells
        columns.update(dict.fromkeys(cells))
    if len(columns) > MOST_COLUMNS or len(columns) * len(rows) > 3 * MOST_CELLS:
        raise Unreadable(f"{len(rows)} records have {len(columns):,} columns between them")
    frame = pl.DataFrame(
        {
            ROW_NUMBER: pl.Series(list(rows), dtype=pl.Int64),
            **{c: pl.Series([row.get(c) for row in rows.values()], dtype=pl.String) for c in columns},
            RAW: pl.Series([r.text for r in records if r is not None], dtype=pl.String),
        }
    )
    odd = character_issues(frame, [c for c in columns if frame[c].str.contains(f"{CONTROLS}|{BAD}").any()])
    issues = sorted([*issues, *odd], key=lambda issue: issue.row_number or 0)
    if any(issue.rule == "encoding" for issue in issues):
        frame = shown_columns(frame)
    return Batch(frame=frame, issues=issues_frame(issues), records=len(records), fixed=False)


def flat(fields: Mapping[str, Any]) -> dict[str, str | None]:
    """Return a record's cells as text: those of nested records as `outer.inner`, lists as JSON.

    Values that are not text are written in ISO form, with a decimal point. Raises NotJson for what cannot be columns.
    """
    cells: dict[str, str | None] = {}
    _flatten(fields, "", cells, 1)
    return cells


def _flatten(fields: Mapping[str, Any], above: str, cells: dict[str, str | None], depth: int) -> None:
    if depth > DEEPEST:
        raise NotJson(f"values are nested more than {DEEPEST} deep")
    for key, value in fields.items():
        name = above + (_proper(str(key)) or "")
        if isinstance(value, Mapping):
            _flatten(value, f"{name}.", cells, depth + 1)
            continue
        name = f"{name}_in_file" if name in RESERVED else name or "column"
        if name in cells:
            raise NotJson(f"two fields are called {name[:40]!r}")
        if name == "*" or (name.startswith("^") and name.endswith("$")):
            raise NotJson(f"{name[:40]!r} cannot be a column's name")
        if len(cells) >= MOST_COLUMNS:
            raise NotJson(f"the record has more than {MOST_COLUMNS:,} fields")
        cells[name] = as_text(value)


def as_text(value: Any) -> str | None:
    """Return a value as the text of a cell; an empty one is missing."""
    match value:
        case None | "":
            return None
        case Number():
            return str(value)
        case str():
            return _proper(value)
        case bool():
            return "true" if value else "false"
        case float():
            return repr(value).removesuffix(".0")
        case Decimal() if value.is_finite():
            return f"{value:f}"
        case int() | Decimal() | UUID() | timedelta():
            return str(value)
        case datetime() | date() | time():
            return value.isoformat()
        case bytes() | bytearray():
            return value.hex()
        case list() | tuple():
            return _proper(written(value))
        case _:
            raise NotJson(f"a {type(value).__name__} is no value of a cell")


def _proper(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotJson("a text holds half of a character") from None
    return text
