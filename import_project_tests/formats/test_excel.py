"""Workbooks: typed columns, mixed ones as text, errors and bombs told, and which sheet is meant."""

import io
import random
import zipfile
from datetime import date, datetime
from typing import Any

import polars as pl
import pytest
import xlsxwriter

from import_project.errors import ImportProjectError, NotAllowed, Unreadable
from import_project.formats.registry import detect
from import_project_tests.formats.reading import cells, problems, read


def workbook(sheets: dict[str, list[list[Any]]], *, hidden: str | None = None) -> bytes:
    """A workbook; texts that begin with = are formulas, with the value behind a bar saved with them."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            if name == hidden:
                sheet.hide()
            for number, row in enumerate(rows):
                for place, cell in enumerate(row):
                    if isinstance(cell, date):
                        sheet.write_datetime(number, place, cell, day)
                    elif isinstance(cell, str) and cell.startswith("="):
                        formula, _, value = cell.partition("|")
                        sheet.write_formula(number, place, formula, value=value)
                    elif cell is not None:
                        sheet.write(number, place, cell)
    return content.getvalue()


NOON = datetime.combine(date(2026, 1, 5), datetime.min.time().replace(hour=12))
ORDERS: list[list[Any]] = [
    ["id", "amount", "day", "ok", "mixed", "when"],
    ["A1", 1234.5, date(2026, 1, 5), True, 12, NOON],
    ["A2", 5, date(2026, 1, 6), False, "1.234,56", None],
]


def test_columns_of_one_type_have_it_and_mixed_ones_are_text() -> None:
    reading = read("excel", workbook({"one": ORDERS}))
    types = dict(reading.frame.schema)
    assert [types[c] for c in ("amount", "day", "ok")] == [pl.Float64(), pl.Date(), pl.Boolean()]
    assert cells(reading)[0] | {"when": None} == {
        "id": "A1",
        "amount": 1234.5,
        "day": date(2026, 1, 5),
        "ok": True,
        "mixed": "12",
        "when": None,
    }
    assert cells(reading)[1]["mixed"] == "1.234,56"


def test_numbers_have_the_fifteen_digits_that_excel_shows() -> None:
    reading = read("excel", workbook({"one": [["n"], [0.1 + 0.2], [1234567.891]]}))
    assert reading.frame["n"].to_list() == [0.3, 1234567.891]


def test_formulas_count_as_the_value_saved_with_them_and_errors_are_told() -> None:
    reading = read("excel", workbook({"one": [["a", "b"], ["=1+1|2", "x"], ["=1/0|#DIV/0!", "y"]]}))
    assert problems(reading) == [(2, "cell_error", "a")]
    assert reading.frame["b"].to_list() == ["x", "y"]


def test_blank_rows_count_and_are_no_rows() -> None:
    reading = read("excel", workbook({"one": [["a"], ["1"], [None], [None], ["2"], [None]]}))
    assert reading.frame["row_number"].to_list() == [1, 4]
    assert [rule for _, rule, _ in problems(reading)] == ["blank_row", "blank_row"]


def test_sheets_by_name_and_place_and_the_only_one_with_something() -> None:
    content = workbook({"first": [["a"], ["1"]], "second": [["b"], ["2"]], "empty": []})
    assert cells(read("excel", content, sheet="second")) == [{"b": "2"}]
    assert cells(read("excel", content, sheet=1)) == [{"a": "1"}]
    with pytest.raises(Unreadable, match="2 sheets hold something"):
        read("excel", content)
    with pytest.raises(Unreadable, match="no sheet 'third'"):
        read("excel", content, sheet="third")
    with pytest.raises(Unreadable, match="3 sheets, not 9"):
        read("excel", content, sheet=9)
    assert cells(read("excel", workbook({"a": [["a"], ["1"]], "h": [["b"], ["2"]]}, hidden="h"))) == [{"a": "1"}]


def test_header_further_down_twice_and_blank() -> None:
    content = workbook({"one": [["Report"], [None], ["id", "id", None], ["1", "2", "3"]]})
    reading = read("excel", content, header_row=3)
    assert cells(reading) == [{"id_1": "1", "id_2": "2", "column_3": "3"}]
    assert problems(reading) == [(None, "duplicate_header", "id")]
    with pytest.raises(Unreadable, match="row 2 of sheet 'one' is no header"):
        read("excel", content, header_row=2)


def test_workbook_with_a_header_only() -> None:
    reading = read("excel", workbook({"one": [["a", "b"]]}))
    assert (reading.frame.height, reading.frame.columns) == (0, ["row_number", "a", "b", "raw"])


def bomb(size: int) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("[Content_Types].xml", "<Types/>")
        with book.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            for _ in range(size >> 20):
                sheet.write(b" " * (1 << 20))
    return content.getvalue()


def test_bombs_are_refused_before_they_are_unpacked() -> None:
    with pytest.raises(NotAllowed, match="unpacks to more than"):
        read("excel", bomb(64 << 20))


def test_bomb_that_lies_about_its_size_is_refused_too() -> None:
    content = bomb(64 << 20)
    size = (64 << 20).to_bytes(4, "little")
    assert content.count(size)
    with pytest.raises((NotAllowed, Unreadable)):
        read("excel", content.replace(size, (1000).to_bytes(4, "little")))


def test_damage_is_one_of_our_errors() -> None:
    content = bytearray(workbook({"one": ORDERS}))
    dice = random.Random(7)
    for _ in range(150):
        spoiled = bytearray(content)
        for _ in range(3):
            spoiled[dice.randrange(len(spoiled))] = dice.randrange(256)
        cut = spoiled[: dice.randrange(len(spoiled))] if dice.random() < 0.3 else spoiled
        try:
            read("excel", bytes(cut))
        except ImportProjectError as error:
            assert "\n" not in str(error)  # noqa: PT017 - most of them are refused, some damage does not matter


def test_workbooks_are_recognised_and_other_archives_are_not() -> None:
    assert detect(workbook({"one": ORDERS})) == "excel"
    plain = io.BytesIO()
    with zipfile.ZipFile(plain, "w") as archive:
        archive.writestr("orders.csv", "a,b\n1,2\n")
    with pytest.raises(ImportProjectError, match="fits none"):
        detect(plain.getvalue())
