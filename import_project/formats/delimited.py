"""Delimited text (CSV, TSV): every cell as text, every broken record kept with its number. Cells are not interpreted.

The rules are RFC 4180's, with any one-character delimiter. A record's number counts from 1 after the header; blank
lines are counted but are no rows. An empty cell is null.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv

from import_project.errors import ConfigError, Unreadable
from import_project.frames import Reading, issues_frame
from import_project.records.issues import Issue, Severity

if TYPE_CHECKING:
    import _csv

ROW_NUMBER, RAW = "row_number", "raw"
DELIMITERS = ",;\t|"

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NO_TEXT = (b"%PDF-", b"PK\x03\x04", b"\x1f\x8b", b"<?xml", b"\x7fELF", b"\x89PNG")
_LARGEST_ROW = 64 << 20
_CONTROLS = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
# Bytes that are no text travel through the CSV reader as these characters of a private plane, and are shown as \xNN.
_FIRST_BAD, _BAD_CHARS = 0x10FF00, "[\U0010ff80-\U0010ffff]"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Broken:
    """A record that has not the header's number of fields, as Arrow reports it."""

    number: int
    fields: int
    text: str
    unclosed: bool

    @property
    def lines(self) -> list[str]:
        """Its text, parted again where an unclosed quote made it swallow the lines that follow."""
        text = self.text.rstrip("\r\n")
        return text.splitlines() if self.unclosed and "\n" in text else [text]


def recognise(content: bytes, *, delimiter: str | None = None, encoding: str | None = None, quote: str = '"') -> bool:
    """Whether `content` looks like delimited text.

    With a declared delimiter any text does; without, its first lines must have equally many of one delimiter.
    """
    if content.startswith(_NO_TEXT) or (
        b"\x00" in content[:4096] and encoding is None and not content.startswith(_UTF16)
    ):
        return False
    return delimiter is not None or guess_delimiter(content) is not None


def guess_delimiter(content: bytes) -> str | None:
    """Return the one of comma, semicolon, tab and bar that parts most first lines as it parts the header, or None."""
    head = _decode(content[:20_000], None).translate({0: " "})
    lines = [line for line in head.splitlines()[:21] if line.strip()]
    fits = []
    for delimiter in DELIMITERS:
        widths = [len(row) for row in _csv_reader(lines, delimiter=delimiter) if row]
        if widths and widths[0] > 1 and widths.count(widths[0]) * 2 > len(widths):
            fits.append((widths[0], delimiter))
    return max(fits)[1] if fits else None


def read(content: bytes, *, delimiter: str | None = None, encoding: str | None = None, quote: str = '"') -> Reading:
    """Read `content` into text columns with `row_number`, and `raw` for records that could not be parted.

    `encoding` is a Python codec name; without it, the byte order mark decides, else UTF-8. A header named
    `row_number` or `raw` gets `_in_file` behind it, a blank one is called `column_N`.
    Raises Unreadable for a file without a header, with a header twice, or with a record over 64 MiB, and ConfigError
    for an unknown encoding.
    """
    text = _decode(content, encoding)
    delimiter = delimiter or guess_delimiter(content) or ","
    header, body = _header(text, delimiter, quote)
    body, tail = _without_unclosed(body, delimiter, quote)
    cells, broken = _cells(body.encode(), header, delimiter, quote)
    if tail:
        broken.append(_Broken(number=cells.height + len(broken) + 1, fields=0, text=tail, unclosed=True))
    lost, problems = _lost(broken, len(header))
    rows = pl.concat([_numbered(cells, header, broken), lost], how="diagonal_relaxed").sort(ROW_NUMBER)
    rows, blanks = _without_blanks(rows, header)
    problems += [*blanks, *_character_issues(rows, header, body)]
    shown = [pl.col(c).map_elements(_show_bad_bytes, return_dtype=pl.String) for c in [*header, RAW]]
    rows = rows.with_columns(shown) if _has_bad_bytes(text) else rows
    return Reading(
        format="delimited", frame=rows, issues=issues_frame(sorted(problems, key=lambda i: i.row_number or 0))
    )


def _decode(content: bytes, encoding: str | None) -> str:
    codec = encoding or next((name for mark, name in _BOMS if content.startswith(mark)), "utf-8")
    for mark, name in _BOMS:
        if content.startswith(mark) and codecs.lookup(codec).name.replace("-sig", "").startswith(name[:6]):
            content = content.removeprefix(mark)
    try:
        return content.decode(codec)
    except UnicodeDecodeError:
        try:
            text = content.decode(codec, errors="surrogateescape")
        except UnicodeDecodeError as error:  # UTF-16 and its like have no single bytes to set apart
            raise Unreadable(f"the bytes from {error.start} on are no text in {codec}") from None
        return text.translate({0xDC00 + b: chr(_FIRST_BAD + b) for b in range(128, 256)})
    except LookupError:
        raise ConfigError(f"unknown encoding {encoding!r}", do="use a Python codec name such as cp1252") from None


def _has_bad_bytes(text: str) -> bool:
    return re.search(_BAD_CHARS, text) is not None


def _show_bad_bytes(text: str) -> str:
    return re.sub(_BAD_CHARS, lambda m: f"\\x{ord(m[0]) - _FIRST_BAD:02x}", text)


def _csv_reader(lines: Iterable[str], **dialect: Any) -> "_csv._reader":
    """Python's reader, for headers and cut-off records; its limit of 128 KiB a cell is lifted."""
    csv.field_size_limit(_LARGEST_ROW)
    return csv.reader(lines, **dialect)


