"""Canonical payments, gathered one by one from a reader and turned into a frame. No format's own words.

Amounts are handed over as whole minor units (cents): exact, and quick to turn into money.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import polars as pl

from import_project.formats.canonical import canonical
from import_project.frames import MONEY, PAYMENTS, REFERENCE

_MINOR = ("amount", "charges", "original_amount")
_GIVEN = {"place": pl.UInt32, "text": pl.String, "source": pl.String, "amount": pl.Int64}
_NUMBERED = ("row_number", "statement")
_DERIVED = frozenset({"references", "direction"})
_COLUMNS = tuple(c for c in PAYMENTS if c not in _DERIVED)


def minor_units(text: str | None) -> int | None:
    """Return a decimal number with a point as whole hundredths; None where it is none, or finer than that.

    Zeros behind the second decimal are let pass: `8.850`.
    """
    if text is None:
        return None
    if text[-3:-2] == ".":  # as amounts are written mostly
        digits = text[:-3] + text[-2:]
        if digits.isdecimal() and digits.isascii() and 2 < len(digits) <= 18:
            return int(digits)
    whole, _, parts = text.partition(".")
    parts = parts[:2].ljust(2, "0") if len(parts) <= 2 or not parts[2:].strip("0") else "?"
    digits = (whole[1:] if whole[:1] in "+-" else whole) + parts
    if not digits.isdecimal() or not digits.isascii() or len(digits) > 18 or not whole.lstrip("+-"):
        return None
    return -int(digits) if whole[0] == "-" else int(digits)


def money(minor: int) -> Decimal:
    """Return minor units as money."""
    return Decimal(minor).scaleb(-2)


@dataclass(slots=True)
class Occurrences:
    """How often keys came before in a file that is read in pieces. Of earlier pieces only hashes are kept, each once
    with how often it came."""

    _seen: list[pl.DataFrame] = field(default_factory=list)

    def of(self, keys: pl.Series) -> pl.Series:
        """Return for each key of the next piece, in order, how often it came before."""
        found = keys.hash().rename("key").to_frame()
        here = found.group_by("key").agg(times=pl.len())
        met = pl.col("key").is_in(here["key"].implode())
        before = pl.concat([s.filter(met) for s in self._seen] or [here.clear()])
        self._seen.append(here)
        if not before.height and here.height == found.height:
            return pl.repeat(0, keys.len(), eager=True)
        earlier = before.group_by("key").agg(earlier=pl.col("times").cast(pl.Int64).sum())
        numbered = found.with_columns(again=pl.int_range(pl.len()).over("key"))
        counted = numbered.join(earlier, on="key", how="left", maintain_order="left")
        return counted.select(pl.col("again") + pl.col("earlier").fill_null(0)).to_series()


@dataclass(slots=True)
class PaymentRows:
    """Payments so far. A payment's identity is its key and how often the key came before in the file."""

    _rows: list[dict[str, Any]] = field(default_factory=list)
    _places: list[int] = field(default_factory=list)
    _texts: list[str] = field(default_factory=list)
    _sources: list[str] = field(default_factory=list)
    _parts: list[int | None] = field(default_factory=list)
    _seen: Occurrences = field(default_factory=Occurrences)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, key: str, references: Sequence[tuple[str, str, int | None]], **cells: Any) -> None:
        """Add a payment: its key, references (text, source, part in minor units), and other cells by column."""
        self.put(key, references, cells)

    def put(self, key: str, references: Sequence[tuple[str, str, int | None]], cells: dict[str, Any]) -> None:
        """Add a payment whose cells are in a dict already, which is then ours."""
        for text, source, amount in references:
            self._places.append(len(self._rows))
            self._texts.append(text)
            self._sources.append(source)
            self._parts.append(amount)
        cells["identity"] = key
        self._rows.append(cells)

    def frame(self) -> pl.DataFrame:
        """Return the payments added since the last call, in the shape `PAYMENTS`."""
        types = {c: pl.Int64() if c in (*_MINOR, *_NUMBERED) else t for c, t in PAYMENTS.items()}
        rows = self._rows
        data = [pl.Series(c, [row.get(c) for row in rows], dtype=types[c]) for c in _COLUMNS]
        money = [(pl.col(c).cast(MONEY) / 100).cast(MONEY) for c in _MINOR]
        ways = pl.when(pl.col("amount") < 0).then(pl.lit("debit")).otherwise(pl.lit("credit"))
        frame = pl.DataFrame(data).with_row_index("place").with_columns(*money, direction=ways)
        told = {"place": self._places, "text": self._texts, "source": self._sources, "amount": self._parts}
        given = pl.DataFrame(told, schema=dict(_GIVEN))
        item = pl.struct("text", "source", (pl.col("amount").cast(MONEY) / 100).cast(MONEY)).cast(REFERENCE)
        if given["place"].is_duplicated().any():
            lists = given.group_by("place").agg(references=item)
        else:
            lists = given.select("place", references=pl.concat_list(item))
        self._rows, self._places, self._texts, self._sources, self._parts = [], [], [], [], []
        joined = frame.join(lists, on="place", how="left", maintain_order="left")
        identity = pl.concat_str("identity", self._seen.of(frame["identity"]), separator="|")
        return canonical(joined.with_columns(identity, pl.col("references").fill_null([])))
