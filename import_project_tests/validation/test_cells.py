"""Cells of text and of typed files: exact, by the column's own marks, formats and zone, or unreadable."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from import_project.validation.cells import read_cells
from import_project.validation.columns import Column


def values(column: Column, *cells: Any, dtype: Any = pl.String) -> list[Any]:
    frame = pl.DataFrame({"c": pl.Series(cells, dtype=dtype)})
    return frame.select(read_cells(column, frame.schema["c"]).alias("c"))["c"].to_list()


@pytest.mark.parametrize(
    ("marks", "good", "bad"),
    [
        (
            {"decimal_mark": ",", "group_mark": "."},
            {"1.234,56": "1234.56", "12,5": "12.5", "1.234.567": "1234567"},
            ["1,234.56", "12.34,5", "1.2345,6", "1234.567,8", ".123"],
        ),
        ({"group_mark": ","}, {"1,234.56": "1234.56", "-1,000": "-1000"}, ["1.234,56", "1,23", "1,2345"]),
        (
            {"decimal_mark": ",", "group_mark": " "},
            {"1 234,5": "1234.5", "1\u00a0234": "1234", "1\u202f234": "1234"},
            ["1  234", "12 34"],
        ),
        ({"group_mark": "'"}, {"1'234.50": "1234.5"}, ["1’234"]),
    ],
)
def test_thousands_are_parted_as_agreed_or_not_at_all(
    marks: dict[str, Any], good: dict[str, str], bad: list[str]
) -> None:
    column = Column(name="c", type="decimal", **marks)
    assert values(column, *good) == [Decimal(v) for v in good.values()]
    assert values(column, *bad) == [None] * len(bad)


@given(st.decimals(-(10**15), 10**15, places=2))
def test_every_amount_is_read_to_the_cent(amount: Decimal) -> None:
    assert values(Column(name="c", type="decimal"), f"{amount:f}") == [amount]
    comma = f"{amount:,.2f}".replace(",", "_").replace(".", ",").replace("_", ".")
    assert values(Column(name="c", type="decimal", decimal_mark=",", group_mark="."), comma) == [amount]


@pytest.mark.parametrize(
    ("options", "cell", "value"),
    [
        ({}, "2026-01-05T07:30:00", datetime(2026, 1, 5, 7, 30, tzinfo=UTC)),
        ({"timezone": "Europe/Stockholm"}, "2026-07-05T07:30:00", datetime(2026, 7, 5, 5, 30, tzinfo=UTC)),
        ({"timezone": "Europe/Stockholm"}, "2026-03-29T02:30:00", None),  # never on the clock
        ({"timezone": "Europe/Stockholm"}, "2026-10-25T02:30:00", None),  # twice on the clock
        (
            {"datetime_format": "%Y-%m-%dT%H:%M:%S%z"},
            "2026-01-05T07:30:00+02:00",
            datetime(2026, 1, 5, 5, 30, tzinfo=UTC),
        ),
        ({"datetime_format": "%Y-%m-%dT%H:%M:%S%z"}, "2026-01-05T07:30:00Z", datetime(2026, 1, 5, 7, 30, tzinfo=UTC)),
        ({"datetime_format": "%d.%m.%Y %H:%M"}, "05.01.2026 24:00", None),
        ({"datetime_format": "%d.%m.%Y %H:%M"}, "5.1.2026 7:30", None),
        (
            {"datetime_format": "%Y-%m-%dT%H:%M:%S%.f"},
            "2026-01-05T07:30:00.25",
            datetime(2026, 1, 5, 7, 30, 0, 250_000, UTC),
        ),
    ],
)
def test_times_are_of_a_zone_and_never_guessed(options: dict[str, Any], cell: str, value: datetime | None) -> None:
    assert values(Column(name="c", type="datetime", **options), cell) == [value]


@pytest.mark.parametrize(
    ("written", "cell", "value"),
    [
        ("%d.%m.%y", "05.01.26", date(2026, 1, 5)),
        ("%d.%m.%y", "5.1.26", None),
        ("%y%m%d", "260105", date(2026, 1, 5)),
        ("%d %b %Y", "05 Jan 2026", date(2026, 1, 5)),
        ("%d %b %Y", "5 Jan 2026", None),
        ("%Y-%m-%d", "+2026-1-05", None),
        ("%Y-%m-%d", "2026-02-29", None),
        ("%Y-%m-%d", "2024-02-29", date(2024, 2, 29)),
    ],
)
def test_days_have_all_digits_of_their_format(written: str, cell: str, value: date | None) -> None:
    assert values(Column(name="c", type="date", date_format=written), cell) == [value]


@pytest.mark.parametrize(
    ("column", "dtype", "cells", "expected"),
    [
        (
            Column(name="c", type="decimal", decimal_mark=","),
            pl.Float64,
            [0.1, 1234.5, 1e20, float("nan"), float("inf")],
            [Decimal("0.10"), Decimal("1234.50"), None, None, None],
        ),
        (
            Column(name="c", type="decimal"),
            pl.Decimal(20, 4),
            [Decimal("1.5000"), Decimal("1.5050")],
            [Decimal("1.50"), None],
        ),
        (Column(name="c", type="decimal"), pl.Int32, [7, -1], [Decimal("7.00"), Decimal("-1.00")]),
        (Column(name="c", type="integer"), pl.Float64, [5.0, 5.5], [5, None]),
        (Column(name="c", type="integer"), pl.UInt64, [5, 2**64 - 1], [5, None]),
        (Column(name="c"), pl.Float64, [5.0, 5.25], ["5", "5.25"]),
        (Column(name="c"), pl.Int64, [12345], ["12345"]),
        (Column(name="c", type="date", date_format="%d.%m.%Y"), pl.Date, [date(2026, 1, 5)], [date(2026, 1, 5)]),
        (Column(name="c", type="boolean"), pl.Int8, [1, 0, 2], [True, False, None]),
    ],
)
def test_typed_cells_are_what_they_are(column: Column, dtype: Any, cells: list[Any], expected: list[Any]) -> None:
    assert values(column, *cells, dtype=dtype) == expected


def test_times_of_typed_files() -> None:
    naive = pl.Series("c", ["2026-07-05T07:30:00", "2026-07-05T00:00:00"]).str.to_datetime()
    zoned = naive.dt.replace_time_zone("Europe/Stockholm")
    stockholm = Column(name="c", type="datetime", timezone="Europe/Stockholm")
    wanted = [datetime(2026, 7, 5, 5, 30, tzinfo=UTC), datetime(2026, 7, 4, 22, tzinfo=UTC)]
    for series in (naive, zoned):
        read = series.to_frame().select(read_cells(stockholm, series.dtype).alias("c"))["c"]
        assert read.to_list() == wanted
    day = naive.to_frame().select(read_cells(Column(name="c", type="date"), naive.dtype).alias("c"))["c"]
    assert day.to_list() == [None, date(2026, 7, 5)]


@given(st.lists(st.sampled_from(["1", " 1", "1 ", "\u00a01", "x", "", " ", "1.5"]), min_size=1))
def test_outer_blanks_are_no_part_of_a_cell(cells: list[str]) -> None:
    column = Column(name="c", type="integer")
    assert values(column, *cells) == [int(c) if c.strip() == "1" else None for c in cells]
    assert values(Column(name="c"), *cells) == [c.strip() or None for c in cells]


def test_no_digit_of_a_time_is_lost() -> None:
    micro = pl.Series("c", ["2026-01-05T07:30:00.123456"]).str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us")
    nano = pl.Series("c", [1], dtype=pl.Int64).cast(pl.Datetime("ns"))
    read_as = {"text": ["2026-01-05T07:30:00.123456"], "datetime": [datetime(2026, 1, 5, 7, 30, 0, 123_456, UTC)]}
    for kind, expected in read_as.items():
        column = Column(name="c", type=kind)  # type: ignore[arg-type]
        assert micro.to_frame().select(read_cells(column, micro.dtype).alias("c"))["c"].to_list() == expected
    when = Column(name="c", type="datetime")
    assert nano.to_frame().select(read_cells(when, nano.dtype).alias("c"))["c"].to_list() == [None]
    assert values(Column(name="c", type="datetime", datetime_format="%H:%M:%S %d.%m.%Y"), "12:30:60 31.01.2026") == [
        None
    ]
    assert values(Column(name="c", type="date"), "0000-01-01", "0001-01-01") == [None, date(1, 1, 1)]
    assert values(Column(name="c", type="number"), 1.5, float("nan"), float("inf"), dtype=pl.Float64) == [
        1.5,
        None,
        None,
    ]
