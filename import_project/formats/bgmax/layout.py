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

_SHAPES = re.compile(
    r"01BGMAX {15}\d\d.{0,56}|05\d{10}.{0,68}|2[0123]\d{10}.{25}\d{18}\d.{0,24}|2[5678].{0,78}|29[\d ]{12} {0,66}"
    r"|15\d{43}\d{5}.{0,30}|70\d{32} {0,46}"
)
_LOOK = 40  # lines that must all fit before a file without its start record is taken for BgMax


def recognise(content: bytes, *, accept_test: bool = False) -> bool:
    """Whether `content` is BgMax: it opens with a start record, or each of its first lines has a BgMax shape.

    Cut-out parts of a file are recognised too, so that they are refused for what is missing, not as unknown.
    """
    start = content[: _LOOK * 4 * WIDTH]
    if b"\x00" in start:
        return False
    head = [line.rstrip() for line in decode_nordic(start).split("\n")[:_LOOK]]
    head = [line for line in head if line]
    if not head:
        return False
    if head[0].startswith("01BGMAX"):
        return True
    return head[0][:2] in {"05", "15", "20"} and all(_SHAPES.fullmatch(line) for line in head[:-1] or head)


def lines_frame(text: str) -> pl.DataFrame:
    """Return the records: `row_number` (line from 1), `line` padded to 80 characters, `record`, `section` from 1.

    A section starts at a 05, or where something follows a 15; 01, 70 and unknown records
    stand in none (null).
    """
    line = pl.col("line")
    frame = (
        pl.DataFrame({"line": text.split("\n")}, schema={"line": pl.String})
        .with_row_index("row_number", offset=1)
        .with_columns(pl.col("row_number").cast(pl.Int64), line.str.strip_chars_end())
        .filter(line.str.len_chars() > 0)
        .with_columns(line.str.pad_end(WIDTH), record=line.str.slice(0, 2))
    )
    record = pl.col("record")
    inside = record.is_in(list(KNOWN - {"01", "70"}))  # a record type we do not know must not open a section
    body = frame.filter(inside).select(
        "row_number",
        section=((record == "05") | (record.shift(1) == "15")).fill_null(value=True).cast(pl.Int64).cum_sum(),
    )
    starts_first = body.with_columns(pl.col("section") + (1 - pl.col("section").first()))
    return frame.join(starts_first, on="row_number", how="left", maintain_order="left")


def cut(lines: pl.DataFrame, *records: str) -> pl.DataFrame:
    """Return the given records of one layout with their fields as text, both ends stripped; blank is null."""
    layout = FIELDS[SAME_LAYOUT.get(records[0], records[0])]
    fields = [
        pl.col("line").str.slice(start - 1, length).str.strip_chars(" ").replace("", None).alias(name)
        for name, (start, length) in layout.items()
    ]
    return lines.filter(pl.col("record").is_in(records)).select(pl.exclude("line"), *fields, raw="line")
