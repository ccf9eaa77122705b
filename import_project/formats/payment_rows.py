"""Canonical payments, gathered one by one from a reader and turned into a frame. No format's own words.

Amounts are handed over as whole minor units (cents): exact, and quick to turn into money.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import polars as pl

from import_project.frames import MONEY, PAYMENTS, REFERENCE

_MINOR = ("amount", "charges", "original_amount")
_NUMBERED = ("row_number", "statement")
_DERIVED = frozenset({"references", "direction"})
_COLUMNS = tuple(c for c in PAYMENTS if c not in _DERIVED)


def minor_units(text: str | None) -> int | None:
    """Return a decimal number with a point as whole hundredths; None where it is none, or finer than that.

    Zeros behind the second decimal are let pass: `8.850`.
    """
    if text is None:
        return None
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
class PaymentRows:
    """Payments so far. A payment's identity is its key and how often the key came before in the file."""

    _rows: list[list[Any]] = field(default_factory=list)
    _references: list[tuple[int, str, str, int | None]] = field(default_factory=list)
    _seen: dict[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, key: str, references: Sequence[tuple[str, str, int | None]], **cells: Any) -> None:
        """Add a payment: its key, references (text, source, part in minor units), and other cells by column."""
        place = len(self._rows)
        self._references += [(place, *reference) for reference in references]
        digest = int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest())
        again = self._seen.get(digest, 0)
        self._seen[digest] = again + 1
        cells["identity"] = f"{key}|{again}"
        self._rows.append([cells.get(c) for c in _COLUMNS])

    def frame(self) -> pl.DataFrame:
        """Return the payments added since the last call, in the shape `PAYMENTS`."""
        columns = list(zip(*self._rows, strict=True)) or [()] * len(_COLUMNS)
        types = {c: pl.Int64() if c in (*_MINOR, *_NUMBERED) else t for c, t in PAYMENTS.items()}
        data = [pl.Series(c, cells, dtype=types[c]) for c, cells in zip(_COLUMNS, columns, strict=True)]
        money = [(pl.col(c).cast(MONEY) / 100).cast(MONEY) for c in _MINOR]
        ways = pl.when(pl.col("amount") < 0).then(pl.lit("debit")).otherwise(pl.lit("credit"))
        frame = pl.DataFrame(data).with_row_index("place").with_columns(*money, direction=ways)
        given = pl.DataFrame(
            self._references,
            schema={"place": pl.UInt32, "text": pl.String, "source": pl.String, "amount": pl.Int64},
            orient="row",
        ).with_columns((pl.col("amount").cast(MONEY) / 100).cast(MONEY))
        item = pl.struct("text", "source", "amount").cast(REFERENCE)
        lists = given.group_by("place", maintain_order=True).agg(references=item)
        self._rows, self._references = [], []
        joined = frame.join(lists, on="place", how="left", maintain_order="left")
        return joined.with_columns(pl.col("references").fill_null([])).select(list(PAYMENTS))
