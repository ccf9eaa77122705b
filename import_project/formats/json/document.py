"""A JSON document: a list of objects, or an object that holds one. Read element by element, in bounded memory."""

import codecs
from collections.abc import Iterator
from typing import Any, BinaryIO

from import_project.errors import Unreadable
from import_project.formats.caps import DEEPEST, LONGEST_RECORD, MOST_VALUES
from import_project.formats.characters import utf8_blocks
from import_project.formats.json import lines
from import_project.formats.json.scan import NotJson, begins_like_json, decoder, skipped, value_at
from import_project.formats.loose import Loose, loose_parts
from import_project.frames import Part

_BLOCK = 1 << 20


def recognise(content: bytes, *, named: bool = False, encoding: str | None = None, **_options: Any) -> bool:
    """Whether the content begins as a list of values or an object does, and is not one object a line."""
    start = content.removeprefix(codecs.BOM_UTF8).lstrip()
    if named:
        return encoding is not None or begins_like_json(start)
    return begins_like_json(start) and not lines.recognise(content)


def parts(content: BinaryIO, *, encoding: str | None = None, records: str | None = None) -> Iterator[Part]:
    """Read a row for each element of the list, or one for an object.

    `records` is the path to the list in an object, such as `data.items`. Raises Unreadable where the text is no JSON:
    what stands behind a mistake cannot be trusted. `raw` is the element's text.
    """
    document = _Document(utf8_blocks(content, encoding, size=_BLOCK))
    return loose_parts(_records(document, records.split(".") if records else []))


def _records(document: "_Document", path: list[str]) -> Iterator[Loose | None]:
    document.enter(path)
    if document.peek() != "[":
        if path:
            raise Unreadable(f"{'.'.join(path)} is no list")
        value, text = document.value("the document")
        if not isinstance(value, dict):
            raise Unreadable("the document is neither a list nor an object")
        yield Loose(fields=value, text=text)
    else:
        yield from document.elements()
    document.leave(path)
    if document.peek():
        raise Unreadable("more text follows the document")


class _Document:
    """The text not read yet; more of it is fetched when what is here is not enough."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._decode = decoder()
        self._text, self._at, self._ended = "", 0, False

    def elements(self) -> Iterator[Loose]:
        """Yield the elements of the list that begins here."""
        self._expect("[")
        number = 0
        if self.peek() == "]":
            self._expect("]")
            return
        while True:
            number += 1
            value, text = self.value(f"element {number}")
            if isinstance(value, dict):
                yield Loose(fields=value, text=text)
            else:
                yield Loose(text=text, rule="unreadable_record", message="the element is no JSON object")
            if self.peek() == "]":
                self._expect("]")
                return
            self._expect(",")

    def leave(self, path: list[str]) -> None:
        """Read on to the end of the objects that were entered: a path that comes twice, or a cut, is a mistake."""
        for step in reversed(path):
            while self.peek() == ",":
                self._expect(",")
                key, _ = self.value("a key")
                self._expect(":")
                if key == step:
                    raise Unreadable(f"the key {step[:40]!r} is given twice")
                self.value(f"the value of {str(key)[:40]}")
            self._expect("}")

    def enter(self, path: list[str]) -> None:
        """Go into nested objects, to the value at `path`."""
        if len(path) > DEEPEST:
            raise Unreadable(f"the path to the records has more than {DEEPEST} steps")
        for step in path:
            self._expect("{")
            while True:
                if self.peek() == "}":
                    raise Unreadable(f"the document has no {'.'.join(path)}")
                key, _ = self.value("a key")
                self._expect(":")
                if key == step:
                    break
                self.value(f"the value of {str(key)[:40]}")
                if self.peek() == ",":
                    self._expect(",")

    def peek(self) -> str:
        """Return the next character that is no blank; an empty text at the end."""
        while True:
            self._at = skipped(self._text, self._at)
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def value(self, what: str) -> tuple[Any, str]:
        """Return the next value and its text."""
        self.peek()
        while True:
            try:
                value, end = value_at(self._decode, self._text, self._at)
            except NotJson as error:
                if self._text.count(",", self._at) > MOST_VALUES:  # all that is here is of this value
                    raise Unreadable(f"{what} has more than {MOST_VALUES:,} values") from None
                if len(self._text) - self._at <= LONGEST_RECORD and self._more():
                    continue
                raise Unreadable(f"{what} is no JSON: {error}") from None
            if end == len(self._text) and self._more():
                continue  # a number might go on
            if end - self._at > LONGEST_RECORD:
                raise Unreadable(f"{what} is longer than {LONGEST_RECORD:,} characters")
            text, self._at = self._text[self._at : end], end
            return value, text

    def _expect(self, sign: str) -> None:
        if self.peek() != sign:
            found = self.peek() or "the end"
            raise Unreadable(f"the document is no JSON: expected {sign} and found {found!r}")
        self._at += 1

    def _more(self) -> bool:
        """Fetch more text, at least as much as is here, so that a long value is not read again too often."""
        if self._ended:
            return False
        kept = [self._text[self._at :]]
        wanted, size = max(len(kept[0]), 1), 0
        while size < wanted and not self._ended:
            block = next(self._blocks, None)
            try:
                text = self._utf8.decode(block or b"", final=block is None)
            except UnicodeDecodeError as error:
                raise Unreadable(f"the document is no UTF-8 text: {error}", do="say format.encoding") from None
            self._ended = block is None
            kept.append(text)
            size += len(text)
        self._text, self._at = "".join(kept), 0
        return size > 0
