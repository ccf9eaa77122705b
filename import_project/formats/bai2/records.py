"""A text as logical records, each with its continuations (88) and the line it begins on. No meaning of any field."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from import_project.errors import Unreadable
from import_project.formats.text import decode_nordic

#: A record begins with a line, or behind the end of another on the same line.
_START = re.compile(r"(?:(?<=\n)|(?<=/)|^)[ \t]*(01|02|03|16|49|88|98|99),")
_FIRST = re.compile(r"\s*01,[^,\n]*,[^,\n]*,\d{6},\d{0,4},")
_AMOUNTS_OF = {"S": 3, "V": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One logical record: kind, its text with continuations joined, how many physical ones, and its line."""

    kind: str
    text: str
    physical: int
    line: int


def recognise(content: bytes) -> bool:
    """Whether the first record is a file header with a date."""
    try:
        return _FIRST.match(decode_nordic(content[:400])) is not None
    except Unreadable:
        return False


def records(text: str) -> Iterator[Record]:
    """Yield the logical records."""
    starts = list(_START.finditer(text))
    kind, told, physical, begun = "", "", 0, 0
    line, counted = 1, 0
    for place, start in enumerate(starts):
        end = starts[place + 1].start() if place + 1 < len(starts) else len(text)
        line += text.count("\n", counted, start.start())
        counted = start.start()
        content = " ".join(text[start.end() : end].split("\n")).strip()
        if start[1] == "88" and kind:
            physical += 1
            told = _joined(kind, told, content)
            continue
        if kind:
            yield Record(kind=kind, text=told.removesuffix("/").rstrip(), physical=physical, line=begun)
        kind, told, physical, begun = start[1], content, 1, line
    if kind:
        yield Record(kind=kind, text=told.removesuffix("/").rstrip(), physical=physical, line=begun)


def _joined(kind: str, told: str, more: str) -> str:
    """Put a continuation behind a record: behind the text of a transaction with a blank, else as further fields."""
    told = told.removesuffix("/").rstrip()
    if kind == "16" and text_place(told.split(",")) is not None:
        return f"{told} {more}"
    return f"{told},{more}"


def text_place(fields: list[str]) -> int | None:
    """Return which of a transaction's fields is its text; None while there are too few."""
    place = funds_end(fields, 2)
    if place is None or len(fields) <= place + 2:
        return None
    return place + 2


def funds_end(fields: list[str], place: int) -> int | None:
    """Return which field follows the funds type at `place` and what belongs to it; None where that is cut off."""
    if len(fields) <= place:
        return None
    kind = fields[place].strip().upper()
    if kind == "D":
        count = fields[place + 1].strip() if len(fields) > place + 1 else ""
        if not (count.isascii() and count.isdecimal() and len(count) < 4):
            return None
        return place + 2 + 2 * int(count)
    return place + 1 + _AMOUNTS_OF.get(kind, 0)
