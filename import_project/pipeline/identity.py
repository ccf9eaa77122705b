"""What makes a row or payment the same one in any file, and the name under which the ledger decides about it."""

from collections.abc import Sequence
from hashlib import sha256

import polars as pl


def row_identities(parsed: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Return `row_number` and `identity` of every parsed row.

    The identity is the raw text of the agreed columns and the occurrence among equal rows of the file, so that two
    equal rows stay two, and neither the order of columns nor extra ones matter.
    """
    texts = [pl.format("{}={}", pl.lit(c), pl.col(c).str.strip_chars().fill_null("")) for c in sorted(columns)]
    key = pl.concat_str(pl.lit("row/1"), *texts, separator="\x1f")
    return parsed.select("row_number", key=key).select(
        "row_number", identity=pl.concat_str("key", pl.int_range(pl.len()).over("key"), separator="\x1f")
    )


def subject(identity: str) -> str:
    """Return the name of an identity in the ledger: a hash, so that it shows nothing of a person."""
    return sha256(identity.encode()).hexdigest()
