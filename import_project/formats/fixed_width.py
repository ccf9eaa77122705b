"""Lines whose fields stand at fixed places. A line that ends early or goes on is set aside, the rest goes on."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, BinaryIO

import polars as pl

from import_project.errors import ConfigError
from import_project.formats.bytes_index import byte_column, has_controls
from import_project.formats.caps import BATCH_ROWS, BLOCK
from import_project.formats.characters import character_issues, marked, shown_columns, utf8_blocks
from import_project.formats.lines import Line, lines_of
from import_project.frames import RAW, ROW_NUMBER, Batch, Part, issues_at, issues_frame
from import_project.records.issues import Issue, Severity


def recognise(content: bytes, *, fields: Sequence[Mapping[str, Any]] | None = None, **_options: Any) -> bool:
    """Whether the places of fields are declared, and the content is text: nothing else tells such a file."""
    return fields is not None and not content.startswith((b"PK\x03\x04", b"%PDF-", b"\x1f\x8b"))


def parts(
    content: BinaryIO,
    *,
    fields: Sequence[Mapping[str, Any]] | None = None,
    encoding: str | None = None,
    skip_lines: int = 0,
    pad: bool = False,
) -> Iterator[Part]:
    """Read text columns. Each of `fields` has `name`, `start` (from 1) and `width`, in characters.

    `skip_lines` lines stand before the first record. With `pad`, what a line lacks at its end is blank.
    """
    if not fields:
        raise ConfigError("fixed_width needs fields", do="say format.fields: [{name, start, width}, ...]")
    lines = islice(lines_of(utf8_blocks(content, encoding)), skip_lines, None)
    yield partial(_batch, [], fields, pad=pad, last=False)
    some: list[Line] = []
    for more in _grouped(lines):
        if some:
            yield partial(_batch, some, fields, pad=pad, last=False)
        some = more
    if some:
        yield partial(_batch, some, fields, pad=pad, last=True)


def _grouped(lines: Iterator[Line]) -> Iterator[list[Line]]:
    """Put lines together, a bounded number of bytes and of lines at a time."""
    some: list[Line] = []
    size = 0
    for line in lines:
        some.append(line)
        size += len(line.text)
        if size >= BLOCK or len(some) >= BATCH_ROWS:
            yield some
            some, size = [], 0
    if some:
        yield some


def _batch(lines: list[Line], fields: Sequence[Mapping[str, Any]], *, pad: bool, last: bool) -> Batch:
    texts, odd = _texts(lines)
    ends = max(f["start"] - 1 + f["width"] for f in fields)
    ended = texts.str.strip_chars_end()
    blank, over = ended == "", ended.str.len_chars() > ends
    del ended  # of long lines, a copy that is not small
    short = texts.str.len_chars() < (0 if pad else ends)
    long = pl.Series([line.too_long for line in lines], dtype=pl.Boolean)
    frame = pl.DataFrame(
        {ROW_NUMBER: pl.int_range(1, len(lines) + 1, dtype=pl.Int64, eager=True)}
        | {f["name"]: texts.str.slice(f["start"] - 1, f["width"]).str.strip_chars().replace("", None) for f in fields}
    )
    names = [f["name"] for f in fields]
    torn = short | over | long
    frame = frame.with_columns(
        *(pl.when(~torn).then(pl.col(n)).alias(n) for n in names), pl.when(torn).then(texts).alias(RAW)
    )
    early, behind = f"the line ends before column {ends}", f"text stands behind column {ends}"
    issues = [
        issues_at(_numbers(short & ~long & ~blank), rule="short_record", message=early),
        issues_at(_numbers(over & ~long), rule="long_record", message=behind),
        issues_frame(
            Issue(rule="long_record", message=line.told, row_number=n)
            for n, line in enumerate(lines, start=1)
            if line.too_long
        ),
    ]
    if odd:
        issues.append(issues_frame(character_issues(frame, names)))
        frame = shown_columns(frame)
    kept, between = frame.filter(~blank), _numbers(blank)
    if last:
        between = between.filter(between < (kept[ROW_NUMBER].max() or 0))
    told = "a blank row between others is not counted"
    issues.append(issues_at(between, rule="blank_row", message=told, severity=Severity.WARNING))
    return Batch(frame=kept, issues=pl.concat(issues).sort(ROW_NUMBER, maintain_order=True), records=len(lines))


def _texts(lines: list[Line]) -> tuple[pl.Series, bool]:
    """Return the lines' texts, and whether a character among them is to be told."""
    found = [marked(line.text) for line in lines]
    texts = pl.Series(RAW, [text.decode(errors="ignore") for text, _ in found], dtype=pl.String)
    if any(bad for _, bad in found):
        return texts, True
    joined = b"\n".join(text for text, _ in found)
    return texts, has_controls(joined, byte_column(joined))


def _numbers(mask: pl.Series) -> pl.Series:
    return mask.arg_true().cast(pl.Int64) + 1
