"""What `import-project inspect` tells of a bank file: payments, totals, statements, findings."""

from decimal import Decimal
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text

from import_project.cli.issue_table import issue_table
from import_project.frames import Reading
from import_project.records.statements import Statement


def summary(reading: Reading) -> dict[str, Any]:
    """Return format, counts, totals per currency, statements and issues; amounts as strings with two decimals."""
    issues = [{k: v for k, v in issue.items() if v is not None} for issue in reading.issues.iter_rows(named=True)]
    return {
        "format": reading.format,
        "payments": reading.frame.height,
        "totals": totals(reading.frame),
        "statements": [_statement(s) for s in reading.statements],
        "issues": issues,
    }


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
    console.print(f"[bold]{told['format']}[/bold]: {told['payments']} payments")
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
    if told["issues"]:
        console.print(issue_table(told["issues"]))
