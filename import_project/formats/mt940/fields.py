"""A text as fields: tag, value, the line the tag stands on, and the message it is of. No meaning of any field."""

import re

import polars as pl

from import_project.errors import Unreadable
from import_project.formats.text import decode_nordic

_TAG = re.compile(r"^:(\d\d[A-Z]?|NS):", re.MULTILINE)
_FIRST = re.compile(r":(?:20|25|28C?|60[FM]|61|62[FM]|34F|NS):")
_END = r"\n-(?:\}[^\n]*)?[ \x03]*(?:\n|$)"
_BEFORE = "\n \x01"  # a transmission begins with a control character at some banks
_ENVELOPE = re.compile(r"\{[1-5]:|[A-Z0-9:{} ]{3,40}$")
_LOOK = 4096


def recognise(content: bytes) -> bool:
    """Whether `content` begins with a field of a statement, perhaps behind the short lines of an envelope."""
    try:
        head = decode_nordic(content[:_LOOK]).lstrip(_BEFORE)
    except Unreadable:
        return False
    for line in head.split("\n")[:6]:
        if _FIRST.match(line):
            return True
        if line.strip() and not _ENVELOPE.match(line):
            return False
    return False


def fields(text: str) -> pl.DataFrame:
    """Return the fields of a text: `tag`, `value` without line ends at either side, `line` of the tag, `message` from
    1: from a `:20:` to the next, or to behind an end mark (`-`); `closes`: whether one stands behind the value.
    """
    begun = text.lstrip(_BEFORE)
    before, found = _parted(begun)
    above = text[: len(text) - len(begun)].count("\n")
    value = pl.col("value")
    lines = value.str.count_matches("\n", literal=True).cast(pl.Int64)
    opens = (pl.col("tag") == "20") | pl.col("closes").shift(1, fill_value=False)
    return found.with_columns(
        line=lines.cum_sum() - lines + (1 + above + before.count("\n")),
        closes=value.str.contains("\n-", literal=True) & value.str.contains(_END),
    ).with_columns(
        message=1 + opens.cast(pl.Int64).cum_sum() - opens.first().cast(pl.Int64),
        value=pl.when("closes").then(value.str.replace(f"(?s){_END}.*", "")).otherwise(value).str.strip_chars("\n"),
    )


def _parted(text: str) -> tuple[str, pl.DataFrame]:
    """Return what stands before the first tag, and tags and values as they stand."""
    before, *parts = _TAG.split(text)
    columns = {"tag": parts[::2], "value": parts[1::2]}
    return before, pl.DataFrame(columns, schema={"tag": pl.String, "value": pl.String})


def envelope_begun(text: str) -> bool:
    """Whether an envelope begins behind the last message, and no message in it: the file is cut off there."""
    *_, behind = re.split(_END, text)
    return behind.lstrip().startswith("{") and _TAG.search(behind) is None


def ends(text: str) -> bool:
    """Whether an end mark stands anywhere in the text: then one must stand behind every message."""
    return re.search(_END, text) is not None
