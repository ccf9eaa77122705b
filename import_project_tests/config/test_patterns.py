"""Which names a pattern means, in tables; dates on the clock of a zone."""

import re
import string
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from import_project.config.patterns import DatedGlob, matcher, rendered

NOW = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)  # the 22nd, 00:30, in Stockholm
STOCKHOLM = ZoneInfo("Europe/Stockholm")


@pytest.mark.parametrize(
    ("given", "name", "expected"),
    [
        ({"glob": "*.csv"}, "a.csv", True),
        ({"glob": "*.csv"}, "a.CSV", False),
        ({"glob": "a?[0-9].csv"}, "ab7.csv", True),
        ({"regex": r"a\d+"}, "a12", True),
        ({"regex": r"a\d+"}, "a12b", False),
    ],
)
def test_plain_patterns(given: dict[str, str], name: str, expected: bool) -> None:
    assert matcher(**given)(name) is expected


@pytest.mark.parametrize(
    ("template", "name", "days_back", "expected"),
    [
        ("BGMAX_{YYYYMMDD}*.txt", "BGMAX_20261122_1.txt", 0, True),
        ("BGMAX_{YYYYMMDD}*.txt", "BGMAX_20261121.txt", 0, False),
        ("BGMAX_{YYYYMMDD}*.txt", "BGMAX_20261121.txt", 1, True),
        ("BGMAX_{YYYYMMDD}*.txt", "BGMAX_19991231.txt", None, True),
        ("BGMAX_{YYYYMMDD}*.txt", "BGMAX_20261123.txt", None, False),  # tomorrow
        ("BGMAX_{YYYYMMDD}*.txt", "BGMAX_20260231.txt", None, False),  # no such day
        ("BGMAX_{YYYYMMDD}*.txt", "BGMAX_2026112x.txt", None, False),
        ("{YYYY-MM-DD}.csv", "2026-11-22.csv", 0, True),
        ("{YYYY}/x".replace("/", "_"), "2026_x", 0, True),
        ("{YYYY}_x", "2025_x", 0, False),
        ("{YYYY}{MM}.csv", "202611.csv", 0, True),
        ("{YYYY}{MM}.csv", "202610.csv", 22, True),  # the month's last day is 22 days back
        ("{YYYY}{MM}.csv", "202610.csv", 21, False),
        ("{YYYYMMDD}_{HH}{mm}{ss}.csv", "20261122_003000.csv", 0, True),
        ("{YYYYMMDD}_{HH}{mm}{ss}.csv", "20261122_003001.csv", 0, False),  # a second ahead
        ("{YYYYMMDD}_{HH}{mm}{ss}.csv", "20261121_240000.csv", None, False),
        ("{DD}.{MM}.{YYYY}_{YYYY}.csv", "22.11.2026_2026.csv", 0, True),
        ("{DD}.{MM}.{YYYY}_{YYYY}.csv", "22.11.2026_2025.csv", None, False),
        ("r{HH}{mm}*", "r0930.csv", None, True),
        ("r{HH}{mm}*", "r2460.csv", None, False),
        ("a[{]{YYYY}", "a{2026", None, True),
    ],
)
def test_dated(template: str, name: str, days_back: int | None, expected: bool) -> None:
    assert DatedGlob(template, STOCKHOLM, days_back).matcher(NOW)(name) is expected


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("*.txt", "holds no date"),
        ("{date}.txt", "unknown {date}; known are {YYYY}, {MM}"),
        ("{DD}.txt", "holds {DD} and no {MM}"),
        ("{YYYY}{DD}.txt", "holds {DD} and no {MM}"),
        ("{ss}.txt", "holds {ss} and no {mm}"),
    ],
)
def test_templates_that_mean_nothing(template: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        DatedGlob(template, UTC)


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2099, 12, 31)),  # noqa: DTZ001 - a wall clock's readings
    st.text(string.ascii_letters + "._-+()[", max_size=5),
)
def test_what_is_rendered_is_found_again(moment: datetime, extra: str) -> None:
    template = "x_{YYYYMMDD}T{HH}{mm}{ss}" + extra.replace("[", "[[]")
    name = rendered("x_{YYYYMMDD}T{HH}{mm}{ss}", moment) + extra
    assert DatedGlob(template, UTC).moment(name) == moment.replace(microsecond=0)


def test_rendered_paths() -> None:
    assert rendered("/a/{YYYY}/{MM}/{DD}/{YYYY-MM-DD}", datetime(2026, 1, 2, tzinfo=UTC)) == "/a/2026/01/02/2026-01-02"
    with pytest.raises(ValueError, match=r"unknown \{year\}"):
        rendered("{year}", NOW)
