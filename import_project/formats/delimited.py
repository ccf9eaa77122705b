"""Delimited text (CSV, TSV): every cell as text, every broken record kept with its number. Cells are not interpreted.

The rules are RFC 4180's, with any one-character delimiter. A record's number counts from 1 after the header; blank
lines are counted but are no rows. An empty cell is null.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv

from import_project.errors import ConfigError, Unreadable
from import_project.frames import Reading, issues_frame
from import_project.records.issues import Issue, Severity

ROW_NUMBER, RAW = "row_number", "raw"
DELIMITERS = ",;\t|"

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NO_TEXT = (b"%PDF-", b"PK\x03\x04", b"\x1f\x8b", b"<?xml", b"\x7fELF", b"\x89PNG")
_LARGEST_ROW = 64 << 20
_GUESS_BYTES = 20_000
_MOST_COLUMNS = 10_000
_OURS = frozenset({ROW_NUMBER, RAW, "identity"})
_CONTROLS = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
# Bytes that are no text travel through the CSV reader as these characters of a private plane, and are shown as \xNN.
_FIRST_BAD, _BAD_CHARS = 0x10FF00, "[\U0010ff80-\U0010ffff]"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lost:
    """A record, or a line of one, that could not be parted, and why."""

    number: int
    text: str
    rule: str
    message: str


def recognise(content: bytes, *, delimiter: str | None = None, encoding: str | None = None, quote: str = '"') -> bool:
    """Whether `content` looks like delimited text.

    With a declared delimiter any text does; without, its first lines must have equally many of one delimiter.
    """
    if content.startswith(_NO_TEXT) or (
        b"\x00" in content[:4096] and encoding is None and not content.startswith(_UTF16)
    ):
        return False
    return delimiter is not None or guess_delimiter(content, encoding) is not None


def guess_delimiter(content: bytes, encoding: str | None = None) -> str | None:
    """Return the one of comma, semicolon, tab and bar that parts most first lines as it parts the header, or None."""
    head = _decode(content[:_GUESS_BYTES], encoding, part=True).translate({0: " "})
    lines = [line for line in head.splitlines()[:21] if line.strip()]
    if len(content) > _GUESS_BYTES and len(lines) > 1:
        lines.pop()  # cut in the middle
    fits = []
    for delimiter in DELIMITERS:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        if widths and widths[0] > 1 and widths.count(widths[0]) * 2 > len(widths):
            fits.append((widths[0], delimiter))
    return max(fits)[1] if fits else None


def read(content: bytes, *, delimiter: str | None = None, encoding: str | None = None, quote: str = '"') -> Reading:
    """Read `content` into text columns with `row_number`, and `raw` for records that could not be parted.

    `encoding` is a Python codec name; without it, the byte order mark decides, else UTF-8. A header named
    `row_number`, `raw` or `identity` gets `_in_file` behind it, a blank one is called `column_N`.
    Raises Unreadable for a file without a usable header, or with text that its encoding cannot hold, and ConfigError
    for an unknown encoding.
    """
    text = _decode(content, encoding)
    delimiter = delimiter or guess_delimiter(content, encoding) or ","
    header, body = _header(text, delimiter, quote)
    sound, numbers, lost = _sound_records(body, delimiter, quote)
    cells, ragged = _cells(sound.encode(), header, delimiter, quote)
    rows, torn = _numbered(cells, ragged, numbers, len(header))
    lost += torn
    broken = pl.DataFrame(
        [(x.number, x.text) for x in lost], schema={ROW_NUMBER: pl.Int64, RAW: pl.String}, orient="row"
    )
    rows = pl.concat([rows, broken], how="diagonal_relaxed").sort(ROW_NUMBER)
    rows, problems = _without_blanks(rows, header)
    problems += [Issue(rule=x.rule, message=x.message, row_number=x.number) for x in lost if x.text.strip()]
    problems += _character_issues(rows, header, body)
    if re.search(_BAD_CHARS, text):
        shown = [pl.col(c).map_elements(_show_bad_bytes, return_dtype=pl.String) for c in [*header, RAW]]
        rows = rows.with_columns(shown)
    return Reading(
        format="delimited", frame=rows, issues=issues_frame(sorted(problems, key=lambda i: i.row_number or 0))
    )


def _decode(content: bytes, encoding: str | None, *, part: bool = False) -> str:
    """Return the text; bytes that are none become private characters. A `part` may end inside a character."""
    try:
        codec = codecs.lookup(encoding or "utf-8").name
    except (LookupError, ValueError):
        raise ConfigError(f"unknown encoding {encoding!r}", do="use a Python codec name such as cp1252") from None
    for mark, name in _BOMS:
        if content.startswith(mark) and (encoding is None or codec.startswith(name[:6])):
            content, codec = content.removeprefix(mark), name
            break
    try:
        text = content.decode(codec, errors="ignore" if part else "strict")
    except UnicodeDecodeError as error:
        try:
            text = content.decode(codec, errors="surrogateescape")
        except UnicodeError:  # UTF-16 and its like have no single bytes to set apart
            raise Unreadable(f"the bytes from {error.start} on are no text in {codec}") from None
        text = text.translate({0xDC00 + b: chr(_FIRST_BAD + b) for b in range(128, 256)})
    except UnicodeError as error:
        raise Unreadable(f"the bytes are no text in {codec}: {error}") from None
    if re.search("[\ud800-\udfff]", text):
        raise Unreadable(f"the text holds half characters, which {codec} should not")
    return text


def _show_bad_bytes(text: str) -> str:
    return re.sub(_BAD_CHARS, lambda m: f"\\x{ord(m[0]) - _FIRST_BAD:02x}", text)


def _csv_reader(lines: Iterable[str], **dialect: Any) -> Any:
    """Python's strict reader, for headers and torn records; its limit of 128 KiB a cell is lifted."""
    csv.field_size_limit(_LARGEST_ROW)
    return csv.reader(lines, strict=True, **dialect)


