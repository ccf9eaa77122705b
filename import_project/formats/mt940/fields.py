"""A text as messages, a message as fields: tag, value, and the line the tag stands on. No meaning of any field."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from import_project.errors import Unreadable
from import_project.formats.text import decode_nordic

_TAG = re.compile(r"^:(\d\d[A-Z]?|NS):", re.MULTILINE)
_FIRST = re.compile(r":(?:20|25|28C?|60[FM]|61|62[FM]|34F|NS):")
_END = re.compile(r"\n-(?:\}[^\n]*)?[ \x03]*(?:\n|$)")
_BEFORE = "\n \x01"  # a transmission begins with a control character at some banks
_ENVELOPE = re.compile(r"\{[1-5]:|[A-Z0-9:{} ]{3,40}$")
_LOOK = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field; `value` keeps its line ends, without those at its end."""

    tag: str
    value: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The fields from a `:20:` to the next; `closed` says whether an end mark (`-`) stood behind them."""

    fields: tuple[Field, ...]
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
    line, counted = 1, 0
    tags = list(_TAG.finditer(text))
    for place, tag in enumerate(tags):
        line += text.count("\n", counted, tag.start())
        counted = tag.start()
        end = tags[place + 1].start() if place + 1 < len(tags) else len(text)
        if gathered and (tag[1] == "20" or closed):
            yield Message(fields=tuple(gathered), closed=closed)
            gathered, closed = [], False
        value = text[tag.end() : end]
        if mark := _END.search(value):
            closed, value = True, value[: mark.start()]
        gathered.append(Field(tag=tag[1], value=value.strip("\n"), line=line))
    if gathered:
        yield Message(fields=tuple(gathered), closed=closed)
