"""`import-project inspect`: what is in a file, as a table or as JSON. Nothing is stored."""

import json
import sys
from pathlib import Path
from typing import Any

import polars as pl

from import_project.cli import inspect_payments, inspect_rows
from import_project.cli.outcome_table import table_console
from import_project.cli.rows import HEAD, checked_options, opened
from import_project.errors import FileRefused, NotBookable
from import_project.formats.registry import ROW_FORMATS, detect, read_whole
from import_project.formats.trial import try_out


def inspect_file(file: Path, name: str | None, options: tuple[str, ...], *, as_json: bool) -> None:
    """Print the contents of a file. Raises FileRefused when it cannot be read or may not be booked as it is."""
    try:
        with opened(file) as content:
            form = name or detect(content.read(HEAD))
            given = checked_options(form, options)
            content.seek(0)
            if form in ROW_FORMATS:
                try_out(form, content, given)
                rows = inspect_rows.looked_at(form, content, given)
                told, issues = inspect_rows.summary(rows), rows.issues
            else:
                reading = read_whole(form, content, given)
                told, issues = inspect_payments.summary(reading), reading.issues
    except FileRefused as error:
        raise error.at(file=str(file)) from None
    if as_json:
        _print_json(told)
    elif form in ROW_FORMATS:
        inspect_rows.show(rows, table_console())
    else:
        inspect_payments.show(reading, table_console())
    errors = issues.filter(pl.col("severity") == "error")
    if errors.height:
        more = f" (and {errors.height - 1} more)" if errors.height > 1 else ""
        row = errors["row_number"][0] if form in ROW_FORMATS else None
        raise NotBookable(f"{errors['rule'][0]}: {errors['message'][0]}{more}", file=str(file), row=row)


def _print_json(told: dict[str, Any]) -> None:
    json.dump(told, sys.stdout, ensure_ascii=False, indent=2)
    print()
