"""Accepted and quarantined rows of one reading, each quarantined row with all its reasons. Rows in = rows out."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from import_project.errors import ConfigError, NotConserved, Unreadable
from import_project.frames import ISSUES, Reading, issues_frame
from import_project.records.issues import Issue, Severity
from import_project.validation.columns import RowSchema

if TYPE_CHECKING:
    import pandera.polars as pa

_ERROR = pl.col("severity") == Severity.ERROR.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """`accepted` is typed, `quarantined` as read, `issues` (errors and warnings) in the shape `ISSUES`."""

    accepted: pl.DataFrame
    quarantined: pl.DataFrame
    issues: pl.DataFrame

    @property
    def rows(self) -> int:
        """All rows that were read."""
        return self.accepted.height + self.quarantined.height


def split_rows(reading: Reading, schema: RowSchema) -> Split:
    """Part the rows of a row file by `schema`.

    Raises Unreadable when an agreed column is missing: then no row can be right.
    """
    frame = reading.frame
    missing = [c.name for c in schema.columns if c.name not in frame.columns]
    if missing:
        raise Unreadable(
            f"{', '.join(map(repr, missing))} is missing from the header",
            do=f"the header has {', '.join(c for c in frame.columns if c not in {'row_number', 'raw'})}",
        )
    extra = [c for c in frame.columns if c not in schema.by_name and c not in {"row_number", "raw"}]
    notes = [
        Issue(rule="extra_column", message="not agreed: not read", severity=Severity.WARNING, column=c) for c in extra
    ]
    whole = frame.join(_condemned(reading.issues), on="row_number", how="anti", maintain_order="left")
    typed = whole.select("row_number", *(c.parsed() for c in schema.columns))
    unread = _unreadable(whole, typed, schema)
    broken = _told(_broken_rules(typed, schema.pandera()), whole, schema, unread)
    issues = pl.concat([issues_frame(notes), reading.issues, unread, broken])
    return _parted(frame, typed, issues)


def split_payments(reading: Reading) -> Split:
    """Part the payments of a bank file: an error of a statement condemns all its payments.

    Errors of the file as a whole are the caller's to refuse; here they would condemn nothing.
    """
    frame = reading.frame
    of_statement = reading.issues.filter(_ERROR & pl.col("statement").is_not_null())
    spread = frame.select("row_number", "statement").join(
        of_statement.drop("row_number"), on="statement", how="inner", maintain_order="left_right"
    )
    own = reading.issues.filter(~(_ERROR & pl.col("statement").is_not_null()))
    lost = of_statement.join(frame, on="statement", how="anti")
    if lost.height:
        raise NotConserved(f"an error of statement {lost['statement'][0]} condemns no payment: {lost['message'][0]}")
    whole = frame.join(_condemned(own), on="row_number", how="anti", maintain_order="left")
    rules = _broken_rules(whole, _payments_schema())
    told = rules.with_columns(message=pl.format("{} breaks the rule {}", "column", "rule"))
    issues = pl.concat([own, spread.select(list(ISSUES)), told.select(list(ISSUES))])
    return _parted(frame, frame, issues)


def _condemned(issues: pl.DataFrame) -> pl.DataFrame:
    return issues.filter(_ERROR & pl.col("row_number").is_not_null()).select("row_number").unique()


def _parted(read: pl.DataFrame, typed: pl.DataFrame, issues: pl.DataFrame) -> Split:
    """Part by the errors in `issues`, in file order, and prove that no row is lost or doubled."""
    bad = _condemned(issues)
    quarantined = read.join(bad, on="row_number", how="semi", maintain_order="left")
    accepted = typed.join(bad, on="row_number", how="anti", maintain_order="left")
    if accepted.height + quarantined.height != read.height:
        raise NotConserved(f"{read.height} rows read, {accepted.height} accepted, {quarantined.height} quarantined")
    return Split(accepted=accepted, quarantined=quarantined, issues=issues.sort("row_number", maintain_order=True))


def _unreadable(whole: pl.DataFrame, typed: pl.DataFrame, schema: RowSchema) -> pl.DataFrame:
    """The cells that hold text but no value of their column's type."""
    found: list[pl.DataFrame] = []
    for column in schema.columns:
        text = whole[column.name].str.strip_chars()
        lost = text.is_not_null() & (text != "") & typed[column.name].is_null()
        if lost.any():
            hits = whole.filter(lost).select("row_number", value=pl.col(column.name))
            found.append(_with_rule(hits, column.name, "unreadable", column.messages()["unreadable"]))
    return pl.concat(found) if found else issues_frame([])


