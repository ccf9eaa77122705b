"""A text as messages, a message as fields: tag, value, and the line the tag stands on. No meaning of any field."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from import_project.errors import Unreadable
from import_project.formats.text import decode_nordic

_TAG = re.compile(r"^:(\d\d[A-Z]?|NS):", re.MULTILINE)
_FIRST = re.compile(r":(?:20|25|28C?|60[FM]|61|62[FM]|34F|NS):")
_END = re.compile(r"\n-(?:\}[^\n]*)?[ \x03]*(?:\n|$)")
_BEFORE = "\n \x01"  # a transmission begins with a control character at some banks
_ENVELOPE = re.compile(r"\{[1-5]:|[A-Z0-9:{} ]{3,40}$")
_LOOK = 4096


class Field(NamedTuple):
    """One field; `value` keeps its line ends, without those at its end."""

    tag: str
    value: str
    line: int


class Message(NamedTuple):
    """The fields from a `:20:` to the next; `closed` says whether an end mark (`-`) stood behind them."""

    fields: list[Field]
    closed: bool


def recognise(content: bytes) -> bool:
    """Whether `content` begins with a field of a statement, perhaps behind the short lines of an envelope."""
    try:
        head = decode_nordic(content[:_LOOK]).lstrip(_BEFORE)
    except Unreadable:
        return False
    for line in head.split("\n")[:6]:
        if _FIRST.match(line):
            return True
        if line.strip() and not _ENVELOPE.match(line):
            return False
    return False


def messages(text: str) -> Iterator[Message]:
    """Yield the messages of a text."""
    gathered: list[Field] = []
    closed = False
    before, *parts = _TAG.split(text)
    line = 1 + before.count("\n")
    for tag, value in zip(parts[::2], parts[1::2], strict=True):
        if gathered and (tag == "20" or closed):
            yield Message(gathered, closed)
            gathered, closed = [], False
        begun = line
        line += value.count("\n")
        if "\n-" in value and (mark := _END.search(value)):
            closed, value = True, value[: mark.start()]  # noqa: PLW2901 - what stands behind it is no part of it
        gathered.append(Field(tag, value.strip("\n"), begun))
    if gathered:
        yield Message(gathered, closed)


def ends(text: str) -> bool:
    """Whether an end mark stands anywhere in the text: then one must stand behind every message."""
    return _END.search(text) is not None
