"""A document's bytes for the parser, without what fits a known form: such entries and transactions are taken out, and
an empty element stands in the place of those that follow each other. Nothing of their meaning.

What is taken out is well-formed by itself; the parser judges all else, and all around it.
"""

import codecs
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from import_project.formats.iso20022.documents import Document
from import_project.formats.iso20022.entries import Unit
from import_project.formats.iso20022.units import Form, Taken, Units, fitting

_FIRST, _WINDOW = 1 << 12, 1 << 20
_UNIT = 1 << 15  # characters of an entry that is taken as one; of longer ones the transactions are
_ENTRY = re.compile(r"<((?:[^\s<>/:!?]+:)?)Ntry(?=[\s/>])([^<>]*)>")
_INSIDE = re.compile(r"<(/?)((?:[^\s<>/:!?]+:)?)(Ntry|TxDtls)(?=[\s/>])([^<>]*)>")
_ENCODING = re.compile(rb"""<\?xml[^>]*\sencoding\s*=\s*["']([^"']*)["']""")
_DECLARATION = re.compile(r"<\?xml[ \t\r\n][^?<]*\?>")
_UTF8 = {b"utf-8", b"utf8"}
_BLANKS = " \t\r\n"


@dataclass(slots=True)
class Inside:
    """A long entry, by what was found of its transactions."""

    taken: list[Taken] = field(default_factory=list)


#: Entries that stood behind each other and were taken out, the XML of one that was not, or a long one.
Found = list[Unit] | str | Inside


