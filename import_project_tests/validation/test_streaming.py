"""A file read in pieces gives what one read whole gives: uniqueness, identities, order, and nothing lost."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from import_project.errors import ConfigError, Unreadable
from import_project.validation.columns import Column
from import_project.validation.identity import identity_key
from import_project.validation.repeats import Repeats
from import_project.validation.schema import RowSchema
from import_project.validation.split import Split
from import_project_tests.validation.splitting import split_file, split_text

SCHEMA = RowSchema(
    name="t",
    columns=(
        Column(name="id", unique=True),
        Column(name="a", required=False),
        Column(name="n", type="integer", required=False),
    ),
    key=("a", "n"),
)


def both_ways(content: bytes, schema: RowSchema = SCHEMA, **options: Any) -> tuple[Split, Split]:
    whole = split_text(content, schema, rows={"identities": True}, **options)
    pieces = split_text(content, schema, rows={"identities": True, "kept_bytes": 0}, block=64, **options)
    return whole, pieces


lines = st.tuples(
    st.sampled_from(["1", "2", "3", "4", ""]), st.sampled_from(["x", "y", ""]), st.sampled_from(["1", "2", "q", ""])
)


@settings(max_examples=60)
@given(st.lists(lines, max_size=40))
def test_pieces_give_what_the_whole_gives(rows: list[tuple[str, str, str]]) -> None:
    content = ("id;a;n\n" + "".join(";".join(row) + "\n" for row in rows)).encode()
    whole, pieces = both_ways(content)
    assert whole.accepted.equals(pieces.accepted)
    assert whole.quarantined.equals(pieces.quarantined)
    assert whole.issues.equals(pieces.issues)
    numbers = [*whole.accepted["row_number"], *whole.quarantined["row_number"]]
    assert sorted(numbers) == [n for n, row in enumerate(rows, start=1) if any(row)]
    identities = [*whole.accepted["identity"], *whole.quarantined["identity"]]
    assert len(set(identities)) == len(identities)


def test_equal_rows_stay_two_and_an_overlap_adds_none() -> None:
    schema = RowSchema(name="t", columns=(Column(name="day"), Column(name="n")))
    first = both_ways(b"day;n\n1;5\n1;5\n2;7\n", schema)[1].accepted["identity"].to_list()
    again = both_ways(b"n;day;new\n5;1;x\n7;2;x\n5;1;y\n8;3;z\n", schema)[1].accepted["identity"].to_list()
    assert len(set(first)) == 3
    assert set(first) < set(again)
    assert len(set(again)) == 4


def test_identity_is_the_text_that_stood_there() -> None:
    frame = pl.DataFrame({"row_number": [1, 2], "a": ["1.0", None], "raw": [None, "torn;line"]})
    assert identity_key(frame, ["a", "gone"]).to_list() == ["row/1\x1fa=1.0", "raw/1\x1ftorn;line"]
    spaced = frame.with_columns(pl.col("a").str.replace("1.0", " 1.0 "))
    assert identity_key(spaced, ["a"])[0] == "row/1\x1fa=1.0"


def test_identity_may_be_named() -> None:
    schema = RowSchema(name="t", columns=(Column(name="a"), Column(name="b")), identity=("a",))
    one, other = (split_text(f"a;b\n1;{b}\n".encode(), schema, rows={"identities": True}) for b in "xy")
    assert one.accepted["identity"].to_list() == other.accepted["identity"].to_list()


@settings(max_examples=30)
@given(st.lists(st.lists(st.integers(0, 30), max_size=9), max_size=40))
def test_repeated_hashes_are_found_over_all_batches(batches: list[list[int]]) -> None:
    repeats = Repeats()
    for batch in batches:
        repeats.add(pl.Series("hash", batch, dtype=pl.UInt64))
    flat = [n for batch in batches for n in batch]
    assert set(repeats.repeated()) == {n for n in flat if flat.count(n) > 1}


def test_columns_that_come_later_are_kept_apart_and_missing_ones_are_told() -> None:
    schema = RowSchema(
        name="t", columns=(Column(name="a"), Column(name="b", required=False), Column(name="c", optional=True))
    )
    lines = b'{"a": "1"}\n' * 10_000 + b'{"a": "1", "b": "2", "extra": "x"}\n{"b": "2"}\n'
    split = split_file("jsonl", lines, schema, rows={"identities": True})
    assert split.accepted.height == 10_001
    assert split.quarantined.select("row_number", "b", "raw").rows() == [(10_002, "2", '{"b": "2"}')]
    assert split.issues.filter(pl.col("rule") == "extra_column")["column"].to_list() == ["extra"]
    with pytest.raises(Unreadable, match="'b' is missing"):
        split_file("jsonl", b'{"a": "1"}\n', schema)
    assert split_file("jsonl", b"", schema).rows == 0


def test_strict_schemas_refuse_what_is_not_agreed() -> None:
    schema = RowSchema(name="t", columns=(Column(name="a"),), strict=True)
    with pytest.raises(Unreadable, match="'b' is not agreed"):
        split_text(b"a;b\n1;2\n", schema)


def upper(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.col("old").str.to_uppercase().alias("a"))


def test_rows_are_transformed_before_they_are_read_and_keep_their_identity() -> None:
    schema = RowSchema(name="t", columns=(Column(name="a", choices=("X",)), Column(name="n", type="integer")))
    split = split_text(b"old;n\nx;1\ny;2\n", schema, rows={"identities": True, "transform": upper})
    assert split.accepted["a"].to_list() == ["X"]
    assert split.quarantined.select("row_number", "old").rows() == [(2, "y")]
    assert "n=1" in split.accepted["identity"][0]


def test_file_that_lacks_what_a_transform_wants_is_refused() -> None:
    schema = RowSchema(name="t", columns=(Column(name="old"),))
    with pytest.raises(Unreadable, match="wants a column that the file has not"):
        split_text(b"old;n\nx;1\n", schema, rows={"transform": lambda rows: rows.select("nowhere")})


@pytest.mark.parametrize(
    ("transform", "told"),
    [
        (lambda rows: rows.head(1), "gave other rows"),
        (lambda rows: rows.drop("row_number"), "gave other rows"),
        (lambda rows: rows.reverse(), "gave other rows"),
        (lambda rows: None, "gave other rows"),
        (lambda rows: rows / "x" / None, "the transform failed: "),
    ],
)
def test_transforms_may_not_lose_rows(transform: Any, told: str) -> None:
    schema = RowSchema(name="t", columns=(Column(name="old"),))
    with pytest.raises(ConfigError, match=told):
        split_text(b"old;n\nx;1\ny;2\n", schema, rows={"transform": transform})
