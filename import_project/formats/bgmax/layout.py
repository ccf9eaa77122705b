"""Where each field of a BgMax record stands, and how a file is cut into lines and sections. No amounts, no checks.

Positions are the manual's: 1-based start and length.
"""

import re
from collections.abc import Mapping

import polars as pl

from import_project.formats.text import decode_nordic

WIDTH = 80

_PAYMENT = {
    "sender": (3, 10),
    "reference": (13, 25),
    "amount": (38, 18),
    "code": (56, 1),
    "channel": (57, 1),
    "serial": (58, 12),
}

FIELDS: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "01": {"layout": (3, 20), "version": (23, 2), "written": (25, 20), "mark": (45, 1)},
    "05": {"bankgiro": (3, 10), "plusgiro": (13, 10), "currency": (23, 3)},
    "20": {**_PAYMENT, "deduction": (71, 1)},
    "22": _PAYMENT,
    "25": {"text": (3, 50)},
    "26": {"name": (3, 35), "extra_name": (38, 35)},
    "27": {"street": (3, 35), "postcode": (38, 9)},
    "28": {"town": (3, 35), "country": (38, 35), "country_code": (73, 2)},
    "29": {"organisation": (3, 12)},
    "15": {
        "account": (22, 16),
        "date": (38, 8),
        "deposit": (46, 5),
        "amount": (51, 18),
        "currency": (69, 3),
        "count": (72, 8),
    },
    "70": {"n20": (3, 8), "n21": (11, 8), "n22": (19, 8), "n15": (27, 8)},
}

#: Records that share a layout, under the name it has in `FIELDS`.
SAME_LAYOUT = {"21": "20", "23": "22"}
KNOWN = frozenset(FIELDS) | frozenset(SAME_LAYOUT)
INSIDE = sorted(KNOWN - {"01", "70"})  # records of sections
PAYMENTS = ("20", "21")
MEMBERS = ("20", "21", "22", "23", "25", "26", "27", "28", "29")  # records of payment groups

_SHAPES = re.compile(
    r"01BGMAX {15}\d\d.{0,56}|05\d{10}.{0,68}|2[0123]\d{10}.{25}\d{18}\d.{0,24}|2[5678].{0,78}|29[\d ]{12} {0,66}"
    r"|15\d{43}\d{5}.{0,30}|70\d{32} {0,46}"
)
_FIT = 40  # lines that must all fit before a file without its start record is taken for BgMax
LOOK = _FIT * 4 * WIDTH  # bytes by which a file is recognised


def recognise(content: bytes, *, accept_test: bool = False) -> bool:
    """Whether `content` is BgMax: it opens with a start record, or each of its first lines has a BgMax shape.

    Cut-out parts of a file are recognised too, so that they are refused for what is missing, not as unknown.
    """
    start = content[:LOOK]
    if b"\x00" in start:
        return False
    head = [line.rstrip() for line in decode_nordic(start).split("\n")[:_FIT]]
    head = [line for line in head if line]
    if not head:
        return False
    if head[0].startswith("01BGMAX"):
        return True
    return head[0][:2] in {"05", "15", "20"} and all(_SHAPES.fullmatch(line) for line in head[:-1] or head)


def cut(lines: pl.DataFrame, *records: str) -> pl.DataFrame:
    """Return the given records of one layout with their fields as text, both ends stripped; blank is null."""
    layout = FIELDS[SAME_LAYOUT.get(records[0], records[0])]
    fields = [
        pl.col("line").str.slice(start - 1, length).str.strip_chars(" ").alias(name)
        for name, (start, length) in layout.items()
    ]
    chosen = pl.col("record") == records[0] if len(records) == 1 else pl.col("record").is_in(records)
    filled = [pl.when(pl.col(name) != "").then(name).alias(name) for name in layout]
    return lines.lazy().filter(chosen).select(pl.exclude("line"), *fields, raw="line").with_columns(filled).collect()