class Thinned:
    """The document, to be read once. `found` tells of each entry in the order in which the parser ends them, until
    thinning was given up: then of no more."""

    def __init__(self, document: Document, units: Units) -> None:
        self.found: deque[Found] = deque()
        self._document, self._units = document, units
        declared = _ENCODING.match(document.head.lstrip())
        utf16 = document.head[:2] in {b"\xff\xfe", b"\xfe\xff"}
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._plain = utf16 or (declared is not None and declared[1].lower() not in _UTF8)
        self._text = ""
        self._rest = b""
        self._window = _FIRST  # small ones first: forms are learned from what went to the parser
        self._inside: Inside | None = None
        self._run: list[Any] | None = None  # of entries or transactions that an empty element stands for already

    def read(self, _size: int = -1) -> bytes:
        """Return some of the bytes; none at the end."""
        while not self._plain:
            block = self._taken(self._window)
            self._window = min(2 * self._window, _WINDOW)
            thinned = self._thinned(block, ended=not block)
            if thinned or not block:
                return thinned
        return self._taken(_WINDOW)

    def _taken(self, size: int) -> bytes:
        """Return so many of the document's next bytes, fewer at its end."""
        blocks, held = [self._rest], len(self._rest)
        while held < size and (block := self._document.read()):
            blocks.append(block)
            held += len(block)
        taken = b"".join(blocks)
        self._rest = taken[size:]
        return taken[:size]

    def _thinned(self, block: bytes, *, ended: bool) -> bytes:
        pending = self._decoder.getstate()[0]
        try:
            self._text += self._decoder.decode(block, final=ended)
        except UnicodeDecodeError:
            self._plain = True  # the parser says what is wrong
            return self._text.encode() + pending + block
        self._run = None  # the parser may have met its element by now
        text, at, out = self._text, 0, list[str]()
        declared = _DECLARATION.match(text) if self._window == 2 * _FIRST else None
        self._plain = _barred(text[declared.end() :] if declared else text)
        while not self._plain:
            before = at
            at = (
                self._entry(at, out, ended=ended)
                if self._inside is None
                else self._transaction(at, out, self._inside, ended=ended)
            )
            if at == before:
                break
        if self._plain or ended:
            out.append(text[at:])
            at = len(text)
        self._text = text[at:]
        pending = self._decoder.getstate()[0] if self._plain else b""  # half a character, which the parser needs now
        return "".join(out).encode() + pending

    def _entry(self, at: int, out: list[str], *, ended: bool) -> int:
        """Go on to behind the next entry, or behind its tag when it is long; as far as can be judged."""
        text = self._text
        tag = _ENTRY.search(text, at)
        if tag is None:
            return self._passed(at, out)
        start, close = tag.start(), f"</{tag[1]}Ntry>"
        end = text.find(close, tag.end(), start + _UNIT)
        if tag[2] or (end < 0 and ended):
            self._plain = True
            return at
        if end < 0 and len(text) - start < _UNIT:
            out.append(text[at:start])
            return start
        if end < 0:
            self._inside, self._run = Inside(), None
            self.found.append(self._inside)
            out.append(text[at : tag.end()])
            return tag.end()
        end += len(close)
        fits = fitting(self._units.entry_forms, text, start)
        if fits is not None and fits[1].end() == end:
            if self._run is None or text[at:start].strip(_BLANKS):
                out += [text[at:start], f"<{tag[1]}Ntry/>"]
                self._run = []
                self.found.append(self._run)
            self._run.append(fits[0].unit(fits[1]))
            return _going_on(fits[0], text, end, self._run, Form.unit)
        if _ENTRY.search(text, tag.end(), end - len(close)):  # one in another: the parser's to judge
            self._plain = True
            return at
        out.append(text[at:end])
        self.found.append(text[start:end])
        self._run = None
        return end

    def _transaction(self, at: int, out: list[str], inside: Inside, *, ended: bool) -> int:
        """Go on to behind the next transaction of a long entry, or behind its end; as far as can be judged."""
        text = self._text
        tag = _INSIDE.search(text, at)
        if tag is None:
            return self._passed(at, out)
        closing, prefix, name, rest = tag.groups()
        if closing and name == "Ntry" and not rest:
            self._inside = self._run = None
            out.append(text[at : tag.end()])
            return tag.end()
        start, close = tag.start(), f"</{prefix}TxDtls>"
        end = text.find(close, tag.end(), start + _UNIT)
        known = not closing and name == "TxDtls" and not rest
        if end < 0 and known and not ended and len(text) - start < _UNIT:
            out.append(text[at:start])
            return start
        if not known or end < 0:
            self._plain = True
            return at
        end += len(close)
        fits = fitting(self._units.transaction_forms, text, start)
        if fits is not None and fits[1].end() == end:
            if self._run is None or text[at:start].strip(_BLANKS):
                out += [text[at:start], f"<{prefix}TxDtls/>"]
                self._run = []
                inside.taken.append(self._run)
            self._run.append(fits[0].transaction(fits[1]))
            return _going_on(fits[0], text, end, self._run, Form.transaction)
        if _INSIDE.search(text, tag.end(), end - len(close)):
            self._plain = True
            return at
        out.append(text[at:end])
        inside.taken.append(text[start:end])
        self._run = None
        return end

    def _passed(self, at: int, out: list[str]) -> int:
        """Pass on what holds no more tags of ours, but for a tag that has only begun."""
        begun = self._text.rfind("<", at)
        end = begun if begun >= 0 and self._text.find(">", begun) < 0 else len(self._text)
        out.append(self._text[at:end])
        self._plain = len(self._text) - end > _UNIT  # a tag as long as that is the parser's to refuse
        return end


def _going_on(form: Form, text: str, at: int, run: list[Any], make: Callable[[Form, re.Match[str]], Any]) -> int:
    """Take out what goes on fitting the form; return where that ends."""
    match = form.pattern.match
    while (found := match(text, at)) is not None:
        run.append(make(form, found))
        at = found.end()
    return at


def _barred(text: str) -> bool:
    """Whether comments, CDATA or instructions stand in the text: tags in them are none."""
    comments = "!" in text and "<!" in text  # the single character is looked for much faster
    return comments or ("?" in text and "<?" in text)
