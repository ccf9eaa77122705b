"""Parquet, Avro and ORC: types are kept, nested values are text, damage is told."""

import io
import random
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import fastavro
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc

from import_project.errors import ImportProjectError, Unreadable
from import_project.formats.registry import detect
from import_project_tests.formats.reading import cells, problems, read

TABLE = pa.table(
    {
        "id": ["a", "b", None],
        "amount": pa.array([Decimal("1.50"), Decimal("-2.00"), None], pa.decimal128(12, 2)),
        "day": pa.array([date(2026, 1, 5), None, date(2026, 1, 6)]),
        "count": pa.array([1, 2, 3], pa.int64()),
        "list": pa.array([[1, 2], [], None], pa.list_(pa.int64())),
    }
)
ROWS = [
    {"id": "a", "amount": Decimal("1.50"), "day": date(2026, 1, 5), "count": 1, "list": "[1,2]"},
    {"id": "b", "amount": Decimal("-2.00"), "count": 2, "list": "[]"},
    {"day": date(2026, 1, 6), "count": 3},
]


def parquet() -> bytes:
    content = io.BytesIO()
    pq.write_table(TABLE, content, row_group_size=2)
    return content.getvalue()


def orc_file() -> bytes:
    content = io.BytesIO()
    orc.write_table(TABLE, content)
    return content.getvalue()


def avro(rows: list[dict[str, Any]], *fields: dict[str, Any]) -> bytes:
    content = io.BytesIO()
    fastavro.writer(content, fastavro.parse_schema({"type": "record", "name": "r", "fields": list(fields)}), rows)
    return content.getvalue()


MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}
FIELDS = (
    {"name": "id", "type": ["null", "string"]},
    {"name": "amount", "type": ["null", MONEY]},
    {"name": "when", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    {"name": "tags", "type": {"type": "map", "values": "string"}},
)


@pytest.mark.parametrize(("name", "make"), [("parquet", parquet), ("orc", orc_file)])
def test_types_are_kept_and_lists_are_json(name: str, make: Callable[[], bytes]) -> None:
    assert cells(read(name, make())) == ROWS
    assert detect(make()) == name


def test_avro_records() -> None:
    when = datetime(2026, 1, 5, 7, 30, tzinfo=UTC)
    content = avro([{"id": "a", "amount": Decimal("1.50"), "when": when, "tags": {"x": "y"}}], *FIELDS)
    assert cells(read("avro", content)) == [
        {"id": "a", "amount": "1.50", "when": "2026-01-05T07:30:00+00:00", "tags.x": "y"}
    ]
    assert detect(content) == "avro"


@pytest.mark.parametrize(
    ("name", "make"), [("parquet", parquet), ("orc", orc_file), ("avro", lambda: avro([{"id": "a"}] * 50, FIELDS[0]))]
)
def test_cut_and_damaged_files_are_our_errors(name: str, make: Callable[[], bytes]) -> None:
    content = make()
    refused = 0
    for end in range(len(content)):
        try:
            read(name, content[:end])
        except ImportProjectError as error:
            refused += 1
            assert "\n" not in str(error)  # noqa: PT017 - Avro cut between two blocks is a whole file
    assert refused > len(content) * 0.9
    dice = random.Random(3)
    for _ in range(200):
        spoiled = bytearray(content)
        spoiled[dice.randrange(4, len(spoiled))] ^= 1 << dice.randrange(8)
        try:
            read(name, bytes(spoiled))
        except ImportProjectError:
            continue


def test_columns_that_cannot_be_ours() -> None:
    content = io.BytesIO()
    pq.write_table(pa.table({"raw": ["x"], "row_number": ["y"]}), content)
    assert cells(read("parquet", content.getvalue())) == [{"raw_in_file": "x", "row_number_in_file": "y"}]
    content = io.BytesIO()
    pq.write_table(pa.table({"*": ["x"]}), content)
    with pytest.raises(Unreadable, match="cannot be a column's name"):
        read("parquet", content.getvalue())


def test_values_of_odd_types_become_text() -> None:
    table = pa.table(
        {
            "bytes": pa.array([b"\x00\xff"]),
            "kind": pa.array(["x"]).dictionary_encode(),
            "struct": pa.array([{"a": Decimal("1.50")}]),
            "nothing": pa.nulls(1),
        }
    )
    content = io.BytesIO()
    pq.write_table(table, content)
    reading = read("parquet", content.getvalue())
    assert cells(reading) == [{"bytes": "00ff", "kind": "x", "struct": '{"a":1.50}'}]
    assert set(reading.frame.drop("row_number").dtypes) == {pl.String}
    assert problems(reading) == []


def test_empty_files_have_their_columns() -> None:
    content = io.BytesIO()
    pq.write_table(TABLE.slice(0, 0), content)
    assert read("parquet", content.getvalue()).frame.columns == ["row_number", *TABLE.column_names, "raw"]


def test_times_of_no_year_are_text_and_odd_texts_are_told() -> None:
    table = pa.table(
        {
            "when": pa.array([2**63 - 1, 0], pa.timestamp("us")),
            "day": pa.array([2**31 - 1, 0], pa.int32()).cast(pa.date32()),
            "text": ["x\x00y", "z"],
        }
    )
    content = io.BytesIO()
    pq.write_table(table, content)
    reading = read("parquet", content.getvalue())
    assert reading.frame["when"].to_list() == [str(2**63 - 1), "1970-01-01T00:00:00"]
    assert reading.frame["day"].to_list() == [str(2**31 - 1), "1970-01-01"]
    assert problems(reading) == [(1, "control_character", "text")]


def test_text_that_is_no_text_is_refused() -> None:
    bad = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(b"\x00\x00\x00\x00\x02\x00\x00\x00"), pa.py_buffer(b"\xff\xfe")]
    )
    content = io.BytesIO()
    pq.write_table(pa.table({"a": bad}), content)
    with pytest.raises(Unreadable):
        read("parquet", content.getvalue())
