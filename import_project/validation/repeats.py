"""Which values stand in a file more than once, exactly, in eight bytes a row: first by their hashes, then by
themselves."""

from collections.abc import Sequence

import polars as pl

_BUCKETS = 16


class Repeats:
    """Hashes of a file's values, batch by batch."""

    def __init__(self) -> None:
        self._seen: list[pl.Series] = []

    def add(self, hashes: pl.Series) -> None:
        """Take in the hashes of one batch."""
        self._seen.append(hashes)

    def repeated(self) -> pl.Series:
        """Return the hashes that came more than once, and forget all. Sorted a bucket at a time, to hold little
        twice."""
        found = [_repeated(self._bucket(number)) for number in range(_BUCKETS if len(self._seen) > _BUCKETS else 1)]
        self._seen.clear()
        return pl.concat(found)

    def _bucket(self, number: int) -> pl.Series:
        if len(self._seen) <= _BUCKETS:
            return pl.concat([pl.Series("hash", [], dtype=pl.UInt64), *self._seen])
        return pl.concat(hashes.filter(hashes % _BUCKETS == number) for hashes in self._seen)


def _repeated(hashes: pl.Series) -> pl.Series:
    ordered = hashes.sort()
    return ordered.filter(ordered == ordered.shift(1)).unique()


def hashes_of(values: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    """Return a hash for each row that lacks none of `columns`."""
    whole = values.select(columns).drop_nulls()
    value = pl.col(columns[0]) if len(columns) == 1 else pl.struct(columns)
    return whole.select(value.hash().alias("hash")).to_series()


def candidates(values: pl.DataFrame, columns: Sequence[str], repeated: pl.Series) -> pl.DataFrame:
    """Return the rows whose hash is among the repeated ones: `columns` and all else that the frame has."""
    whole = values.drop_nulls(columns)
    value = pl.col(columns[0]) if len(columns) == 1 else pl.struct(columns)
    return whole.filter(value.hash().is_in(repeated.implode()))


def twice(rows: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Return the rows of a frame that have another with the same values."""
    return rows.filter(pl.struct(columns).is_duplicated())
