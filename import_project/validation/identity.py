"""What makes a row the same one in any file: the text of its business fields, and its place among equal rows."""

from collections.abc import Sequence

import polars as pl

from import_project.frames import RAW
from import_project.validation.cells import as_plain_text

_PART = "\x1f"


def identity_key(rows: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    """Return the text of the named columns of each row, whatever their order; of a row without any, its raw text.

    A column that the file does not have counts as empty, so that one which comes later does not change old rows.
    """
    there = [c for c in sorted(columns) if c in rows.columns]
    texts = [as_plain_text(pl.col(c), rows.schema[c]).str.strip_chars().fill_null("") for c in there]
    named = [pl.format("{}={}", pl.lit(c), text) for c, text in zip(there, texts, strict=True)]
    key = pl.concat_str(pl.lit("row/1"), *named, separator=_PART)
    if rows[RAW].null_count() < rows.height or not there:
        bare = pl.all_horizontal(text == "" for text in texts) if texts else pl.lit(value=True)
        key = (
            pl.when(bare & pl.col(RAW).is_not_null())
            .then(pl.concat_str(pl.lit("raw/1"), RAW, separator=_PART))
            .otherwise(key)
        )
    return rows.select(key.alias("key")).to_series()


class Occurrences:
    """Counts equal rows of one file, in its order. Only keys that are known to come again are remembered."""

    def __init__(self, repeated: pl.Series) -> None:
        self._repeated = repeated
        self._count: dict[str, int] = {}

    def identities(self, keys: pl.Series) -> pl.Series:
        """Return the identities of the next rows: the key, and how many equal rows stood before."""
        places = pl.repeat(0, keys.len(), dtype=pl.Int64, eager=True)
        if self._repeated.len():
            again = keys.hash().is_in(self._repeated.implode()).arg_true()
            if again.len():
                numbers = [self._next(key) for key in keys.gather(again)]
                places = places.scatter(again, numbers)
        frame = pl.DataFrame({"key": keys, "place": places})
        return frame.select(pl.concat_str("key", "place", separator=_PART).alias("identity")).to_series()

    def _next(self, key: str) -> int:
        place = self._count.get(key, 0)
        self._count[key] = place + 1
        return place
