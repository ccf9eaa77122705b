"""Payments that stand in a BgMax file more than once: what tells them apart, and which are errors."""

from collections.abc import Iterator

import polars as pl

from import_project.formats.bgmax.layout import FIELDS
from import_project.records.issues import Issue, Severity

#: What tells payments of one section apart: a 20 or 21 record without its image flag and deduction code.
KEY = pl.col("raw").str.slice(0, 69).str.strip_chars_end(" ")


def heads(payments: pl.DataFrame) -> pl.DataFrame:
    """Return what is kept of each payment to find it again: `row_number`, `section`, `record`, `serial` (null where it
    has none), and hashes of its `key`, and of the `payment` that Bankgirot's serial number stands for."""
    before, _ = FIELDS["20"]["code"]
    payment = pl.concat_str(pl.col("raw").str.slice(0, before - 1), pl.col("serial").fill_null("")).hash()
    return payments.select("row_number", "section", "record", "serial", payment=payment, key=KEY.hash())


def occurrences(found: pl.DataFrame) -> pl.DataFrame:
    """Return `row_number` and `occurrence`, from 0, of payments that stand more than once in one section."""
    again = found.select("row_number", "section", "key").filter(pl.col("key").is_duplicated())
    return again.select("row_number", occurrence=pl.int_range(pl.len()).over("section", "key"))


def repeats(found: pl.DataFrame) -> Iterator[Issue]:
    """C10 inside the file: a BGC serial number that comes again, with the same payment (an error) or another one."""
    numbered = found.filter(pl.col("serial").is_not_null()).filter(pl.col("serial").hash().is_duplicated())
    again = numbered.filter(~pl.col("payment").is_first_distinct())
    for row in again.iter_rows(named=True):
        message = f"the payment with serial number {row['serial']} stands in the file twice"
        yield Issue(rule="C10", message=message, row_number=row["row_number"])
    others = numbered.filter(pl.col("record") == "20").join(again, on="row_number", how="anti")
    counts = others.group_by("section", "serial").agg(n=pl.len(), row=pl.col("row_number").last())
    for row in counts.filter(pl.col("n") > 1).sort("row").iter_rows(named=True):
        message = f"serial number {row['serial']} stands in the section {row['n']} times"
        yield Issue(rule="C10", message=message, severity=Severity.WARNING, row_number=row["row"])
