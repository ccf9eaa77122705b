"""The file that the row benchmarks read: invoices in ten columns, one row in a hundred bad in one of ten ways."""

import csv
import random
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import xlsxwriter

from import_project.validation.columns import Column
from import_project.validation.schema import RowRule, RowSchema

COLUMNS = (
    "invoice_id",
    "customer",
    "email",
    "amount",
    "currency",
    "issued_on",
    "due_on",
    "quantity",
    "country",
    "note",
)
SCHEMA = RowSchema(
    name="invoices",
    columns=(
        Column(name="invoice_id", pattern="INV-[0-9]{8}", unique=True),
        Column(name="customer", max_length=40),
        Column(name="email", pattern="[^@]+@[^@]+"),
        Column(name="amount", type="decimal", minimum=Decimal("0.01"), maximum=Decimal(1_000_000)),
        Column(name="currency", choices=("SEK", "EUR", "NOK")),
        Column(name="issued_on", type="date"),
        Column(name="due_on", type="date"),
        Column(name="quantity", type="integer", minimum=Decimal(1)),
        Column(name="country", choices=("SE", "NO", "FI", "DE")),
        Column(name="note", required=False),
    ),
    rules=(RowRule(name="due", must="due_on >= issued_on", message="due before it was issued"),),
)
_FIRST = date(2024, 1, 1)


def rows(count: int, *, seed: int = 1) -> Any:
    """Yield the rows; a bad one has one mistake, and the duplicates are of rows that are good in themselves."""
    dice = random.Random(seed)
    for number in range(1, count + 1):
        issued = _FIRST + timedelta(days=dice.randrange(1000))
        row = [
            f"INV-{number:08}",
            f"Customer {dice.randrange(50_000)}",
            f"user{number}@example.com",
            f"{dice.randrange(1, 9_999_999) / 100:.2f}",
            dice.choice(("SEK", "EUR", "NOK")),
            issued.isoformat(),
            (issued + timedelta(days=30)).isoformat(),
            str(dice.randrange(1, 500)),
            dice.choice(("SE", "NO", "FI", "DE")),
            "" if dice.random() < 0.5 else f"note {number}",
        ]
        if dice.random() < 0.01 and number > 10:
            _spoil(row, dice.randrange(10), number)
        yield row


def _spoil(row: list[str], kind: int, number: int) -> None:
    place, value = (
        (3, "1e3"),
        (3, "1.234,56"),
        (5, "2026-02-30"),
        (4, "XXX"),
        (1, ""),
        (7, "-1"),
        (0, f"INV-{number - 7:08}"),
        (6, "2001-01-01"),
        (2, "nobody"),
        (3, "0.00"),
    )[kind]
    row[place] = value


def write_csv(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows(count))


def write_xlsx(path: Path, count: int) -> None:
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        sheet = book.add_worksheet("invoices")
        for place, name in enumerate(COLUMNS):
            sheet.write_string(0, place, name)
        for number, row in enumerate(rows(count), start=1):
            for place, cell in enumerate(row):
                if cell:
                    sheet.write_string(number, place, cell)