def _with_rule(hits: pl.DataFrame, column: str, rule: str, message: str) -> pl.DataFrame:
    return hits.with_columns(
        statement=pl.lit(None, pl.Int64),
        column=pl.lit(column),
        rule=pl.lit(rule),
        message=pl.lit(message),
        severity=pl.lit(Severity.ERROR.value),
    ).select(list(ISSUES))


_OWN_NAMES = {"not_nullable": "required", "field_uniqueness": "unique"}


def _broken_rules(typed: pl.DataFrame, schema: "pa.DataFrameSchema") -> pl.DataFrame:
    """Run Pandera and return what failed in the shape `ISSUES`, without messages.

    Two nulls are no duplicates. A rule Pandera could not run on rows is a ConfigError, never a pass.
    """
    from pandera.errors import SchemaErrors

    if typed.is_empty():
        return issues_frame([])
    try:
        schema.validate(typed, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
    else:
        return issues_frame([])
    assert isinstance(cases, pl.DataFrame)
    rowless = cases.filter(pl.col("index").is_null())
    if rowless.height:
        first = rowless.row(0, named=True)
        raise ConfigError(f"schema {schema.name}: rule {first['check']} of {first['column']} cannot be run on rows")
    numbers = (
        typed.select("row_number").with_row_index("index").with_columns(pl.col("index").cast(cases.schema["index"]))
    )
    whole_row = pl.col("schema_context") == "DataFrameSchema"
    found = (
        cases.join(numbers, on="index", how="left", maintain_order="left")
        .select(
            "row_number",
            statement=pl.lit(None, pl.Int64),
            column=pl.when(~whole_row).then(pl.col("column")),
            rule=pl.col("check").replace(_OWN_NAMES),
            value=pl.when(~whole_row & (pl.col("check") != "not_nullable")).then(
                pl.col("failure_case").cast(pl.String)
            ),
            message=pl.lit(""),
            severity=pl.lit(Severity.ERROR.value),
        )
        .unique(maintain_order=True)
    )
    unique = found.filter(pl.col("rule") == "unique")["column"].unique().drop_nulls().sort()
    nulls = [
        typed.filter(pl.col(c).is_null()).select("row_number", column=pl.lit(c), rule=pl.lit("unique")) for c in unique
    ]
    return (
        found.join(pl.concat(nulls), on=["row_number", "column", "rule"], how="anti", maintain_order="left")
        if nulls
        else found
    )


def _told(broken: pl.DataFrame, whole: pl.DataFrame, schema: RowSchema, unread: pl.DataFrame) -> pl.DataFrame:
    """Give each finding its message and the cell's own text; a cell that could not be read lacks no value."""
    messages = _messages(schema)
    texts = pl.concat(
        [
            whole.select("row_number", column=pl.lit(c.name), text=pl.col(c.name))
            for c in schema.columns
            if c.name in set(broken["column"].drop_nulls())
        ]
        or [pl.DataFrame(schema={"row_number": pl.Int64, "column": pl.String, "text": pl.String})]
    )
    return (
        broken.join(
            unread.select("row_number", "column"), on=["row_number", "column"], how="anti", maintain_order="left"
        )
        .join(texts, on=["row_number", "column"], how="left", maintain_order="left")
        .join(messages, on=["column", "rule"], how="left", nulls_equal=True, maintain_order="left")
        .with_columns(value=pl.coalesce("text", "value"), message=pl.coalesce("told", "rule"))
        .select(list(ISSUES))
    )


def _messages(schema: RowSchema) -> pl.DataFrame:
    told: Iterable[tuple[str | None, str, str]] = [
        *((c.name, rule, text) for c in schema.columns for rule, text in c.messages().items()),
        (None, "key", f"another row of the file has the same {', '.join(schema.key)}"),
    ]
    return pl.DataFrame(list(told), schema={"column": pl.String, "rule": pl.String, "told": pl.String}, orient="row")


def _payments_schema() -> "pa.DataFrameSchema":
    """What every payment must have, whatever its bank's format, before it may be matched or posted."""
    import pandera.polars as pa

    columns = {
        "amount": pa.Column(pl.Decimal(38, 2)),
        "currency": pa.Column(pl.String, pa.Check.str_matches(r"^[A-Z]{3}$", error="currency_code")),
        "booking_date": pa.Column(pl.Date),
        "direction": pa.Column(pl.String, pa.Check.isin(["credit", "debit"], error="direction")),
        "identity": pa.Column(pl.String, unique=True),
    }
    return pa.DataFrameSchema(columns, name="payments")
