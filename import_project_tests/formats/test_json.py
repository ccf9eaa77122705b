"""JSON documents and JSON lines: exact numbers, every broken line with its number, nothing guessed."""

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from import_project.errors import Unreadable
from import_project.formats.json.scan import Number, decoder, value_at, whole_value, written
from import_project.formats.registry import batches, detect
from import_project_tests.formats.reading import cells, problems, read


def test_lists_and_objects() -> None:
    rows = b'[{"id": "a", "n": 1}, {"id": "b", "ok": true, "gone": null}]'
    assert cells(read("json", rows)) == [{"id": "a", "n": "1"}, {"id": "b", "ok": "true"}]
    assert cells(read("json", b'{"id": "a"}')) == [{"id": "a"}]
    wrapped = b'{"meta": {"of": [1]}, "data": {"items": [{"id": "a"}], "next": null}}'
    assert cells(read("json", wrapped, records="data.items")) == [{"id": "a"}]
    assert read("json", b"[]").frame.height == 0


def test_numbers_stay_as_they_are_written() -> None:
    content = b'[{"a": 0.10000000000000000001, "b": 1e400, "c": 123456789012345678901234567890, "d": -0, "e": 1.50}]'
    assert cells(read("json", content)) == [
        {"a": "0.10000000000000000001", "b": "1e400", "c": "123456789012345678901234567890", "d": "-0", "e": "1.50"}
    ]


def test_nested_objects_are_columns_and_lists_are_json() -> None:
    content = b'[{"a": {"b": {"c": 1}}, "list": [1.50, {"x": "y"}], "raw": "r"}]'
    assert cells(read("json", content)) == [{"a.b.c": "1", "list": '[1.50,{"x":"y"}]', "raw_in_file": "r"}]
    assert read("json", content).frame["raw"][0] == content.decode()[1:-1]


def test_broken_line_is_told_by_its_number_and_the_rest_goes_on() -> None:
    content = b'{"a": 1}\n\n{"a": \n[1]\n{"a": 2, "a": 3}\n{"a": NaN}\n{"a": "\\ud800"}\n{"a": "\xff"}\n{"a": 9}\n'
    reading = read("jsonl", content)
    assert reading.frame["row_number"].to_list() == [1, 3, 4, 5, 6, 7, 8, 9]
    assert [c.get("a") for c in cells(reading)] == ["1", None, None, None, None, None, None, "9"]
    assert [(n, rule) for n, rule, _ in problems(reading)] == [
        *((n, "unreadable_record") for n in (3, 4, 5, 6, 7)),
        (8, "encoding"),
    ]
    assert reading.frame["raw"][2] == "[1]"
    assert reading.frame["raw"][6] == '{"a": "\\xff"}'


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ('{"a": {"b": 1}, "a.b": 2}', "two fields are called 'a.b'"),
        ('{"*": 1}', "cannot be a column's name"),
        ("[" * 100_000, "nested too deep"),
        ('{"a":' * 100_000, "nested too deep"),
        ('{"a":' * 100 + "1" + "}" * 100, "nested more than 64 deep"),
        ('{"a": ' + "[" * 80 + "]" * 80 + "}", "nested more than 64 deep"),
        ("{" + ",".join(f'"c{i}": 1' for i in range(10_001)) + "}", "more than 10,000 fields"),
        ('{"a": 1} {"a": 2}', "more text follows"),
    ],
)
def test_records_that_cannot_be_rows(record: str, told: str) -> None:
    reading = read("jsonl", f'{{"a": 1}}\n{record}\n'.encode())
    assert problems(reading) == [(2, "unreadable_record", None)]
    assert told in reading.issues["message"][0]


def test_control_characters_are_told() -> None:
    assert problems(read("json", b'[{"a": "x\\u0000y"}]')) == [(1, "control_character", "a")]


@pytest.mark.parametrize(
    ("content", "options", "told"),
    [
        (b'[{"a": 1}, {"a": ', {}, "element 2 is no JSON"),
        (b'[{"a": 1} {"a": 2}]', {}, "expected ,"),
        (b'[{"a": 1}] x', {}, "more text follows"),
        (b'[{"a": 1}, {"a": 1, "a": 2}]', {}, "given twice"),
        (b"12", {}, "neither a list nor an object"),
        (b'{"a": [1]}', {"records": "b"}, "has no b"),
        (b'{"a": {"b": 1}}', {"records": "a.b"}, "is no list"),
        (b'{"a" 1}', {"records": "a"}, "expected :"),
        (b'[{"a": "\xff"}]', {}, "no UTF-8 text"),
        (b"[" * 100_000, {}, "nested too deep"),
    ],
)
def test_documents_that_are_no_json_are_refused(content: bytes, options: dict[str, str], told: str) -> None:
    with pytest.raises(Unreadable, match=told):
        read("json", content, **options)


