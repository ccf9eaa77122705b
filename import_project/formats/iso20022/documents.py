"""The XML documents of a file: banks put several behind each other, or blanks before the first. No elements."""

import re
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO

from import_project.formats.markup import refuse_doctype

_BLOCK = 1 << 16
_DECLARATION = re.compile(rb"<\?xml[ \t\r\n]")
_KEPT = 5  # bytes that may be the beginning of a declaration cut in two
_PROLOG = 1 << 20


class Document:
    """One document, to be read once, from its start to the next one's declaration. Not the whole of `BinaryIO`."""

    def __init__(self, content: BinaryIO, rest: bytes) -> None:
        self._content = content
        self.rest = rest
        self._ended = False
        self._head = self._pull()
        while len(self._head) < _PROLOG and b">" not in self._head[256:] and (more := self._pull()):
            self._head += more
        refuse_doctype(BytesIO(self._head))

    def _pull(self) -> bytes:
        """Return the next bytes of this document; none at its end."""
        while not self._ended:
            start = 1 if not hasattr(self, "_head") else 0
            if found := _DECLARATION.search(self.rest, start):
                self._ended, taken, self.rest = True, self.rest[: found.start()], self.rest[found.start() :]
                return taken
            block = self._content.read(_BLOCK)
            if not block:
                self._ended, taken, self.rest = True, self.rest, b""
                return taken
            taken, kept = self.rest[:-_KEPT], self.rest[-_KEPT:]
            self.rest = kept + block
            if taken:
                return taken
        return b""

    @property
    def head(self) -> bytes:
        """The beginning of the document, before anything was read."""
        return self._head

    def read(self, _size: int = -1) -> bytes:
        """Return some of the document's bytes; how many is for us to say."""
        head, self._head = self._head, b""
        return head or self._pull()


def documents(content: BinaryIO) -> Iterator[Document]:
    """Yield the documents of a file, each to be read to its end before the next.

    Raises NotAllowed where one declares a document type, Unreadable where one is no XML.
    """
    rest = content.read(_BLOCK).removeprefix(b"\xef\xbb\xbf").lstrip()
    while rest:
        document = Document(content, rest)
        yield document
        rest = document.rest
