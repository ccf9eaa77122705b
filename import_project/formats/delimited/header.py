"""The beginning of a delimited file: whether it is one, its delimiter, and its columns' names. No records."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from import_project.errors import Unreadable
from import_project.formats.caps import LONGEST_RECORD, MOST_COLUMNS
from import_project.formats.characters import BAD, CONTROLS, codec_of, shown
from import_project.formats.json.scan import begins_like_json
from import_project.frames import RESERVED

DELIMITERS = ",;\t|"

_NO_TEXT = (
    b"%PDF-",
    b"PK\x03\x04",
    b"\x1f\x8b",
    b"\x7fELF",
    b"\x89PNG",
    b"PAR1",
    b"ORC",
    b"Obj\x01",
    b"\xd0\xcf\x11\xe0",
)
_GUESS_BYTES = 20_000
_LONGEST_HEADER = 1 << 20


def recognise(
    content: bytes, *, delimiter: str | None = None, encoding: str | None = None, named: bool = False, **_options: Any
) -> bool:
    """Whether `content` looks like delimited text.

    Where the format is `named`, any text does. Else its first lines must have equally many of one delimiter, and it
    must not begin as XML or JSON do.
    """
    if named:
        return bool(content.strip()) and not content.startswith(_NO_TEXT)
    marked = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    if content.startswith(_NO_TEXT) or (b"\x00" in content[:4096] and encoding is None and not marked):
        return False
    if delimiter is not None:
        return True
    return not begins_like_markup(content) and guess_delimiter(content, encoding) is not None


def begins_like_markup(content: bytes) -> bool:
    """Whether the text begins as an XML or a JSON document does."""
    start = content[:1024].removeprefix(b"\xef\xbb\xbf").lstrip()
    return re.match(rb"<[?!A-Za-z_/]", start) is not None or begins_like_json(start)


def guess_delimiter(content: bytes, encoding: str | None = None) -> str | None:
    """Return the one of comma, semicolon, tab and bar that parts most first lines as it parts the header, or None."""
    try:
        codec, mark = codec_of(content, encoding)
        head = content[mark:_GUESS_BYTES].decode(codec, errors="ignore").translate({0: " "})
    except (UnicodeError, Unreadable):
        return None
    lines = [line for line in head.splitlines()[:21] if line.strip()]
    if len(content) > _GUESS_BYTES and len(lines) > 1:
        lines.pop()  # cut in the middle
    fits = []
    for delimiter in DELIMITERS:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        if widths and widths[0] > 1 and widths.count(widths[0]) * 2 > len(widths):
            fits.append((widths[0], delimiter))
    return max(fits)[1] if fits else None


def csv_reader(lines: Iterable[str], **dialect: Any) -> Any:
    """Python's strict reader, for headers and torn records; its limit of 128 KiB a cell is lifted."""
    csv.field_size_limit(LONGEST_RECORD)
    return csv.reader(lines, strict=True, **dialect)


def header_of(head: bytes, delimiter: str, quote: str) -> tuple[list[str], int]:
    """Return the names in the header record as they stand, and how many bytes of `head` go up to its end."""
    text = head[:_LONGEST_HEADER].decode(errors="ignore")
    lines, consumed, names = io.StringIO(text, newline=""), 0, list[str]()

    def counted() -> Iterable[str]:
        nonlocal consumed
        for line in lines:
            consumed += len(line.encode())
            yield line

    try:
        for record in csv_reader(counted(), delimiter=delimiter, quotechar=quote):
            names = [name.strip() for name in record]
            if any(names):
                break
    except csv.Error as error:
        raise Unreadable(f"the header cannot be parted: {error}") from None
    if not any(names):
        raise Unreadable("the file is empty: not even a header")
    if len(head) > _LONGEST_HEADER and consumed >= len(text.encode()):
        raise Unreadable(f"the header is longer than {_LONGEST_HEADER:,} bytes")
    return names, consumed


def column_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return names that can be columns', and those that stand more than once, each then with its number behind it.

    A blank one is called `column_N`, one of ours gets `_in_file` behind it. Raises Unreadable for what can be no name.
    """
    if len(names) > MOST_COLUMNS:
        raise Unreadable(f"the header has {len(names)} columns, more than {MOST_COLUMNS}")
    if found := re.search(f"{CONTROLS}|{BAD}", "".join(names)):
        raise Unreadable(f"the header is no text: it holds {shown(found[0])!r}")
    names = [n or f"column_{i}" for i, n in enumerate(names, start=1)]
    names = [f"{n}_in_file" if n in RESERVED else n for n in names]
    count, nth = Counter(names), Counter[str]()
    twice = [n for n, times in count.items() if times > 1]
    given = []
    for name in names:
        nth[name] += 1
        given.append(f"{name}_{nth[name]}" if count[name] > 1 else name)
    if clash := next((n for n, times in Counter(given).items() if times > 1), None):
        raise Unreadable(f"the header names {clash[:40]!r} more than once")
    for name in given:
        if name == "*" or (name.startswith("^") and name.endswith("$")):
            raise Unreadable(f"{name[:40]!r} cannot be a column's name")
    return given, twice
