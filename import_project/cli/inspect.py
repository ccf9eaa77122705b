"""`import-project inspect`: what is in a file, as a table or as JSON. Nothing is stored."""

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text

from import_project.cli.outcome_table import table_console
from import_project.errors import FileRefused, NotBookable, one_line
from import_project.formats.registry import detect, format_named
from import_project.frames import PAYMENTS, Reading
from import_project.records.statements import Statement


def inspect_file(file: Path, name: str | None, *, as_json: bool) -> None:
    """Print the contents of a file. Raises FileRefused when it cannot be read or may not be booked as it is."""
    content = file.read_bytes()
    try:
        reading = format_named(name or detect(content)).read(content)
    except FileRefused as error:
        raise error.at(file=str(file)) from None
    if as_json:
        json.dump(summary(reading), sys.stdout, ensure_ascii=False, indent=2)
        print()
    else:
        show(reading, table_console())
    if not reading.bookable:
        errors = reading.issues.filter(pl.col("severity") == "error")
        more = f" (and {errors.height - 1} more)" if errors.height > 1 else ""
        raise NotBookable(f"{errors['rule'][0]}: {errors['message'][0]}{more}", file=str(file))


def summary(reading: Reading) -> dict[str, Any]:
    """Return format, counts, totals per currency, statements and issues; amounts as strings with two decimals."""
    issues = [{k: v for k, v in issue.items() if v is not None} for issue in reading.issues.iter_rows(named=True)]
    if not is_payments(reading):
        columns = [c for c in reading.frame.columns if c not in {"row_number", "raw"}]
        counts = {"format": reading.format, "rows": reading.frame.height, "columns": columns}
        return {**counts, "payments": 0, "totals": {}, "statements": [], "issues": issues}
    return {
        "format": reading.format,
        "payments": reading.frame.height,
        "totals": totals(reading.frame),
        "statements": [_statement(s) for s in reading.statements],
        "issues": issues,
    }


def is_payments(reading: Reading) -> bool:
    """Whether the frame is the canonical payments frame."""
    return set(PAYMENTS) <= set(reading.frame.columns)


def totals(payments: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Return count, credit and debit per currency, by the direction of each booking; amounts unsigned."""
    found: dict[str, dict[str, Any]] = {}
    groups = payments.group_by("currency", maintain_order=True).agg(
        count=pl.len(),
        credit=pl.col("amount").filter(pl.col("direction") == "credit").sum(),
        debit=-pl.col("amount").filter(pl.col("direction") == "debit").sum(),
    )
    for row in groups.iter_rows(named=True):
        amounts = {side: _money(row[side]) for side in ("credit", "debit")}
        found[row["currency"]] = {"count": row["count"], **amounts}
    return found


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{abs(amount) if amount == 0 else amount:.2f}"


def _statement(statement: Statement) -> dict[str, Any]:
    return {
        "number": statement.number,
        "account": statement.account,
        "receiver": statement.receiver,
        "currency": statement.currency,
        "identification": statement.identification,
        "date": statement.booking_date.isoformat() if statement.booking_date else None,
        "payments": statement.payments,
        "net": _money(statement.net),
        "declared": _money(statement.declared),
        "opening": _money(statement.opening),
        "closing": _money(statement.closing),
        "balance": statement.balance,
    }


def show(reading: Reading, console: Console) -> None:
    """Print the same for people."""
    told = summary(reading)
    rows = told.get("rows", told["payments"])
    console.print(f"[bold]{told['format']}[/bold]: {rows} {'payments' if is_payments(reading) else 'rows'}")
    if told["statements"]:
        table = Table("statement", "account", "currency", "date", "payments", "net", "declared", "balance")
        for s in told["statements"]:
            cells = [
                s["identification"],
                s["account"],
                s["currency"],
                s["date"],
                s["payments"],
                s["net"],
                s["declared"],
            ]
            balance = Text(s["balance"], style="green" if s["balance"] == "ok" else "red")
            table.add_row(*(Text("-" if c is None else str(c)) for c in cells), balance)
        console.print(table)
    if told["totals"]:
        table = Table("currency", "count", "credit", "debit")
        for currency, sums in told["totals"].items():
            table.add_row(Text(currency), *(Text(str(sums[k])) for k in ("count", "credit", "debit")))
        console.print(table)
    if not is_payments(reading):
        console.print("columns: " + ", ".join(told["columns"]), markup=False)
    if told["issues"]:
        table = Table("severity", "row", "rule", "message")
        for issue in told["issues"]:
            severity = Text(issue["severity"], style="red" if issue["severity"] == "error" else "yellow")
            number = str(issue.get("row_number", "-"))
            table.add_row(severity, number, issue["rule"], Text(one_line(issue["message"])))
        console.print(table)
