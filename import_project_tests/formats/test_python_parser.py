"""A parser of the user's own: dicts become rows, whatever it raises becomes one of our errors."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from import_project.errors import NotRecognised, Unreadable
from import_project.formats import python
from import_project_tests.formats.reading import cells, problems, read


class Pairs:
    """`key=value` pairs, a record a line."""

    def recognise(self, content: bytes) -> bool:
        return b"=" in content

    def parse(self, content: bytes) -> Iterator[dict[str, Any]]:
        for line in content.decode().splitlines():
            yield dict(pair.split("=") for pair in line.split())


class Given:
    def __init__(self, *records: Any) -> None:
        self.records = records

    def parse(self, content: bytes) -> Iterator[Any]:
        for record in self.records:
            if isinstance(record, Exception):
                raise record
            yield record


def test_dicts_are_rows() -> None:
    assert cells(read("python", b"id=a n=1\nid=b\n", parser=Pairs())) == [{"id": "a", "n": "1"}, {"id": "b"}]
    assert python.recognise(b"a=b", parser=Pairs())
    assert not python.recognise(b"a b", parser=Pairs())
    assert python.recognise(b"a b", parser=Given())


def test_values_are_written_as_text() -> None:
    record = {
        "amount": Decimal("1.50"),
        "day": date(2026, 1, 5),
        "when": datetime(2026, 1, 5, 7, tzinfo=UTC),
        "n": 5,
        "f": 2.0,
        "ok": False,
        "none": None,
        "list": [1, Decimal("1.50")],
        "in": {"x": "y"},
    }
    assert cells(read("python", b"", parser=Given(record))) == [
        {
            "amount": "1.50",
            "day": "2026-01-05",
            "when": "2026-01-05T07:00:00+00:00",
            "n": "5",
            "f": "2",
            "ok": "false",
            "list": "[1,1.50]",
            "in.x": "y",
        }
    ]


def test_what_is_no_record_is_set_aside() -> None:
    reading = read("python", b"", parser=Given({"a": "1"}, "text", {"a": object()}, {"a": "2"}))
    assert [c.get("a") for c in cells(reading)] == ["1", None, None, "2"]
    assert problems(reading) == [(2, "unreadable_record", None), (3, "unreadable_record", None)]


def test_what_a_parser_raises_is_told_with_its_place() -> None:
    with pytest.raises(Unreadable, match="failed behind record 1: KeyError"):
        read("python", b"", parser=Given({"a": "1"}, KeyError("x")))
    with pytest.raises(NotRecognised, match="not mine"):
        read("python", b"", parser=Given(NotRecognised("not mine")))
