"""What `import-project inspect` tells of a bank file: payments, totals, statements, findings."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from import_project.cli.issue_table import issue_table
from import_project.frames import Reading
from import_project.records.statements import Statement, Total


def summary(reading: Reading) -> dict[str, Any]:
    """Return format, counts, totals per currency, statements and issues; amounts as strings with two decimals."""
    issues = [{k: v for k, v in issue.items() if v is not None} for issue in reading.issues.iter_rows(named=True)]
    return {
        "format": reading.format,
        "payments": reading.frame.height,
        "totals": totals(reading.statements),
        "statements": [_statement(s) for s in reading.statements],
        "issues": issues,
    }


def totals(statements: Iterable[Statement]) -> dict[str, dict[str, Any]]:
    """Return count, credit and debit of the entries per currency, by the direction of each booking; amounts unsigned.

    Entries are what the statements list: a batch is one, however many payments it holds.
    """
    found: dict[str, Total] = {}
    for total in (t for s in statements for t in s.totals):
        sofar = found.get(total.currency)
        found[total.currency] = total if sofar is None else sofar + total
    return {
        t.currency: {"count": t.entries, "credit": _money(t.credit), "debit": _money(t.debit)} for t in found.values()
    }


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{abs(amount) if amount == 0 else amount:.2f}"


def _statement(statement: Statement) -> dict[str, Any]:
    return {
        "number": statement.number,
        "account": statement.account,
        "receiver": statement.receiver,
        "currency": statement.currency,
        "identification": statement.identification,
        "sequence": statement.sequence,
        "date": statement.booking_date.isoformat() if statement.booking_date else None,
        "payments": statement.payments,
        "net": _money(statement.net),
        "declared": _money(statement.declared),
        "opening": _money(statement.opening),
        "closing": _money(statement.closing),
        "balance": statement.balance,
    }


#: What is shown of statements, where any of them says it.
_SHOWN = {
    "identification": "statement",
    "sequence": "number",
    "account": "account",
    "currency": "currency",
    "date": "date",
    "payments": "payments",
    "opening": "opening",
    "net": "net",
    "closing": "closing",
    "declared": "declared",
}


def show(reading: Reading, console: Console) -> None:
    """Print the same for people."""
    told = summary(reading)
    console.print(f"[bold]{told['format']}[/bold]: {told['payments']} payments")
    if told["statements"]:
        names = [n for n in _SHOWN if any(s[n] is not None for s in told["statements"])]
        table = Table(*(_SHOWN[n] for n in names), "balance")
        for s in told["statements"]:
            balance = Text(s["balance"], style="green" if s["balance"] == "ok" else "red")
            table.add_row(*(Text("-" if s[n] is None else str(s[n])) for n in names), balance)
        console.print(table)
    if told["totals"]:
        table = Table("currency", "count", "credit", "debit")
        for currency, sums in told["totals"].items():
            table.add_row(Text(currency), *(Text(str(sums[k])) for k in ("count", "credit", "debit")))
        console.print(table)
    if told["issues"]:
        console.print(issue_table(told["issues"]))
