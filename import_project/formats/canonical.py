"""The last step of every bank format: columns in their canonical types, and reference candidates out of free text."""

import polars as pl

from import_project.frames import MONEY, PAYMENTS, REFERENCE
from import_project.records.payments import FREE_TEXT

#: A creditor reference (ISO 11649), or a number of four digits or more, with letters or a year before it and parts
#: between strokes: `RF18539007547034`, `INV-2026/0042`, `4711`.
_CANDIDATE = r"\b(?:RF[0-9]{2}[0-9A-Z]{1,21}|(?:[A-Za-z]{1,8}[-/]?)?[0-9][0-9/-]{2,23}[0-9])\b"


def canonical(frame: pl.DataFrame) -> pl.DataFrame:
    """Return payments in the shape `PAYMENTS`. Candidates of the remittance text that are no reference already are put
    behind the references, each once."""
    typed = frame.select(pl.col(n).cast(t) for n, t in PAYMENTS.items())
    texts = typed.select("row_number", "references", "remittance").drop_nulls("remittance")
    known = pl.col("references").list.eval(pl.element().struct.field("text"))
    found = pl.col("remittance").str.extract_all(_CANDIDATE).list.set_difference(known)
    more = texts.with_columns(found=found).filter(pl.col("found").list.len() > 0)
    if more.is_empty():
        return typed
    candidate = pl.struct(text="found", source=pl.lit(FREE_TEXT), amount=pl.lit(None, MONEY)).cast(REFERENCE)
    fresh = more.select("row_number", "found").explode("found")
    given = more.select("row_number", "references").explode("references").drop_nulls("references")
    both = pl.concat([given, fresh.select("row_number", references=candidate)])  # much quicker than `concat_list`
    joined = both.group_by("row_number", maintain_order=True).agg("references")
    return typed.update(joined, on="row_number")
