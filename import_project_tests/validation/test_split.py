"""Accepted and quarantined rows: exact cells, all reasons, no row lost."""

from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from import_project.errors import Unreadable
from import_project.validation.columns import Column
from import_project.validation.payments import split_payments
from import_project.validation.schema import RowSchema
from import_project.validation.split import Split
from import_project_tests.formats.bgmax_files import BgMaxFile, Section, money
from import_project_tests.formats.reading import read_bank
from import_project_tests.validation.splitting import split_text


def split_cells(column: Column, *cells: str) -> Split:
    text = f"{column.name};other\n" + "".join(f'"{c}";x\n' for c in cells)
    other = Column(name="other")
    return split_text(text.encode(), RowSchema(name="t", columns=(column, other)), delimiter=";")


def reasons(split: Split) -> list[tuple[int, str | None, str]]:
    errors = split.issues.filter(pl.col("severity") == "error")
    return errors.select("row_number", "column", "rule").rows()


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        (Column(name="c", type="decimal"), "12.30", Decimal("12.30")),
        (Column(name="c", type="decimal"), " -0.5 ", Decimal("-0.50")),
        (Column(name="c", type="decimal"), "+7", Decimal("7.00")),
        (Column(name="c", type="decimal", decimal_mark=","), "1249,50", Decimal("1249.50")),
        (Column(name="c", type="decimal", scale=4), "0.0001", Decimal("0.0001")),
        (Column(name="c", type="integer"), "-00012", -12),
        (Column(name="c", type="boolean"), "Yes", True),
        (Column(name="c"), " text ", "text"),
    ],
)
def test_cells_are_read_exactly(column: Column, cell: str, value: Any) -> None:
    assert split_cells(column, cell).accepted["c"].to_list() == [value]


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        (
            Column(name="c", type="decimal"),
            ["1e3", "NaN", "inf", "2.555", "1,5", "1 000", "1_000", "0x1", "١٢", ".5", "5.", "--1", "1.2.3"],
        ),
        (Column(name="c", type="decimal", decimal_mark=","), ["1.234,56", "1.5", "1,234"]),
        (Column(name="c", type="integer"), ["1.0", "1e3", "a", "9" * 19, "²"]),
        (
            Column(name="c", type="date"),
            ["24-01-31", "2026-1-5", "2026-02-30", "2026-13-01", "20260101", "2026-01-01x"],
        ),
        (Column(name="c", type="date", date_format="%d.%m.%Y"), ["1.2.2026", "31.02.2026", "2026-01-01"]),
        (Column(name="c", type="boolean"), ["ja", "2", "t"]),
    ],
)
def test_cells_that_are_no_values_are_never_guessed(column: Column, cells: list[str]) -> None:
    split = split_cells(column, *cells)
    assert split.accepted.height == 0
    assert reasons(split) == [(n, "c", "unreadable") for n in range(1, len(cells) + 1)]
    assert split.issues["value"].to_list() == cells


@pytest.mark.parametrize(
    ("column", "good", "bad", "rule"),
    [
        (Column(name="c", type="decimal", minimum=Decimal("0.01")), "0.01", "0.00", "minimum"),
        (Column(name="c", type="decimal", maximum=Decimal(10)), "10.00", "10.01", "maximum"),
        (Column(name="c", type="integer", minimum=Decimal(1)), "1", "0", "minimum"),
        (Column(name="c", choices=("a", "b")), "b", "B", "choices"),
        (Column(name="c", pattern="a|b"), "a", "zb", "pattern"),
        (Column(name="c", max_length=3), "abc", "abcd", "max_length"),
        (Column(name="c"), "x", "", "required"),
        (Column(name="c"), "x", "  ", "required"),
        (Column(name="c", type="date"), "2026-01-01", " ", "required"),
    ],
)
def test_rules(column: Column, good: str, bad: str, rule: str) -> None:
    split = split_cells(column, good, bad)
    assert split.accepted.height == 1
    assert reasons(split) == [(2, "c", rule)]


def test_empty_cell_of_a_column_that_need_not_be_there_is_fine() -> None:
    assert split_cells(Column(name="c", type="integer", required=False), "", "5").accepted["c"].to_list() == [None, 5]


def test_every_member_of_a_duplicate_is_set_aside_and_nulls_are_none() -> None:
    split = split_cells(Column(name="c", unique=True, required=False), "a", "b", "a", "", "")
    assert split.accepted["c"].to_list() == ["b", None, None]
    assert reasons(split) == [(1, "c", "unique"), (3, "c", "unique")]


