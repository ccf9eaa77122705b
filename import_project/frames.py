"""The shapes of frames that rooms share: canonical payments, issues, and `Reading`, which holds what a format made of a
file. No rules."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

import polars as pl

from import_project.records.issues import Issue
from import_project.records.statements import Statement

MONEY = pl.Decimal(38, 2)

REFERENCE = pl.Struct({"text": pl.String, "source": pl.String, "amount": MONEY})

#: One row a payment. `row_number` is the line of its first record; `identity` names the same payment in any file.
#: `amount` is signed, `direction` says the same in a word; dates are the bank's days, without a zone.
PAYMENTS: Mapping[str, pl.DataType] = {
    "row_number": pl.Int64(),
    "statement": pl.Int64(),
    "identity": pl.String(),
    "account": pl.String(),
    "currency": pl.String(),
    "booking_date": pl.Date(),
    "value_date": pl.Date(),
    "amount": MONEY,
    "direction": pl.String(),
    "status": pl.String(),
    "reversal": pl.Boolean(),
    "transaction_code": pl.String(),
    "bank_reference": pl.String(),
    "end_to_end_id": pl.String(),
    "references": pl.List(REFERENCE),
    "remittance": pl.String(),
    "payer_name": pl.String(),
    "payer_account": pl.String(),
    "payer_id": pl.String(),
    "payer_address": pl.String(),
    "raw": pl.String(),
}

#: One row a finding; the columns are the fields of `Issue`.
ISSUES: Mapping[str, pl.DataType] = {
    "row_number": pl.Int64(),
    "statement": pl.Int64(),
    "column": pl.String(),
    "rule": pl.String(),
    "value": pl.String(),
    "message": pl.String(),
    "severity": pl.String(),
}


def issues_frame(issues: Iterable[Issue]) -> pl.DataFrame:
    """Return `issues` in the shape `ISSUES`, in the order given."""
    names = [f.name for f in fields(Issue)]
    rows = [{n: getattr(issue, n) for n in names} for issue in issues]
    return pl.DataFrame(rows, schema=dict(ISSUES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a format made of a file.

    `frame` holds one row a record: text columns with `row_number` for row files, `PAYMENTS` for bank files. A record
    that could not be read at all is in `frame` too, with what is known of it, and its error is in `issues`.
    """

    format: str
    frame: pl.DataFrame
    issues: pl.DataFrame
    statements: tuple[Statement, ...] = ()

    @property
    def file_errors(self) -> pl.DataFrame:
        """The errors that condemn the file as a whole."""
        of_file = pl.col("row_number").is_null() & pl.col("statement").is_null()
        return self.issues.filter(of_file & (pl.col("severity") == "error"))

    @property
    def bookable(self) -> bool:
        """Whether nothing in it must be set aside."""
        return self.issues.filter(pl.col("severity") == "error").is_empty()
