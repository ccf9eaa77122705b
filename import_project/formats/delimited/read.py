"""The records of a delimited file as batches of text columns. Sound chunks are parted by Polars, torn ones came
parted."""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from typing import BinaryIO, Literal

import polars as pl

from import_project.errors import Unreadable
from import_project.formats.bytes_index import byte_column, has_controls
from import_project.formats.caps import BLOCK
from import_project.formats.characters import character_issues, marked, shown_columns, utf8_blocks
from import_project.formats.delimited.chunks import Chunk, chunks
from import_project.formats.delimited.header import column_names, guess_delimiter, header_of
from import_project.formats.delimited.strict import Record, strict_records
from import_project.formats.delimited.structure import Dialect, Structure
from import_project.frames import RAW, ROW_NUMBER, Batch, Part, issues_frame
from import_project.records.issues import Issue, Severity

#: Beginnings that mean something else than text to Polars: zlib, gzip, zstd, a byte order mark.
_MAGIC = (b"x\x01", b"x^", b"x\x9c", b"x\xda", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xef\xbb\xbf")


def parts(
    content: BinaryIO,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    quote: str = '"',
    columns: Sequence[str] | None = None,
    skip_lines: int = 0,
    block: int = BLOCK,
) -> Iterator[Part]:
    """Read text columns with `row_number`, and `raw` for records that could not be parted.

    `encoding` is a Python codec name; without it, the byte order mark decides, else UTF-8. `columns` names the
    columns of a file without a header; `skip_lines` lines stand before the header or first record. About `block`
    bytes are read at a time. Raises Unreadable for a file without a usable header, or with text that its encoding
    cannot hold, and ConfigError for an unknown encoding.
    """
    blocks = utf8_blocks(content, encoding)
    head = _without_lines(next(blocks, b""), skip_lines)
    delimiter = delimiter or guess_delimiter(head[: 1 << 20], "utf-8") or ","
    given, start = (list(columns), 0) if columns else header_of(marked(head[: 1 << 20])[0], delimiter, quote)
    names, twice = column_names(given)
    dialect = Dialect(columns=tuple(names), delimiter=delimiter, quote=quote)
    yield partial(_beginning, dialect, twice)
    for chunk in chunks(chain([head[start:]], blocks), dialect, size=block):
        yield partial(_batch, chunk, dialect)


def _without_lines(head: bytes, lines: int) -> bytes:
    for _ in range(lines):
        end = re.search(rb"\r\n|\n|\r(?!\Z)", head)
        if end is None:
            raise Unreadable(
                f"the file has not the {lines} lines that stand before its header", do="see format.skip_lines"
            )
        head = head[end.end() :]
    return head


def _beginning(dialect: Dialect, twice: Sequence[str]) -> Batch:
    """No row, but the columns; and a warning for each name that the header has more than once."""
    told = [
        Issue(
            rule="duplicate_header",
            message=f"the columns are called {n}_1, {n}_2 ...",
            severity=Severity.WARNING,
            column=n,
        )
        for n in twice
    ]
    return Batch(frame=_frame([], dialect), issues=issues_frame(told), records=0)


def _batch(chunk: Chunk, dialect: Dialect) -> Batch:
    text, bad = marked(chunk.text)
    rows = None if chunk.structure is None else _sound(text, chunk.structure, dialect)
    if rows is None:  # torn quotes, or what Polars does not part
        records = chunk.records or strict_records(text, dialect.delimiter, dialect.quote, final=True)[0]
        rows = _parted(records, dialect)
    frame, issues, count = rows
    controls = chunk.structure.controls if chunk.structure else has_controls(text, byte_column(text))
    odd = issues_frame(character_issues(frame, list(dialect.columns)) if bad or controls else [])
    if bad:
        frame = shown_columns(frame)
    frame, blanks = _without_blanks(frame, dialect, last=chunk.last)
    told = pl.concat([issues, odd, _blank_rows(blanks)])
    if chunk.blanks:
        later = pl.col(ROW_NUMBER) + chunk.blanks
        first = _blank_rows(pl.Series([chunk.blanks], dtype=pl.Int64))
        frame, told = frame.with_columns(later), pl.concat([first, told.with_columns(later)])
    return Batch(
        frame=frame,
        issues=told.sort(ROW_NUMBER, maintain_order=True),
        records=chunk.blanks + count,
        trimmed=chunk.structure is not None and text.isascii() and not controls and chunk.structure.trimmed,
    )


def _sound(text: bytes, structure: Structure, dialect: Dialect) -> tuple[pl.DataFrame, pl.DataFrame, int] | None:
    """Part text whose quotes are sound. None: Polars parts it into other records than the structure says.

    Polars pads short records without a word; that none is short is proved by the number of delimiters, once no record
    is too long. Where some are ragged, the structure says which, and where their text is.
    """
    if text.startswith(_MAGIC):
        return None  # Polars would unpack it, or leave the mark out
    records, gaps = structure.records, dialect.width - 1
    raw = pl.lit(None, pl.String).alias(RAW)
    try:
        cells = _cells(text, structure, dialect, extra_columns="raise")
    except pl.exceptions.PolarsError:
        cells = None
    if cells is not None and cells.height == records and structure.delimiters == records * gaps:
        return cells.select(_numbers(), *dialect.columns, raw), issues_frame([]), records
    try:
        cells = _cells(text, structure, dialect, extra_columns="ignore") if cells is None else cells
    except pl.exceptions.PolarsError:
        return None
    if cells.height != records:
        return None
    spans = structure.spans().with_row_index(ROW_NUMBER, offset=1).filter(pl.col("fields") != dialect.width)
    rows = pl.DataFrame(
        [
            (n, fields, text[start:end].decode(errors="ignore").rstrip("\r"))
            for n, start, end, fields in spans.iter_rows()
        ],
        schema={ROW_NUMBER: pl.Int64, "fields": pl.Int64, RAW: pl.String},
        orient="row",
    )
    torn = rows.filter(pl.col(RAW).str.strip_chars(dialect.nothing) != "")
    issues = torn.select(
        ROW_NUMBER,
        pl.lit(None, pl.Int64).alias("statement"),
        pl.lit(None, pl.String).alias("column"),
        pl.lit("field_count").alias("rule"),
        pl.lit(None, pl.String).alias("value"),
        pl.format("{} fields where the header has {}", "fields", pl.lit(dialect.width)).alias("message"),
        pl.lit(Severity.ERROR.value).alias("severity"),
    )
    ragged = _numbers().is_in(rows[ROW_NUMBER].implode())
    kept = [pl.when(~ragged).then(pl.col(c)).alias(c) for c in dialect.columns]
    frame = cells.select(_numbers(), *kept).join(
        torn.select(ROW_NUMBER, RAW), on=ROW_NUMBER, how="left", maintain_order="left"
    )
    return frame, issues, records


def _cells(
    text: bytes, structure: Structure, dialect: Dialect, *, extra_columns: Literal["ignore", "raise"]
) -> pl.DataFrame:
    cells = pl.read_csv(
        text,
        has_header=False,
        schema=dict.fromkeys(dialect.columns, pl.String),
        separator=dialect.delimiter,
        quote_char=dialect.quote,
        missing_columns="insert",
        extra_columns=extra_columns,
        raise_if_empty=False,
        glob=False,
    )
    # A quoted empty cell is as empty as any other.
    return cells.with_columns(pl.all().replace("", None)) if structure.quoted_nothing else cells


def _numbers() -> pl.Expr:
    return pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(ROW_NUMBER)


def _parted(records: Sequence[Record], dialect: Dialect) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """Turn records that were read one by one into rows."""
    width, rows, issues = len(dialect.columns), list[list[str | int | None]](), list[Issue]()
    nothing: list[str | int | None] = [None] * width
    for number, record in enumerate(records, start=1):
        if record.fields is not None and len(record.fields) == width:
            rows.append([number, *(cell or None for cell in record.fields), None])
        elif record.fields is not None and record.text.strip(dialect.nothing):
            issues.append(_field_count(number, len(record.fields), width))
            rows.append([number, *nothing, record.text])
        elif record.rule:
            issues.append(Issue(rule=record.rule, message=record.message, row_number=number))
            rows.append([number, *nothing, record.text])
        else:
            rows.append([number, *nothing, None])
    return _frame(rows, dialect), issues_frame(issues), len(records)


def _frame(rows: list[list[str | int | None]], dialect: Dialect) -> pl.DataFrame:
    schema = {ROW_NUMBER: pl.Int64, **dict.fromkeys(dialect.columns, pl.String), RAW: pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _field_count(number: int, fields: int, width: int) -> Issue:
    return Issue(rule="field_count", message=f"{fields} fields where the header has {width}", row_number=number)


def _without_blanks(frame: pl.DataFrame, dialect: Dialect, *, last: bool) -> tuple[pl.DataFrame, pl.Series]:
    """Leave out rows without any text. Returns also the numbers of those that others follow."""
    blank = frame.select(pl.all_horizontal(pl.col(*dialect.columns, RAW).is_null())).to_series()
    if not blank.any():
        return frame, pl.Series([], dtype=pl.Int64)
    kept, numbers = frame.filter(~blank), frame.filter(blank)[ROW_NUMBER]
    end = int(kept[ROW_NUMBER][-1]) if last and kept.height else 0
    return kept, numbers.filter(numbers < end) if last else numbers


def _blank_rows(numbers: pl.Series) -> pl.DataFrame:
    return pl.DataFrame({ROW_NUMBER: numbers}).select(
        ROW_NUMBER,
        pl.lit(None, pl.Int64).alias("statement"),
        pl.lit(None, pl.String).alias("column"),
        pl.lit("blank_row").alias("rule"),
        pl.lit(None, pl.String).alias("value"),
        pl.lit("a blank row between others is not counted").alias("message"),
        pl.lit(Severity.WARNING.value).alias("severity"),
    )
