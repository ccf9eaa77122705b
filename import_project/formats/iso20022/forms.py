"""Forms: patterns of entries and transactions whose markup and codes were read by the XML parser before, with room for
other texts. What fits is well-formed and has the same shape; what does not is left to the parser."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from import_project.formats.iso20022.shapes import CODES, END, TEXT, Key

#: A tag and the text behind it. Comments, CDATA and instructions are none.
_TOKEN = re.compile(r"<(/?)([^\s<>/!?]+)([^<>]*)>([^<>&]*)")
_CURRENCY = re.compile(r"""\sCcy\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_BARRED = r"<>&\r\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff"  # in XML, or by it
_ROOM = rf"(?!\s)([^{_BARRED}]+)(?<!\s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An element as it was written: its shape, its texts, and the pattern of all that are written so, blanks before
    them too."""

    key: Key
    texts: list[str]
    pattern: re.Pattern[str]


def as_written(xml: str) -> Written | None:
    """Take the text of an element apart; None where that is the parser's to do."""
    key: list[str] = []
    texts: list[str] = []
    pattern: list[str] = []
    open_names: list[str] = []
    end = 0
    first = _TOKEN.match(xml)
    prefix = first[2][: first[2].rfind(":") + 1] if first else ""
    for token in _TOKEN.finditer(xml):
        closing, name, rest, told = token.groups()
        if token.start() != end or "&" in rest or ":" in rest or name[: name.rfind(":") + 1] != prefix:
            return None  # a prefix of its own may be bound to nothing elsewhere
        end = token.end()
        text = told.strip()
        pattern.append(re.escape(xml[token.start() : token.start(4)]))
        local = name.rpartition(":")[2]
        alone = rest.endswith("/")
        if closing:
            if rest.strip() or not open_names or open_names.pop() != name:
                return None
            key.append(END)
        else:
            key.append(local)
            if currency := _CURRENCY.search(rest):
                key.append("@" + (currency[1] if currency[1] is not None else currency[2]))
            if alone:
                key.append(END)
            else:
                open_names.append(name)
        if text and (closing or alone):
            return None
        if not text or local in CODES:
            pattern.append(re.escape(told))
            key += ["=" + text] if text else []
            continue
        key.append(TEXT)
        texts.append(text)
        before, behind = len(told) - len(told.lstrip()), len(told.rstrip())
        pattern += [re.escape(told[:before]), _ROOM, re.escape(told[behind:])]
    if end != len(xml) or open_names:
        return None
    return Written(key=tuple(key), texts=texts, pattern=re.compile(r"[ \t\r\n]*" + "".join(pattern)))


def parted(key: Key, name: str) -> tuple[tuple[Key, list[int]], list[tuple[Key, list[int]]]]:
    """Part a shape into that without the elements of a name and theirs, each with the places its texts have."""
    outer: list[str] = []
    places: list[int] = []
    inner: list[tuple[list[str], list[int]]] = []
    depth, text = 0, 0
    for token in key:
        inside = depth > 0 or token == name
        if depth == 0 and token == name:
            inner.append(([], []))
            outer += [name, END]
        if inside and (token == END or token[0] not in "@=#"):
            depth += -1 if token == END else 1
        (inner[-1][0] if inside else outer).append(token)
        if token == TEXT:
            (inner[-1][1] if inside else places).append(text)
            text += 1
    return (tuple(outer), places), [(tuple(k), p) for k, p in inner]


def counted(key: Key, holder: str, name: str) -> Sequence[int]:
    """Return how many children of a name each child called `holder` has."""
    counts: list[int] = []
    path: list[str] = []
    for token in key:
        if token == END:
            path.pop()
        elif token[0] not in "@=#":
            path.append(token)
            if path[1:] == [holder]:
                counts.append(0)
            elif path[1:] == [holder, name]:
                counts[-1] += 1
    return counts
