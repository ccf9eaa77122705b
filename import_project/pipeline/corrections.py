"""Quarantined rows as a file for people: written as CSV or XLSX, safe to open in a spreadsheet, and read back
corrected."""

from pathlib import Path

import polars as pl

from import_project.errors import ConfigError, FileRefused
from import_project.formats.registry import read_whole
from import_project.frames import IDENTITY, RAW, ROW_NUMBER
from import_project.pipeline.sheets import bare, write_sheet
from import_project.validation.cells import as_plain_text

REASONS = "reasons"


def write_quarantined(path: Path, rows: pl.DataFrame, issues: pl.DataFrame) -> int:
    """Write rows with `row_number`, their columns, `raw`, and the reasons. Returns how many.

    Raises ConfigError for a file name that says neither CSV nor XLSX, and for what a sheet cannot hold.
    """
    return write_sheet(path, _with_reasons(rows.drop(IDENTITY, strict=False), issues), "quarantined")


def read_corrected(path: Path) -> pl.DataFrame:
    """Read such a file back: `row_number` (Int64) and text columns. Raises FileRefused, or ConfigError without row
    numbers."""
    sheet = path.suffix.lower() == ".xlsx"
    options = {"sheet": 1} if sheet else {}
    try:
        with path.open("rb") as content:
            reading = read_whole("excel" if sheet else "delimited", content, options)
    except FileRefused as error:
        raise error.at(file=str(path)) from None
    # A control character that was left in its cell keeps that row in quarantine, not the file from being read.
    errors = reading.issues.filter((pl.col("severity") == "error") & (pl.col("rule") != "control_character"))
    if errors.height:
        do = "save it as CSV UTF-8, or export to .xlsx" if errors["rule"][0] == "encoding" else None
        raise FileRefused(
            f"{errors['rule'][0]}: {errors['message'][0]}", file=str(path), row=errors["row_number"][0], do=do
        )
    found = reading.frame.drop(ROW_NUMBER, RAW)
    number = f"{ROW_NUMBER}_in_file"
    if number not in found.columns:
        raise ConfigError(f"{path.name} has no column {ROW_NUMBER}", do="keep the column as it was exported")
    found = found.with_columns(as_plain_text(pl.col(c), t).alias(c) for c, t in found.schema.items())
    numbers = found[number].str.strip_chars().cast(pl.Int64, strict=False)
    if numbers.null_count():
        raise ConfigError(f"{path.name}: {ROW_NUMBER} is no number in line {numbers.is_null().arg_true()[0] + 1}")
    texts = [c for c in found.columns if c not in {number, f"{RAW}_in_file", f"{IDENTITY}_in_file"}]
    cells = [pl.col(c) if sheet else bare(pl.col(c)) for c in texts]
    return found.select(numbers.alias(ROW_NUMBER), *(cell.alias(c) for c, cell in zip(texts, cells, strict=True)))


def _with_reasons(rows: pl.DataFrame, issues: pl.DataFrame) -> pl.DataFrame:
    told = pl.concat_str(pl.col("column").fill_null("row"), pl.lit(" "), pl.col("message"), separator="")
    reasons = (
        issues.filter((pl.col("severity") == "error") & pl.col(ROW_NUMBER).is_not_null())
        .group_by(ROW_NUMBER, maintain_order=True)
        .agg(told.str.join("; ").alias(_reasons_column(rows)))
    )
    return rows.join(reasons, on=ROW_NUMBER, how="left", maintain_order="left")


def _reasons_column(rows: pl.DataFrame) -> str:
    name = REASONS
    while name in rows.columns:
        name += "_"
    return name
