"""Which waiting files get a run: four orders, a limit, and one at a time where the order is the sender's."""

from datetime import timedelta
from typing import Any

import pytest

from import_project.pipeline.order import natural, pick
from import_project.records.files import Arrival, ArrivalState
from import_project_tests.pipeline.test_compare import NOW, arrival, listed

NAMES = ("b10.csv", "b9.csv", "B1.csv", "a.csv")


def waiting(*names: str, **over: Any) -> list[Arrival]:
    ages = range(len(names))
    return [
        arrival(ArrivalState.READY, listed(name, mtime=NOW - timedelta(minutes=n)), n, partition=f"{name}~", **over)
        for n, name in zip(ages, names, strict=True)
    ]


def picked(files: list[Arrival], order: Any, limit: int = 100, **over: Any) -> list[str]:
    return [a.name for a in pick(files, order=order, limit=limit, **{"on_its_way": (), "now": NOW, **over})]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("process_all", list(NAMES)),
        ("latest_by_mtime", list(NAMES)),
        ("lexicographic", ["B1.csv", "a.csv", "b10.csv", "b9.csv"]),
        ("fifo_by_name", ["B1.csv"]),
    ],
)
def test_orders(order: str, expected: list[str]) -> None:
    assert picked(waiting(*NAMES), order) == expected


def test_latest_first_also_when_seen_last() -> None:
    assert picked(waiting(*NAMES)[::-1], "latest_by_mtime") == list(NAMES)


def test_natural_order_reads_numbers() -> None:
    assert sorted(["b10", "b9", "b9a", "b", "10", "9"], key=natural) == ["9", "10", "b", "b9", "b9a", "b10"]


def test_fifo_waits_for_the_first_to_end() -> None:
    first, second = waiting("1.csv", "2.csv")
    assert picked([first, second], "fifo_by_name", on_its_way={"1.csv~"}) == []
    held = arrival(ArrivalState.CLAIMED, listed("1.csv"), 7, lease_until=NOW + timedelta(seconds=9))
    assert picked([held, second], "fifo_by_name") == []
    later = arrival(ArrivalState.CLAIMED, listed("1.csv"), 7, retry_at=NOW + timedelta(seconds=9))
    assert picked([later, second], "fifo_by_name") == []
    assert picked([second], "fifo_by_name", growing=["1.csv"]) == []
    assert picked([second], "fifo_by_name", growing=["3.csv"]) == ["2.csv"]
    assert picked([], "fifo_by_name", growing=["3.csv"]) == []


def test_limit_counts_what_is_under_way() -> None:
    files = waiting(*(f"{n}.csv" for n in range(9)))
    assert picked(files, "process_all", 4) == ["0.csv", "1.csv", "2.csv", "3.csv"]
    assert picked(files, "process_all", 4, on_its_way={"0.csv~", "1.csv~", "8.csv~"}) == ["2.csv"]
    assert picked(files, "process_all", 2, on_its_way={"0.csv~", "1.csv~", "8.csv~"}) == []


def test_what_waits_for_a_retry_takes_no_place() -> None:
    files = waiting("a.csv", retry_at=NOW + timedelta(minutes=5)) + waiting("b.csv")
    assert picked(files, "process_all", 1) == ["b.csv"]
