"""Large files that are made to cost their reader as much memory as they can, of any size that is asked for."""

from collections.abc import Callable, Mapping

from import_project_tests.formats import fuzz

Make = Callable[[int], bytes]


def _of(piece: bytes, before: bytes = b"", after: bytes = b"") -> Make:
    """As many of a piece as there is room for."""

    def make(size: int) -> bytes:
        return before + piece * max(1, (size - len(before) - len(after)) // len(piece)) + after

    return make


def _within(name: str, at: bytes, piece: bytes) -> Make:
    """A sound bank file with as many of a piece before the first place of some bytes."""
    sound = fuzz.SEEDS[name][1]
    place = sound.index(at)
    return _of(piece, sound[:place], sound[place:])


def _again(name: str, start: bytes, end: bytes) -> Make:
    """A sound bank file in which one part of it is repeated."""
    sound = fuzz.SEEDS[name][1]
    first = sound.index(start)
    last = sound.index(end, first + len(start))
    return _of(sound[first:last], sound[:first], sound[last:])


_EVERYWHERE: Mapping[str, Make] = {
    "line ends": _of(b"\n"),
    "one line": _of(b"a"),
    "zeros": _of(b"\0"),
    "no text": _of(b"\xff"),
    "digits in lines": _of(b"1\n"),
}
_XML: Mapping[str, Make] = {
    "depth": _of(b"<a>"),
    "one attribute": _of(b"a", b'<orders><o id="', b'"/></orders>'),
    "attributes": lambda size: b"<orders><o " + b" ".join(b'a%d=""' % n for n in range(size // 12)) + b"/></orders>",
    "entities": _of(b"&amp;", b"<orders><o><id>", b"</id></o></orders>"),
}

#: Of each reader, by a name.
HOSTILE: Mapping[str, Mapping[str, Make]] = {
    "delimited": {
        **_EVERYWHERE,
        "short rows": _of(b"a;b\n", b"id;amount\n"),
        "columns": _of(b";"),
        "wide rows": _of(b";" * 999 + b"\n", b";".join(b"c%d" % n for n in range(1000)) + b"\n"),
        "one quoted cell": _of(b"a;\n", b'id;amount\n"'),
        "quotes": _of(b'"'),
        "doubled quotes": _of(b'""""\n', b"id\n"),
    },
    "json": {
        **_EVERYWHERE,
        "depth": _of(b"["),
        "small records": _of(b"{},", b'{"rows": [', b"{}]}"),
        "records of one": _of(b'{"a":1},', b'{"rows": [', b"{}]}"),
        "new columns": lambda size: b'{"rows": [' + b",".join(b'{"%d":1}' % n for n in range(size // 12)) + b"]}",
        "one text": _of(b"a", b'{"rows": [{"a": "', b'"}]}'),
        "a list in a cell": _of(b"1,", b'{"rows": [{"a": [', b"1]}]}"),
    },
    "jsonl": {
        **_EVERYWHERE,
        "small records": _of(b"{}\n"),
        "records of one": _of(b'{"a":1}\n'),
        "depth": _of(b'{"a":'),
        "new columns": lambda size: b"\n".join(b'{"%d":1}' % n for n in range(size // 12)),
    },
    "xml": {
        **_EVERYWHERE,
        **_XML,
        "small records": _of(b"<o/>", b"<orders>", b"</orders>"),
        "records of one": _of(b"<o><a>1</a></o>", b"<orders>", b"</orders>"),
        "other elements": _of(b"<p/>", b"<orders>", b"</orders>"),
        "one text": _of(b"a", b"<orders><o><id>", b"</id></o></orders>"),
        "cells": _of(b"<a/>", b"<orders><o>", b"</o></orders>"),
        "comments": _of(b"<!---->", b"<orders>", b"</orders>"),
    },
    "fixed_width": {**_EVERYWHERE, "short rows": _of(b"A-1      1.50\n")},
    "camt": {
        **_EVERYWHERE,
        **_XML,
        "entries": _again("camt", b"<Ntry>", b"</Stmt>"),
        "empty entries": _within("camt", b"<Ntry>", b"<Ntry/>"),
        "statements": _again("camt", b"<Stmt>", b"</BkToCstmrStmt>"),
        "empty statements": _within("camt", b"<Stmt>", b"<Stmt/>"),
        "unknown elements": _within("camt", b"<Ntry>", b"<x/>"),
    },
    "mt940": {
        **_EVERYWHERE,
        "lines": _again("mt940", b":61:", b":62"),
        "empty fields": _within("mt940", b":61:", b":86:\n"),
        "empty messages": _within("mt940", b":61:", b":20:\n"),
        "messages": lambda size: (one := fuzz.SEEDS["mt940"][1]) * max(1, size // len(one)),
    },
    "bai2": {
        **_EVERYWHERE,
        "entries": _within("bai2", b"16,", b"16,142,1,Z/\n"),
        "empty accounts": _within("bai2", b"98,", b"03,1,,/\n49,0,2/\n"),
        "continuations": _within("bai2", b"16,", b"88,\n"),
    },
    "bgmax": {**_EVERYWHERE, "records": lambda size: (one := fuzz.SEEDS["bgmax"][1]) * max(1, size // len(one))},
    "ocr_giro": {
        **_EVERYWHERE,
        "transmissions": lambda size: (one := fuzz.SEEDS["ocr_giro"][1]) * max(1, size // len(one)),
    },
    "finnish_references": {
        **_EVERYWHERE,
        "batches": lambda size: (one := fuzz.SEEDS["finnish_references"][1]) * max(1, size // len(one)),
    },
}
