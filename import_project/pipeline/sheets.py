"""Tables as files for people: CSV or XLSX, safe to open in a spreadsheet, and their cells read back."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from import_project.errors import ConfigError
from import_project.store.disk import disk_errors, part_file, settle

#: A cell that begins so is a formula to a spreadsheet (OWASP, "CSV injection"); a quote before it makes it text.
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
#: Where a spreadsheet may begin another cell within one, by its own separator: quotes before a sign there count too.
_WITHIN, _BARE_WITHIN = r"([;\t\r\n][ \u00a0\"]*)('*[=+\-@＝＋－＠])", r"([;\t\r\n][ \u00a0\"]*)'('*[=+\-@＝＋－＠])"
#: Signed numbers in any locale are no formulas, and stay what they are.
_SIGNED_NUMBER = r"^[+-][0-9][0-9.,' \u00a0]*$"
_LONGEST_XLSX_CELL, _MOST_XLSX_ROWS = 32_767, 1_048_575


def write_sheet(path: Path, table: pl.DataFrame, title: str) -> int:
    """Write a table of text and whole numbers. Returns its rows.

    Raises ConfigError for a file name that says neither CSV nor XLSX, and for what a sheet cannot hold.
    """
    kind = path.suffix.lower()
    if kind not in {".csv", ".xlsx"}:
        raise ConfigError(f"{path.name} is neither .csv nor .xlsx", do="name the file so")
    with disk_errors(f"write {path}"), part_file(path.absolute().parent) as part:
        if kind == ".csv":
            part.write_bytes(_csv(table))
        else:
            _write_xlsx(part, table, title)
        settle(part, path.absolute())
    return table.height


def _safe(cells: pl.Expr) -> pl.Expr:
    """Put a quote before what would be a formula, and before what looks as if that was done already."""
    risky = pl.any_horizontal(cells.str.starts_with(sign) for sign in _DANGEROUS)
    quoted = cells.str.starts_with("'")
    within = cells.str.replace_all(_WITHIN, "${1}'${2}")
    return pl.when((risky & ~cells.str.contains(_SIGNED_NUMBER)) | quoted).then("'" + within).otherwise(within)


def bare(cells: pl.Expr) -> pl.Expr:
    """Take the quote away again."""
    risky = pl.any_horizontal(cells.str.starts_with(f"'{sign}") for sign in (*_DANGEROUS, "'"))
    within = pl.when(risky).then(cells.str.slice(1)).otherwise(cells)
    return within.str.replace_all(_BARE_WITHIN, "${1}${2}")


def _csv(table: pl.DataFrame) -> bytes:
    """UTF-8 with a byte order mark, without which Excel takes it for a local encoding."""
    safe = table.with_columns(_safe(pl.col(c)).alias(c) for c in table.columns if table[c].dtype == pl.String)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_safe_names(table.columns))
    writer.writerows(safe.iter_rows())
    return text.getvalue().encode("utf-8-sig")


def _safe_names(names: Iterable[str]) -> list[str]:
    return pl.DataFrame({"n": list(names)}).select(_safe(pl.col("n")).alias("n"))["n"].to_list()


def _write_xlsx(path: Path, table: pl.DataFrame, title: str) -> None:
    """All cells as text, which no spreadsheet takes for a formula or turns into a date."""
    import xlsxwriter

    lengths = [table[c].str.len_chars().max() for c in table.columns if table[c].dtype == pl.String]
    longest = max((n for n in lengths if isinstance(n, int)), default=0)
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
            book.add_worksheet(title),
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
