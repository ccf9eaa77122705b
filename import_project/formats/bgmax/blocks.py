"""The records of a BgMax file in blocks, each but the first from a payment's record on, numbered as in the file. No
fields."""

import codecs
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

import polars as pl

from import_project.errors import Unreadable
from import_project.formats.bgmax.layout import INSIDE
from import_project.formats.text import with_line_feeds
from import_project.in_order import in_order

BYTES = 1 << 23


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Some records.

    `lines` has `row_number` (line from 1), `line` without blanks at its end, `record`, and `section` from 1: one starts
    at a 05, or where something follows a 15; 01, 70 and unknown records stand in none (null). `count` is how many lines
    there are, blank ones too, `ends` the first and the last record, `inside` the same of those that stand in a section.
    """

    lines: pl.DataFrame
    count: int
    records: Counter[str]
    ends: tuple[str, ...]
    inside: tuple[str, ...]


def blocks(content: BinaryIO, size: int) -> Iterator[Block]:
    """Read a file from its start, some `size` bytes a block; at least one. Raises Unreadable when it holds a NUL."""
    encoding = _encoding(content)
    return _numbered(in_order(lambda block: _block(block.decode(encoding)), _cut(content, size)))


def _encoding(content: BinaryIO) -> str:
    """Return UTF-8 where all of the file is, else Latin-1."""
    content.seek(0)
    strict = codecs.getincrementaldecoder("utf-8")()
    utf8 = True
    while block := content.read(BYTES):
        if b"\x00" in block:
            raise Unreadable("the file holds NUL bytes", do="ask the sender for the file as text")
        if utf8 and (strict.getstate()[0] or not block.isascii()):
            try:
                strict.decode(block)
            except UnicodeDecodeError:
                utf8 = False
    return "utf-8" if utf8 and not strict.getstate()[0] else "iso-8859-1"


def _cut(content: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the file's bytes without a byte order mark, cut before records of payments."""
    content.seek(0)
    waiting = [content.read(size).removeprefix(codecs.BOM_UTF8)]
    while block := content.read(size):
        start = _last_payment(block)
        if start:
            yield b"".join([*waiting, memoryview(block)[:start]])
            waiting = [block[start:]]
        else:
            waiting.append(block)
    yield b"".join(waiting)


def _last_payment(block: bytes) -> int:
    """Return where the last 20 or 21 record that is wholly seen to begin in `block` begins; 0 where none does."""
    at = len(block)
    while (at := block.rfind(b"\n2", 0, at)) >= 0:
        if block[at + 2 : at + 3] in {b"0", b"1"}:
            return at + 1
    return 0


def _block(text: str) -> Block:
    """Return a block that counts from 1, and sections from 0 as if it went on with one."""
    lines, count = _lines(text)
    if "\t" in text or lines.select(pl.col("line").str.contains("\r", literal=True).any()).item():
        lines, count = _lines(with_line_feeds(text))
    inside = lines.select(pl.col("record").filter(pl.col("section").is_not_null())).to_series()
    return Block(
        lines=lines,
        count=count,
        records=Counter(dict(lines.group_by("record").len().iter_rows())),
        ends=_ends(lines["record"]),
        inside=_ends(inside),
    )


def _lines(text: str) -> tuple[pl.DataFrame, int]:
    """Return the lines that are not blank, and how many line feeds there are."""
    parted = pl.Series("line", [text]).str.split("\n").explode()
    line, record = pl.col("line"), pl.col("record")
    inside = record.is_in(INSIDE)  # a record type we do not know must not open a section
    before = pl.when(inside).then(record).forward_fill().shift(1)
    starts = (inside & ((record == "05") | (before == "15").fill_null(value=False))).cast(pl.Int64)
    lines = (
        parted.to_frame()
        .lazy()
        .with_row_index("row_number", offset=1)
        .with_columns(pl.col("row_number").cast(pl.Int64), line.str.strip_chars_end())
        .filter(line != "")
        .with_columns(record=line.str.slice(0, 2))
        .with_columns(section=pl.when(inside).then(starts.cum_sum()))
        .collect()
    )
    return lines, parted.len() - 1


def _ends(records: pl.Series) -> tuple[str, ...]:
    return (records[0], records[-1]) if records.len() else ()


def _numbered(found: Iterable[Block]) -> Iterator[Block]:
    """Number lines and sections as they stand in the file."""
    lines, sections, before = 0, 0, "15"
    for block in found:
        if block.inside:
            sections += block.inside[0] != "05" and before == "15"
            before = block.inside[1]
        columns = (pl.col("row_number") + lines, pl.col("section") + sections)
        yield replace(block, lines=block.lines.with_columns(columns))
        lines += block.count
        sections += int(block.lines["section"].max() or 0)  # type: ignore[arg-type]
