"""A multipart form read as it comes: small fields first, then one file, whose bytes are never held as a whole."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from import_project.errors import BadForm

_LONGEST_FIELD, _MOST_FIELDS, _MOST_BESIDE = 4096, 16, 1 << 16
_IDLE_SECONDS = 60.0


@dataclass(slots=True)
class _Part:
    name: str = ""
    filename: str | None = None
    headers: dict[bytes, bytes] = field(default_factory=dict)


class FormReader:
    """Reads `multipart/form-data`: `until_file` gives the fields before the file, `file` then streams it."""

    def __init__(self, content_type: str, body: AsyncIterator[bytes]) -> None:
        kind, options = parse_options_header(content_type.encode("latin-1", "replace"))
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not boundary:
            raise BadForm("the body is no multipart/form-data", do="send the fields `feed` and `file`")
        self._body = body
        self._part = _Part()
        self._header, self._value = b"", b""
        self._text = bytearray()
        self._chunks: list[bytes] = []
        self._ended = False
        self._parts = self._beside = 0
        self.fields: dict[str, str] = {}
        self.filename: str | None = None
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_begin": self._header_begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers,
                "on_part_data": self._data,
                "on_part_end": self._end,
            },
        )

    async def until_file(self) -> str | None:
        """Read fields until the file begins. Returns its name; None when there is no file. Raises BadForm."""
        while self.filename is None and await self._more():
            pass
        return self.filename

    async def file(self) -> AsyncIterator[bytes]:
        """Yield the file's bytes; what comes after it is not looked at. Raises BadForm for one that breaks off."""
        while True:
            chunks, self._chunks = self._chunks, []
            for chunk in chunks:
                yield chunk
            if self._ended:
                return
            if not await self._more():
                raise BadForm("the file broke off", do="send it again")

    async def _more(self) -> bool:
        try:
            chunk = await asyncio.wait_for(anext(self._body, b""), _IDLE_SECONDS)
        except ClientDisconnect:
            return False
        except TimeoutError:
            raise BadForm(f"nothing came for {_IDLE_SECONDS:.0f} seconds", do="send it again") from None
        if not chunk:
            return False
        if self.filename is None:
            self._beside += len(chunk)
            if self._beside > _MOST_BESIDE + len(chunk):
                raise BadForm(f"more than {_MOST_BESIDE:,} bytes before the file", do="send `feed`, then `file`")
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise BadForm(f"the form cannot be read: {error}") from None
        return True

    def _begin(self) -> None:
        self._part = _Part()
        self._text.clear()
        self._parts += 1
        if self._parts > _MOST_FIELDS:
            raise BadForm(f"more than {_MOST_FIELDS} fields", do="send `feed`, then `file`")

    def _header_begin(self) -> None:
        self._header, self._value = b"", b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._part.headers[self._header.lower()] = self._value

    def _headers(self) -> None:
        _, options = parse_options_header(self._part.headers.get(b"content-disposition", b""))
        self._part.name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" in options and self.filename is None and self._part.name == "file":
            self._part.filename = options[b"filename"].decode("utf-8", "replace")
            self.filename = self._part.filename

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._ended:
            return
        if self._part.filename is not None:
            self._chunks.append(data[start:end])
            return
        self._text += data[start:end]
        if len(self._text) > _LONGEST_FIELD:
            raise BadForm(
                f"the field {self._part.name[:40]!r} is too long", do="a file is the field `file`, with a name"
            )

    def _end(self) -> None:
        if self._part.filename is not None:
            self._ended = True
        elif not self._ended:
            self.fields[self._part.name] = self._text.decode("utf-8", "replace")
