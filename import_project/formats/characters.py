"""Text of row files, whatever its encoding, as UTF-8; bytes that are no text stay visible, and are told. No parsing."""

import codecs
from collections.abc import Iterator
from typing import BinaryIO

import polars as pl

from import_project.errors import ConfigError, Unreadable
from import_project.formats.caps import BLOCK
from import_project.frames import ROW_NUMBER
from import_project.records.issues import Issue

CONTROLS = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
# Bytes that are no text travel through readers as these characters of a private plane, and are shown as \xNN.
_FIRST_BAD, BAD = 0x10FF00, "[\U0010ff80-\U0010ffff]"
_SHOWN = {_FIRST_BAD + b: f"\\x{b:02x}" for b in range(128, 256)}
_MARKS = {0xDC00 + b: chr(_FIRST_BAD + b) for b in range(128, 256)}
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def codec_of(head: bytes, encoding: str | None) -> tuple[str, int]:
    """Return the codec of a text that begins with `head`, and the length of its byte order mark.

    A mark decides where nothing is declared, or where it fits what is. Raises ConfigError for an unknown encoding, and
    Unreadable for what looks like UTF-16 that nobody declared.
    """
    try:
        codec = codecs.lookup(encoding or "utf-8").name
    except (LookupError, ValueError):
        raise ConfigError(f"unknown encoding {encoding!r}", do="use a Python codec name such as cp1252") from None
    for mark, name in _BOMS:
        if head.startswith(mark) and (encoding is None or codec.startswith(name[:6])):
            return name, len(mark)
    if encoding is None and (found := unmarked_utf16(head)):
        raise Unreadable(f"the text looks like {found} without a byte order mark", do=f"say format.encoding: {found}")
    return codec, 0


def unmarked_utf16(head: bytes) -> str | None:
    """Return `utf-16-le` or `utf-16-be` when every other byte of most of `head` is NUL, as in Latin text; else None."""
    some = head[:4096]
    half = len(some) // 2
    if half < 2:
        return None
    odd, even = some[1::2].count(0), some[0::2].count(0)
    if odd * 10 > half * 7 and even * 10 < half:
        return "utf-16-le"
    return "utf-16-be" if even * 10 > half * 7 and odd * 10 < half else None


def utf8_blocks(content: BinaryIO, encoding: str | None, *, size: int = BLOCK) -> Iterator[bytes]:
    """Yield the text as UTF-8 in blocks of about `size` bytes, without its byte order mark.

    Blocks of a UTF-8 file may begin and end inside a character and are not proved: see `marked`. Raises Unreadable for
    bytes that cannot be told from the text around them.
    """
    first = content.read(size)
    codec, mark = codec_of(first, encoding)
    block = first[mark:]
    if codec in {"utf-8", "ascii"}:
        while block or (first and len(first) == mark):
            yield block
            first = block = content.read(size)
        return
    try:
        decoder = codecs.getincrementaldecoder(codec)(errors="surrogateescape")
        while block:
            yield decoder.decode(block).translate(_MARKS).encode()
            block = content.read(size)
        yield decoder.decode(b"", final=True).translate(_MARKS).encode()
    except (UnicodeError, AttributeError, LookupError) as error:
        raise Unreadable(f"the bytes are no text in {codec}: {error}") from None


def marked(chunk: bytes) -> tuple[bytes, bool]:
    """Return a piece of UTF-8 with bytes that are none turned into private characters, and whether there are such."""
    if chunk.isascii():
        return chunk, False
    try:
        chunk.decode()
    except UnicodeDecodeError:
        return chunk.decode(errors="surrogateescape").translate(_MARKS).encode(), True
    return chunk, b"\xf4\x8f" in chunk


def shown(text: str) -> str:
    """Return the text with private characters as \\xNN."""
    return text.translate(_SHOWN)


def shown_columns(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with private characters of all its texts as \\xNN."""
    texts = [c for c, dtype in frame.schema.items() if dtype == pl.String]
    return frame.with_columns(pl.col(c).map_elements(shown, return_dtype=pl.String) for c in texts)


def character_issues(rows: pl.DataFrame, columns: list[str]) -> Iterator[Issue]:
    """Bytes that are no text in the file's encoding, and control characters, cell by cell."""
    for rule, pattern, message in (
        ("encoding", BAD, "bytes that are no text in the file's encoding"),
        ("control_character", CONTROLS, "a control character"),
    ):
        for column in columns:
            hits = rows.filter(pl.col(column).str.contains(pattern)).select(ROW_NUMBER, column)
            for number, value in hits.iter_rows():
                yield Issue(rule=rule, message=message, row_number=number, column=column, value=shown(value))
