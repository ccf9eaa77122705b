"""Accepted and quarantined payments of a bank file. An error of a statement condemns all its payments."""

from typing import TYPE_CHECKING

import polars as pl

from import_project.errors import NotConserved
from import_project.frames import ISSUES, ROW_NUMBER, Batch, Reading, issues_frame
from import_project.validation.columns import Column
from import_project.validation.look import ERROR, Looker, told
from import_project.validation.repeats import twice
from import_project.validation.rules import compiled
from import_project.validation.schema import RowSchema
from import_project.validation.split import Split

if TYPE_CHECKING:
    import pandera.polars as pa


def split_payments(reading: Reading) -> Split:
    """Part the payments of a bank file.

    Errors of the file as a whole are the caller's to refuse; here they would condemn nothing.
    """
    frame = reading.frame
    of_statement = reading.issues.filter(ERROR & pl.col("statement").is_not_null())
    spread = frame.select(ROW_NUMBER, "statement").join(
        of_statement.drop(ROW_NUMBER), on="statement", how="inner", maintain_order="left_right"
    )
    own = reading.issues.filter(~(ERROR & pl.col("statement").is_not_null()))
    lost = of_statement.join(frame, on="statement", how="anti")
    if lost.height:
        raise NotConserved(f"an error of statement {lost['statement'][0]} condemns no payment: {lost['message'][0]}")
    sound = frame.join(_condemned(own), on=ROW_NUMBER, how="anti", maintain_order="left")
    issues = pl.concat([own, spread.select(list(ISSUES)), _broken(sound)])
    bad = _condemned(issues)
    quarantined = frame.join(bad, on=ROW_NUMBER, how="semi", maintain_order="left")
    accepted = frame.join(bad, on=ROW_NUMBER, how="anti", maintain_order="left")
    if accepted.height + quarantined.height != frame.height:
        raise NotConserved(f"{frame.height} rows read, {accepted.height} accepted, {quarantined.height} quarantined")
    return Split(accepted=accepted, quarantined=quarantined, issues=issues.sort(ROW_NUMBER, maintain_order=True))


def _condemned(issues: pl.DataFrame) -> pl.DataFrame:
    return issues.filter(ERROR & pl.col(ROW_NUMBER).is_not_null()).select(ROW_NUMBER).unique()


def _broken(payments: pl.DataFrame) -> pl.DataFrame:
    """Return what payments lack that they must have, whatever their bank's format, before they may be matched or
    posted."""
    rules = compiled(_schema())
    batch = Batch(frame=payments, issues=issues_frame([]), records=payments.height)
    looked = Looker(rules=rules).look(batch)
    again = [told(twice(payments.drop_nulls(once.columns), once.columns), None, once) for once in rules.once]
    return pl.concat([looked.issues, *again])


def _schema() -> RowSchema:
    columns = (
        Column(name="amount", type="decimal"),
        Column(name="currency"),
        Column(name="booking_date", type="date"),
        Column(name="direction"),
        Column(name="identity", unique=True),
    )
    return RowSchema(name="payments", columns=columns, given=_pandera())


def _pandera() -> "pa.DataFrameSchema":
    import pandera.polars as pa

    code = pa.Check.str_matches(r"^[A-Z]{3}$", name="currency_code", error="is no currency code")
    ways = pa.Check.isin(["credit", "debit"], name="direction", error="is neither credit nor debit")
    columns = {
        "amount": pa.Column(pl.Decimal(38, 2)),
        "currency": pa.Column(pl.String, code),
        "booking_date": pa.Column(pl.Date),
        "direction": pa.Column(pl.String, ways),
        "identity": pa.Column(pl.String, unique=True),
    }
    return pa.DataFrameSchema(columns, name="payments")
