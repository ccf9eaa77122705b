"""A text file's lines, one by one in bounded memory, for formats whose records are lines."""

from collections.abc import Iterator
from typing import NamedTuple

from import_project.formats.caps import LONGEST_RECORD, SHOWN_OF_LONG


class Line(NamedTuple):
    """One line without its end. Of one that is too long (`size` bytes) the text is only the beginning.

    A plain tuple, for a file has millions.
    """

    text: bytes
    size: int

    @property
    def too_long(self) -> bool:
        """Whether it is longer than a record may be."""
        return self.size > LONGEST_RECORD

    @property
    def told(self) -> str:
        """What is wrong with a line that is too long."""
        return f"the record is {self.size:,} bytes long, more than {LONGEST_RECORD:,}; only its beginning is kept"


def lines_of(blocks: Iterator[bytes]) -> Iterator[Line]:
    """Yield the lines of UTF-8 blocks; LF and CRLF end them, and CR where a block holds no LF at all."""
    pending, passed = b"", 0
    for block in blocks:
        if b"\r" in block and b"\n" not in block:
            block = block.replace(b"\r", b"\n")  # noqa: PLW2901
        *whole, rest = block.split(b"\n")
        for line in whole:
            text = pending + line
            yield _line(text, passed)
            pending, passed = b"", 0
        pending += rest
        if len(pending) > LONGEST_RECORD:
            passed += len(pending) - SHOWN_OF_LONG
            pending = pending[:SHOWN_OF_LONG]
    if pending:
        yield _line(pending, passed)


def _line(text: bytes, passed: int) -> Line:
    size = passed + len(text)
    text = text.removesuffix(b"\r")
    return Line(text[:SHOWN_OF_LONG] if size > LONGEST_RECORD else text, size)