def _header(text: str, delimiter: str, quote: str) -> tuple[list[str], str]:
    """Return the column names and the text behind the header record."""
    lines = io.StringIO(text, newline="")
    names: list[str] = []
    # A header of more than a cell's limit is no header: csv says so, and so do we.
    for record in _csv_reader(lines, delimiter=delimiter, quotechar=quote):
        names = [name.strip() for name in record]
        if any(names):
            break
    if not any(names):
        raise Unreadable("the file is empty: not even a header")
    names = [n or f"column_{i}" for i, n in enumerate(names, start=1)]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise Unreadable(f"the header names {', '.join(map(repr, twice))} more than once")
    return [f"{n}_in_file" if n in {ROW_NUMBER, RAW} else n for n in names], lines.read()


def _without_unclosed(body: str, delimiter: str, quote: str) -> tuple[str, str]:
    """Cut off a last record whose quote is never closed: it would swallow all lines behind it into one cell."""
    if body.count(quote) % 2 == 0:
        return body, ""
    lines = io.StringIO(body, newline="").readlines()
    reader = _csv_reader(lines, delimiter=delimiter, quotechar=quote)
    start = end = 0
    for _ in reader:
        start, end = end, reader.line_num
    last = "".join(lines[start:])
    try:
        list(_csv_reader(lines[start:], delimiter=delimiter, quotechar=quote, strict=True))
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            return "".join(lines[:start]), last
    return body, ""


def _cells(body: bytes, header: list[str], delimiter: str, quote: str) -> tuple[pl.DataFrame, list[_Broken]]:
    """Part `body` with Arrow's reader, which reports records of another width and goes on."""
    broken: list[_Broken] = []

    def keep(row: pa_csv.InvalidRow) -> str:
        broken.append(
            _Broken(
                number=row.number, fields=row.actual_columns, text=row.text, unclosed=row.text.count(quote) % 2 == 1
            )
        )
        return "skip"

    if not body.strip():
        return pl.DataFrame(schema=dict.fromkeys(header, pl.String)), broken
    try:
        table = pa_csv.read_csv(
            io.BytesIO(body),
            # Record numbers are only given to the handler when one thread reads.
            read_options=pa_csv.ReadOptions(use_threads=False, column_names=header, block_size=_block_size(body)),
            parse_options=pa_csv.ParseOptions(
                delimiter=delimiter,
                quote_char=quote,
                newlines_in_values=True,
                ignore_empty_lines=False,
                invalid_row_handler=keep,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise Unreadable(f"the records cannot be parted: {error}") from error
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame, broken


def _block_size(body: bytes) -> int:
    """Arrow cannot read a record that is longer than a block."""
    return min(max(len(body), 1 << 16), _LARGEST_ROW)


def _numbered(cells: pl.DataFrame, header: list[str], broken: list[_Broken]) -> pl.DataFrame:
    """Give every whole record its number among all; an empty cell becomes null."""
    number = pl.int_range(1, cells.height + len(broken) + 1, eager=True, dtype=pl.Int64)
    whole = number.filter(~number.is_in([b.number for b in broken])) if broken else number
    shift = pl.lit(0, pl.Int64)
    for item in broken:
        if len(item.lines) > 1:
            shift += pl.when(pl.col(ROW_NUMBER) > item.number).then(len(item.lines) - 1).otherwise(0)
    texts = [pl.col(c).replace("", None) for c in header]
    return cells.select(*texts, whole.alias(ROW_NUMBER)).with_columns(pl.col(ROW_NUMBER) + shift)


def _lost(broken: list[_Broken], width: int) -> tuple[pl.DataFrame, list[Issue]]:
    """Return the broken records, line by line, as `row_number` and `raw`, and why each could not be parted."""
    rows: list[tuple[int, str]] = []
    issues: list[Issue] = []
    shift = 0
    for item in broken:
        rule, message = "field_count", f"{item.fields} fields where the header has {width}"
        if item.unclosed:
            rule, message = "unclosed_quote", f"a quote opened in row {item.number + shift} is not closed"
        lines = [(item.number + shift + i, line) for i, line in enumerate(item.lines) if line.strip()]
        rows += lines
        issues += [Issue(rule=rule, message=message, row_number=number) for number, _ in lines]
        shift += len(item.lines) - 1
    return pl.DataFrame(rows, schema={ROW_NUMBER: pl.Int64, RAW: pl.String}, orient="row"), issues


def _without_blanks(rows: pl.DataFrame, header: list[str]) -> tuple[pl.DataFrame, list[Issue]]:
    """Leave out rows without any text; one that has others behind it is a warning."""
    blank = pl.all_horizontal(pl.col(c).is_null() for c in [*header, RAW])
    kept = rows.filter(~blank).select(ROW_NUMBER, *header, RAW)
    between = rows.filter(blank)[ROW_NUMBER]
    between = between.filter(between < kept[ROW_NUMBER].last()) if kept.height else between.clear()
    message = "a blank row between others is not counted"
    return kept, [Issue(rule="blank_row", message=message, severity=Severity.WARNING, row_number=n) for n in between]


def _character_issues(rows: pl.DataFrame, header: list[str], body: str) -> Iterator[Issue]:
    """Bytes that are no text in the file's encoding, and control characters, cell by cell."""
    for rule, pattern, message in (
        ("encoding", _BAD_CHARS, "bytes that are no text in the file's encoding"),
        ("control_character", _CONTROLS, "a control character"),
    ):
        if re.search(pattern, body) is None:
            continue
        for column in header:
            hits = rows.filter(pl.col(column).str.contains(pattern)).select(ROW_NUMBER, column)
            for number, value in hits.iter_rows():
                shown = _show_bad_bytes(value)
                yield Issue(rule=rule, message=message, row_number=number, column=column, value=shown)