def test_elements_that_are_no_objects_are_set_aside() -> None:
    assert problems(read("json", b'[{"a": 1}, 2, "x"]')) == [
        (2, "unreadable_record", None),
        (3, "unreadable_record", None),
    ]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b'[{"a": 1}]', "json"),
        (b'{\n "a": 1,\n "b": 2\n}', "json"),
        (b'{"items": [\n{"a": 1}\n]}', "json"),
        (b'{"a": 1, "b": 2}\n{"a": 1, "b": 2}\n', "jsonl"),
        (b'{"a": 1}', "jsonl"),
        (b'{"a": 1}\n{broken\n{"a": 2}\n', "jsonl"),
        (b"\xef\xbb\xbf[1, 2]", "json"),
    ],
)
def test_which_of_the_two_it_is(content: bytes, name: str) -> None:
    assert detect(content) == name


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=100)
@given(values)
def test_what_is_written_is_what_was_read(value: object) -> None:
    text = json.dumps(value)
    read_value = whole_value(decoder(), text)
    assert json.loads(written(read_value)) == json.loads(text)
    assert value_at(decoder(), f"  {text} ,", 0)[0] == read_value


def test_numbers_know_that_they_are_none_of_the_texts() -> None:
    assert isinstance(whole_value(decoder(), "1.50"), Number)
    assert not isinstance(whole_value(decoder(), '"1.50"'), Number)


@settings(max_examples=20)
@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.text(max_size=20), max_size=3), max_size=30))
def test_documents_and_lines_hold_the_same_rows(rows: list[dict[str, str]]) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    assert cells(read("json", json.dumps(rows, indent=1).encode())) == cells(read("jsonl", lines))


def test_long_documents_are_read_in_pieces() -> None:
    content = json.dumps([{"n": i, "text": "x" * 1000} for i in range(30_000)]).encode()
    reading = read("json", content)
    assert reading.frame["row_number"].to_list() == list(range(1, 30_001))
    assert reading.frame["n"].to_list() == [str(i) for i in range(30_000)]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"items": [{"a": 1}], "items": [{"a": 2}]}', "given twice"),
        (b'{"items": [{"a": 1}]', "expected }"),
        (b'{"items": [{"a": 1}], !!', "a key is no JSON"),
        (b'{"items": [{"a": 1}]} x', "more text follows"),
    ],
)
def test_what_follows_the_list_is_read_too(content: bytes, told: str) -> None:
    with pytest.raises(Unreadable, match=told):
        read("json", content, records="items")


def test_keys_are_text_too_and_many_cost_no_more() -> None:
    assert problems(read("jsonl", b'{"\\ud800": 1}\n')) == [(1, "unreadable_record", None)]
    many = "{" + ",".join(f'"k{i}": 1' for i in range(300_000)) + ', "k1": 2}'
    assert "given twice" in read("jsonl", many.encode()).issues["message"][0]


def test_batches_hold_a_bounded_number_of_bytes() -> None:
    lines = b"".join(b'{"a": "%s"}\n' % (b"x" * 200_000) for _ in range(200))
    sizes = [batch.frame["a"].str.len_bytes().sum() for batch in batches("jsonl", io.BytesIO(lines), {})]
    assert len(sizes) > 3
    assert max(sizes) < 20 << 20


def test_values_that_would_cost_far_more_than_they_are() -> None:
    many = b"[" + b"1," * 3_000_000 + b"1]"
    with pytest.raises(Unreadable, match="element 1 has more than 1,000,000 values"):
        read("json", b'[{"a": ' + many + b"}]")
    reading = read("jsonl", b'{"a": 1}\n{"a": ' + many + b'}\n{"a": 2}\n')
    assert problems(reading) == [(2, "unreadable_record", None)]
    assert [row.get("a") for row in cells(reading)] == ["1", None, "2"]