def test_key_of_several_columns() -> None:
    schema = RowSchema(name="t", columns=(Column(name="a"), Column(name="b", required=False)), key=("a", "b"))
    split = split_text(b"a;b\n1;x\n1;y\n1;x\n2;\n2;\n", schema)
    assert reasons(split) == [(1, None, "key"), (3, None, "key")]
    assert split.accepted["row_number"].to_list() == [2, 4, 5]


def test_row_with_several_mistakes_has_all_of_them() -> None:
    schema = RowSchema(name="t", columns=(Column(name="a", type="integer"), Column(name="b", choices=("x",))))
    assert reasons(split_text(b"a;b\nq;y\n", schema)) == [(1, "a", "unreadable"), (1, "b", "choices")]


def test_missing_column_refuses_the_file_and_an_extra_one_is_a_warning() -> None:
    schema = RowSchema(name="t", columns=(Column(name="a"), Column(name="gone")))
    with pytest.raises(Unreadable, match="'gone' is missing"):
        split_text(b"a;b\n1;2\n", schema)
    split = split_text(b"a;b\n1;2\n", RowSchema(name="t", columns=(Column(name="a"),)))
    assert split.issues.select("rule", "severity").rows() == [("extra_column", "warning")]
    assert split.accepted.columns == ["row_number", "a"]


def test_error_of_a_section_condemns_its_payments_and_no_others() -> None:
    good = Section([money("20", "1.00"), money("20", "2.00")])
    bad = Section([money("20", "3.00"), money("20", "4.00")], deposit="00057", declared="8.00")
    split = split_payments(read_bank("bgmax", BgMaxFile([good, bad]).content()))
    assert split.accepted["amount"].to_list() == [Decimal("1.00"), Decimal("2.00")]
    assert split.quarantined["amount"].to_list() == [Decimal("3.00"), Decimal("4.00")]
    assert [r[2] for r in reasons(split)] == ["C3", "C3"]


def test_payment_without_a_currency_is_set_aside() -> None:
    lines = BgMaxFile([Section([money("20", "1.00")])]).lines()
    split = split_payments(read_bank("bgmax", "\n".join(x for x in lines if not x.startswith(("05", "15"))).encode()))
    assert split.accepted.height == 0
    assert {r[2] for r in reasons(split)} >= {"C2", "currency_code"}


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from(["1", "x", "", "1.005"]), st.sampled_from(["a", "b", "zz", ""])), max_size=12)
)
def test_rows_in_are_rows_out_and_the_same_file_gives_the_same(rows: list[tuple[str, str]]) -> None:
    schema = RowSchema(
        name="t", columns=(Column(name="n", type="decimal"), Column(name="t", choices=("a", "b"), unique=True))
    )
    content = ("n;t;e\n" + "".join(f"{n};{t};.\n" for n, t in rows)).encode()
    first, second = (split_text(content, schema) for _ in range(2))
    assert first.rows == len(rows)
    numbers = [*first.accepted["row_number"], *first.quarantined["row_number"]]
    assert sorted(numbers) == list(range(1, len(rows) + 1))
    errors = first.issues.filter(pl.col("severity") == "error")
    assert set(errors["row_number"]) == set(first.quarantined["row_number"])
    assert first.issues.equals(second.issues)


def test_text_null_is_a_value_like_any_other() -> None:
    assert reasons(split_cells(Column(name="c", unique=True), "null", "null")) == [
        (1, "c", "unique"),
        (2, "c", "unique"),
    ]


def test_whole_numbers_obey_limits_with_a_fraction() -> None:
    assert split_cells(Column(name="c", type="integer", minimum=Decimal("0.5")), "0").accepted.height == 0
    assert split_cells(Column(name="c", type="integer", maximum=Decimal("-0.5")), "0").accepted.height == 0


def test_decimals_without_a_fraction() -> None:
    column = Column(name="c", type="decimal", scale=0)
    assert split_cells(column, "12", "12.0").accepted["c"].to_list() == [Decimal(12)]


@pytest.mark.parametrize(
    "column",
    [
        *(Column(name=n) for n in ("raw", "row_number", "identity", "*", "^a$")),
        *(Column(name="c", type="date", date_format=f) for f in ("%d/%m", "day", "%", "%Q", "%Y-%m", "%Y-%m-%d %H:%M")),
        *(Column(name="c", pattern=p) for p in ("[", "(?=x)y", "x(?<!y)")),
    ],
)
def test_columns_that_cannot_work_are_told_before_any_file(column: Column) -> None:
    assert column.problem() is not None


@pytest.mark.parametrize("date_format", ["%Y-%m-%d", "%d.%m.%Y", "%Y%m%d", "%d %b %Y"])
def test_date_formats_that_work(date_format: str) -> None:
    assert Column(name="c", type="date", date_format=date_format).problem() is None
