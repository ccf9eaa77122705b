"""A text as logical records, each with its continuations (88) and the line it begins on. No meaning of any field."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from import_project.errors import Unreadable
from import_project.formats.text import decode_nordic

_KINDS = "01|02|03|16|49|88|98|99"
_FIRST = re.compile(r"\s*01,[^,\n]*,[^,\n]*,\d{6},\d{0,4},")
_HEADS = [f"{kind}," for kind in _KINDS.split("|")]
_BEHIND = (  # on the same line; a date such as `03/16,` in a text begins none
    r"/([ \t]*(?:16,[0-9]{3},|(?:49|98|99),[+-]?[0-9]*,[0-9]|03,[^,/]*,(?:[A-Z]{3})?,|0[12],[^,/]*,[^,/]*,[0-9]|88,))"
)
_AMOUNTS_OF = {"S": 3, "V": 2}


class Record(NamedTuple):
    """One logical record: its number in the file, its kind, its text with continuations joined, how many physical ones
    it has, how many there are up to its end, and its line."""

    record: int
    kind: str
    text: str
    physical: int
    so_far: int
    line: int


def recognise(content: bytes) -> bool:
    """Whether the first record is a file header with a date."""
    try:
        return _FIRST.match(decode_nordic(content[:400])) is not None
    except Unreadable:
        return False


def records(text: str) -> pl.DataFrame:
    """Return the logical records; the columns are the fields of `Record`.

    A record begins with a line, or behind the end of another on the same line.
    """
    physical = _physical(text)
    begins = (pl.col("kind") != "88") | (pl.int_range(pl.len()) == 0)
    physical = physical.with_columns(begins=begins).with_columns(record=pl.col("begins").cast(pl.Int64).cum_sum())
    counts = physical.select(pl.col("record").rle()).unnest("record")["len"].cast(pl.Int64)
    found = physical.filter("begins").with_columns(physical=counts, so_far=counts.cum_sum())
    more = physical.filter(~pl.col("begins")).group_by("record", maintain_order=True).agg(more="content")
    begun = (pl.col("kind") == "16") & _text_begun(pl.col("content").str.split(","))
    continued = found.join(more, on="record", maintain_order="left").with_columns(begun=begun)
    words = pl.concat_str("content", pl.col("more").list.join(" "), separator=" ")
    fields = pl.concat_str("content", pl.col("more").list.join(","), separator=",")
    joined = continued.with_columns(text=pl.when("begun").then(words).otherwise(fields))
    late = joined.filter((pl.col("kind") == "16") & ~pl.col("begun"))
    told = pl.Series([_joined(c, m) for c, m in late.select("content", "more").iter_rows()], dtype=pl.String)
    joined = joined.update(late.select("record", text=told), on="record") if late.height else joined
    whole = found.join(joined.select("record", "text"), on="record", how="left", maintain_order="left")
    return whole.with_columns(pl.coalesce("text", "content").alias("text")).select(Record._fields)


def _physical(text: str) -> pl.DataFrame:
    """Return the physical records: `line`, `kind`, `content` without the record's end mark and blanks around it.

    A line that begins no record goes on with the one before it.
    """
    line = pl.col("content")
    lines = pl.DataFrame({"content": pl.Series([text]).str.split("\n").explode()}).with_row_index("line", offset=1)
    if lines.select(line.str.contains(_BEHIND).any()).item():
        lines = lines.with_columns(line.str.replace_all(_BEHIND, "/\n${1}").str.split("\n")).explode("content")
    head = line.str.strip_chars_start(" \t").str.slice(0, 3)
    kind = pl.when(head.is_in(_HEADS)).then(head.str.slice(0, 2))
    lines = lines.with_columns(pl.col("line").cast(pl.Int64), kind=kind)
    place = pl.col("kind").is_not_null().cum_sum()
    if lines.select((pl.col("kind").is_null() & (line.str.strip_chars() != "")).any()).item():
        whole = lines.group_by(place.alias("place"), maintain_order=True)
        lines = whole.agg(pl.col("line", "kind").first(), line.str.join(" ")).drop("place")
    told = line.str.strip_chars_start().str.slice(3).str.strip_chars().str.strip_suffix("/").str.strip_chars_end()
    return lines.filter(pl.col("kind").is_not_null()).with_columns(content=told)


def _joined(told: str, more: Sequence[str]) -> str:
    """Put continuations behind a transaction: behind its text with a blank, before that as further fields."""
    begun = False
    for one in more:
        fields = told.split(",") if not begun else []
        begun = begun or len(fields) > max(2, after_funds(fields, 2) + 2)
        told = f"{told} {one}" if begun else f"{told},{one}"
    return told


def after_funds(fields: list[str], place: int) -> int:
    """Return which field follows the funds type at `place` and what belongs to it; the end where that is cut off."""
    if len(fields) <= place:
        return len(fields)
    kind = fields[place].strip().upper()
    if kind == "D":
        count = fields[place + 1].strip() if len(fields) > place + 1 else ""
        sound = count.isascii() and count.isdecimal() and len(count) < 4
        return place + 2 + 2 * int(count) if sound else len(fields)
    return place + 1 + _AMOUNTS_OF.get(kind, 0)


def _text_begun(fields: pl.Expr) -> pl.Expr:
    return fields.list.len() > funds_end(fields) + 2


def funds_end(fields: pl.Expr) -> pl.Expr:
    """Return which of a transaction's fields follows its funds type and what belongs to it; null where that is cut
    off. Two references stand there, then the text."""
    kind = fields.list.get(2, null_on_oob=True).str.strip_chars().str.to_uppercase()
    told = fields.list.get(3, null_on_oob=True).str.strip_chars()
    count = pl.when(told.str.contains(r"^[0-9]{1,3}$")).then(told).cast(pl.Int64)
    more = kind.replace_strict(_AMOUNTS_OF, default=0, return_dtype=pl.Int64)
    return pl.when(kind == "D").then(count * 2 + 4).when(kind.is_not_null()).then(more + 3)