def _header(text: str, delimiter: str, quote: str) -> tuple[list[str], str]:
    """Return the column names and the text behind the header record."""
    lines = io.StringIO(text, newline="")
    names: list[str] = []
    try:
        for record in _csv_reader(lines, delimiter=delimiter, quotechar=quote):
            names = [name.strip() for name in record]
            if any(names):
                break
    except csv.Error as error:
        raise Unreadable(f"the header cannot be parted: {error}") from None
    if not any(names):
        raise Unreadable("the file is empty: not even a header")
    if len(names) > _MOST_COLUMNS:
        raise Unreadable(f"the header has {len(names)} columns, more than {_MOST_COLUMNS}")
    if found := re.search(f"{_CONTROLS}|{_BAD_CHARS}", "".join(names)):
        raise Unreadable(f"the header is no text: it holds {_show_bad_bytes(found[0])!r}")
    names = [n or f"column_{i}" for i, n in enumerate(names, start=1)]
    names = [f"{n}_in_file" if n in _OURS else n for n in names]
    if twice := sorted(n[:40] for n, count in Counter(names).items() if count > 1):
        raise Unreadable(f"the header names {', '.join(map(repr, twice))} more than once")
    for name in names:
        if name == "*" or (name.startswith("^") and name.endswith("$")):
            raise Unreadable(f"{name[:40]!r} cannot be a column's name")
    return names, lines.read()


def _sound_records(body: str, delimiter: str, quote: str) -> tuple[str, list[int] | None, list[_Lost]]:
    """Take out records whose quotes are torn, line by line: left in, they would swallow the lines behind them.

    Returns the sound text, the number of each of its records (None: they are numbered from 1), and what was taken out.
    """
    if quote not in body:
        return body, None, []
    q, ends = re.escape(quote), f"[{re.escape(delimiter)}\r\n]"
    if quote not in re.sub(rf"(?:(?<={ends})|\A){q}(?:[^{q}]++|{q}{q})*+{q}(?={ends}|\Z)", "", body):
        return body, None, []  # every quote opens or closes a whole field
    lines = io.StringIO(body, newline="").readlines()
    reader = _csv_reader(lines, delimiter=delimiter, quotechar=quote)
    sound: list[str] = []
    numbers: list[int] = []
    lost: list[_Lost] = []
    number, start = 1, 0
    while start < len(lines):
        try:
            next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            what = f"a quote opened in row {number} is torn: {error}"
            torn = lines[start : reader.line_num]
            lost += [_Lost(number=number + i, text=x, rule="torn_quote", message=what) for i, x in enumerate(torn)]
            number += len(torn)
        else:
            sound += lines[start : reader.line_num]
            numbers.append(number)
            number += 1
        start = reader.line_num
    return "".join(sound), numbers, [replace(x, text=x.text.rstrip("\r\n")) for x in lost]


def _cells(
    body: bytes, header: list[str], delimiter: str, quote: str
) -> tuple[pl.DataFrame, list[tuple[int, int, str]]]:
    """Part `body` with Arrow's reader, which reports records of another width (number, fields, text) and goes on."""
    ragged: list[tuple[int, int, str]] = []

    def keep(row: pa_csv.InvalidRow) -> str:
        ragged.append((row.number, row.actual_columns, row.text))
        return "skip"

    if not body.strip():
        return pl.DataFrame(schema=dict.fromkeys(header, pl.String)), ragged
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
    return frame, ragged


def _block_size(body: bytes) -> int:
    """Arrow cannot read a record that is longer than a block."""
    return min(max(len(body), 1 << 16), _LARGEST_ROW)


def _numbered(
    cells: pl.DataFrame, ragged: list[tuple[int, int, str]], numbers: list[int] | None, width: int
) -> tuple[pl.DataFrame, list[_Lost]]:
    """Give every record its number among all of the file; an empty cell becomes null."""
    total = cells.height + len(ragged)
    given = pl.Series(numbers, dtype=pl.Int64) if numbers is not None else pl.int_range(1, total + 1, eager=True)
    places = pl.int_range(1, total + 1, eager=True)
    whole = given.filter(~places.is_in([place for place, _, _ in ragged])) if ragged else given
    texts = [pl.col(c).replace("", None) for c in cells.columns]
    message = f"fields where the header has {width}"
    torn = [
        _Lost(number=given[place - 1], text=text.rstrip("\r\n"), rule="field_count", message=f"{fields} {message}")
        for place, fields, text in ragged
    ]
    return cells.select(whole.cast(pl.Int64).alias(ROW_NUMBER), *texts), torn


def _without_blanks(rows: pl.DataFrame, header: list[str]) -> tuple[pl.DataFrame, list[Issue]]:
    """Leave out rows without any text; one that has others behind it is a warning."""
    blank = pl.all_horizontal(
        *(pl.col(c).is_null() for c in header), pl.col(RAW).is_null() | (pl.col(RAW).str.strip_chars() == "")
    )
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
