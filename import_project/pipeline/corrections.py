"""Quarantined rows as a file for people: written as CSV or XLSX, safe to open in a spreadsheet, and read back
corrected."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from import_project.errors import ConfigError, FileRefused
from import_project.formats.registry import read_whole
from import_project.frames import IDENTITY, RAW, ROW_NUMBER
from import_project.store.disk import disk_errors, part_file, settle
from import_project.validation.cells import as_plain_text

REASONS = "reasons"
#: A cell that begins so is a formula to a spreadsheet (OWASP, "CSV injection"); a quote before it makes it text.
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
#: Signed numbers in any locale are no formulas, and stay what they are.
_SIGNED_NUMBER = r"^[+-][0-9][0-9.,' \u00a0]*$"
_LONGEST_XLSX_CELL, _MOST_XLSX_ROWS = 32_767, 1_048_575


def write_quarantined(path: Path, rows: pl.DataFrame, issues: pl.DataFrame) -> int:
    """Write rows with `row_number`, their columns, `raw`, and the reasons. Returns how many.

    Raises ConfigError for a file name that says neither CSV nor XLSX, and for what a sheet cannot hold.
    """
    table = _with_reasons(rows.drop(IDENTITY, strict=False), issues)
    kind = path.suffix.lower()
    if kind not in {".csv", ".xlsx"}:
        raise ConfigError(f"{path.name} is neither .csv nor .xlsx", do="name the file so")
    with disk_errors(f"write {path}"), part_file(path.absolute().parent) as part:
        if kind == ".csv":
            part.write_bytes(_csv(table))
        else:
            _write_xlsx(part, table)
        settle(part, path.absolute())
    return table.height


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
    cells = [pl.col(c) if sheet else _bare(pl.col(c)) for c in texts]
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


def _safe(cells: pl.Expr) -> pl.Expr:
    """Put a quote before what would be a formula, and before what looks as if that was done already."""
    risky = pl.any_horizontal(cells.str.starts_with(sign) for sign in _DANGEROUS)
    quoted = cells.str.starts_with("'")
    return pl.when((risky & ~cells.str.contains(_SIGNED_NUMBER)) | quoted).then("'" + cells).otherwise(cells)


def _bare(cells: pl.Expr) -> pl.Expr:
    """Take the quote away again."""
    risky = pl.any_horizontal(cells.str.starts_with(f"'{sign}") for sign in (*_DANGEROUS, "'"))
    return pl.when(risky).then(cells.str.slice(1)).otherwise(cells)


def _csv(table: pl.DataFrame) -> bytes:
    """UTF-8 with a byte order mark, without which Excel takes it for a local encoding."""
    safe = table.with_columns(_safe(pl.col(c)).alias(c) for c in table.columns if c != ROW_NUMBER)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_safe_names(table.columns))
    writer.writerows(safe.iter_rows())
    return text.getvalue().encode("utf-8-sig")


def _safe_names(names: Iterable[str]) -> list[str]:
    return pl.DataFrame({"n": list(names)}).select(_safe(pl.col("n")).alias("n"))["n"].to_list()


def _write_xlsx(path: Path, table: pl.DataFrame) -> None:
    """All cells as text, which no spreadsheet takes for a formula or turns into a date."""
    import xlsxwriter

    longest = max((int(table[c].str.len_chars().max() or 0) for c in table.columns if c != ROW_NUMBER), default=0)  # type: ignore[arg-type]
    if table.height > _MOST_XLSX_ROWS or longest > _LONGEST_XLSX_CELL:
        raise ConfigError("there is more than a sheet can hold", do="export to a .csv")
    options = {
        "strings_to_formulas": False,
        "strings_to_numbers": False,
        "strings_to_urls": False,
        "constant_memory": True,
    }
    with xlsxwriter.Workbook(str(path), options) as book:
        sheet, bold, text = (
            book.add_worksheet("quarantined"),
            book.add_format({"bold": True}),
            book.add_format({"num_format": "@"}),
        )
        sheet.freeze_panes(1, 1)
        sheet.set_column(0, 0, 12)
        sheet.set_column(1, len(table.columns) - 1, 20, text)
        for place, name in enumerate(table.columns):
            sheet.write_string(0, place, name, bold)
        for number, row in enumerate(table.iter_rows(), start=1):
            for place, cell in enumerate(row):
                if isinstance(cell, int):
                    sheet.write_number(number, place, cell)
                elif cell is not None:
                    sheet.write_string(number, place, cell, text)
