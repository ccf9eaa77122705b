"""The delimited reader: nothing lost, nothing altered, every broken record with its number."""

import csv
import io
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from import_project.errors import ConfigError, Unreadable
from import_project.formats import delimited
from import_project.formats.registry import recognises
from import_project.frames import Reading
from import_project_tests.formats.reading import problems
from import_project_tests.formats.reading import read as read_format


def read(content: bytes, **options: Any) -> Reading:
    return read_format("delimited", content, **options)


def test_rows_are_numbered_and_cells_stay_text() -> None:
    reading = read(b"id,amount\n1,007.10\n2,\n")
    assert reading.frame.rows() == [(1, "1", "007.10", None), (2, "2", None, None)]


def test_quotes_line_breaks_and_delimiters_in_cells() -> None:
    reading = read(b'id;text\r\n1;"a; ""b""\r\nc"\r\n2;d\r\n')
    assert reading.frame["text"].to_list() == ['a; "b"\r\nc', "d"]


def test_ragged_rows_are_kept_with_their_text_and_the_rest_goes_on() -> None:
    reading = read(b"a,b\n1,2\n3\n4,5,6\n7,8\n")
    assert reading.frame.rows() == [
        (1, "1", "2", None),
        (2, None, None, "3"),
        (3, None, None, "4,5,6"),
        (4, "7", "8", None),
    ]
    assert problems(reading) == [(2, "field_count", None), (3, "field_count", None)]


def test_unclosed_quote_costs_its_lines_but_is_told_line_by_line() -> None:
    reading = read(b'a,b\n1,2\n3,"x\n4,5\n6,7\n')
    assert reading.frame["row_number"].to_list() == [1, 2, 3, 4]
    assert problems(reading) == [(n, "torn_quote", None) for n in (2, 3, 4)]


def test_blank_lines_are_no_rows_but_count_in_the_numbers() -> None:
    reading = read(b"a,b\n1,2\n\n3,4\n\n\n")
    assert reading.frame["row_number"].to_list() == [1, 3]
    assert problems(reading) == [(2, "blank_row", None)]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("id;namn\n1;Åsa\n".encode("utf-8-sig"), None),
        ("id;namn\n1;Åsa\n".encode("utf-16"), None),
        ("id;namn\n1;Åsa\n".encode("cp1252"), "cp1252"),
        ("id;namn\n1;Åsa\n".encode("utf-16-le"), "utf-16-le"),
        ("id;namn\n1;Åsa\n".encode("utf-8-sig"), "utf-8"),
    ],
)
def test_encodings(content: bytes, encoding: str | None) -> None:
    assert read(content, encoding=encoding).frame.rows() == [(1, "1", "Åsa", None)]


def test_bytes_that_are_no_text_condemn_their_row_alone() -> None:
    reading = read(b"id;namn\n1;\xe5sa\n2;ok\n")
    assert problems(reading) == [(1, "encoding", "namn")]
    assert reading.frame["namn"].to_list() == ["\\xe5sa", "ok"]


def test_control_characters_condemn_their_row() -> None:
    assert problems(read(b"id;n\n1;a\x00b\n2;c\n")) == [(1, "control_character", "n")]


def test_headers_blank_reserved_and_twice() -> None:
    assert read(b"row_number;;raw\n1;2;3\n").frame.columns == [
        "row_number",
        "row_number_in_file",
        "column_2",
        "raw_in_file",
        "raw",
    ]
    twice = read(b"a;b;a\n1;2;3\n")
    assert twice.frame.columns == ["row_number", "a_1", "b", "a_2", "raw"]
    assert problems(twice) == [(None, "duplicate_header", "a")]
    with pytest.raises(Unreadable, match="'a_1' more than once"):
        read(b"a;a_1;a\n1;2;3\n")


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_empty_file_is_refused(content: bytes) -> None:
    with pytest.raises(Unreadable, match="empty"):
        read(content)


def test_unknown_encoding_is_a_mistake_of_the_feed() -> None:
    with pytest.raises(ConfigError, match="unknown encoding 'klingon'"):
        read(b"a,b\n", encoding="klingon")


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [(b"a,b\n1,2\n", ","), (b"a;b\n1,5;2\n", ";"), (b"a\tb\n1\t2\n", "\t"), (b"a|b\n", "|"), (b"a\nb\n", None)],
)
def test_delimiter_is_guessed_from_the_header(content: bytes, delimiter: str | None) -> None:
    assert delimited.guess_delimiter(content) == delimiter
    assert delimited.recognise(content) == (delimiter is not None)


@pytest.mark.parametrize("content", [b"%PDF-1.7 a;b", b"PK\x03\x04a;b", b"a;\x00b\n1;2"])
def test_binary_files_are_not_delimited_text(content: bytes) -> None:
    assert not delimited.recognise(content, delimiter=";")


cells = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Co"]), max_size=12)


@settings(max_examples=60)
@given(st.lists(st.tuples(cells, cells, cells), max_size=8), st.sampled_from(",;\t|"))
def test_what_the_csv_module_writes_is_what_is_read(rows: list[tuple[str, str, str]], delimiter: str) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([("one", "two", "three"), *rows])
    reading = read(text.getvalue().encode(), delimiter=delimiter)
    assert problems(reading) == [p for p in problems(reading) if p[1] == "blank_row"]
    found = [tuple(x or "" for x in row[1:4]) for row in reading.frame.rows()]
    assert found == [row for row in rows if any(row)]


@pytest.mark.parametrize(
    ("content", "sound", "torn"),
    [
        (b'id,text\n1,"x\n2,y\n3,"z\n4,w\n', [4], [1, 2, 3]),
        (b'a,b\n5" pipe,x\n1,"x\n2,y\n3,z\n', [1], [2, 3, 4]),
        (b'id,amt\n1,"10"0\n2,5\n', [2], [1]),
        (b'a,b,c\n5" pipe,"x\n1,2,3\n4,5,6\n', [], [1, 2, 3]),
        (b'a,b\n1,"' + b"x" * 200_000 + b"\n2,y\n", [], [1, 2]),
    ],
)
def test_torn_quotes_swallow_no_line_and_change_no_cell(content: bytes, sound: list[int], torn: list[int]) -> None:
    reading = read(content, delimiter=",")
    assert reading.frame.filter(pl.col("raw").is_null())["row_number"].to_list() == sound
    assert [n for n, rule, _ in problems(reading) if rule == "torn_quote"] == torn


def test_many_torn_records_take_no_more_than_linear_time_and_memory() -> None:
    reading = read(b"a,b,c\n" + b'"a\nb"x",d\n' * 20_000)
    assert reading.frame.height == 40_000


def test_line_breaks_that_csv_does_not_know_part_nothing() -> None:
    reading = read("a,b\n1\x85p,x\n2\u2028q,y\n3\x0b,z\n".encode())
    assert reading.frame["row_number"].to_list() == [1, 2, 3]


def test_odd_quote_in_the_middle_of_a_cell_is_a_character() -> None:
    assert read(b'a,b\n5" pipe,x\n').frame["a"].to_list() == ['5" pipe']


@pytest.mark.parametrize(
    "content",
    [b'a,"b\n1,2\n', b"*,b\n1,2\n", b"^b$,c\n1,2\n", b"a\0x,b\n", b"," * 20_000],
)
def test_headers_that_cannot_be_used(content: bytes) -> None:
    with pytest.raises(Unreadable):
        read(content, delimiter=",", encoding="latin-1")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", None])
def test_big_endian_with_its_mark(encoding: str | None) -> None:
    content = b"\xfe\xff" + "a,b\n1,2\n".encode("utf-16-be")
    assert read(content, encoding=encoding).frame.rows() == [(1, "1", "2", None)]


def test_guess_window_may_end_inside_a_character() -> None:
    assert delimited.recognise(("a,b\n" + "x" * 9994 + "\U0001f600,2\n").encode("utf-16"))


@pytest.mark.parametrize("encoding", ["undefined", "a\0b", "utf-7"])
def test_encodings_that_fail_are_our_errors(encoding: str) -> None:
    with pytest.raises((ConfigError, Unreadable)):
        read(b"a,b\n+2AA-,1\n", encoding=encoding)


def test_line_of_blanks_between_rows_is_a_warning() -> None:
    assert problems(read(b"a,b\n1,2\n   \n3,4\n")) == [(2, "blank_row", None)]


@pytest.mark.parametrize("start", [b"x^", b"x\x01", b"x\x9c", b"\x1f\x8b", b"\xef\xbb\xbfa"])
def test_text_that_begins_as_something_packed_does_is_text(start: bytes) -> None:
    reading = read(b"a,b\n" + start + b",1\ny,2\n", delimiter=",")
    assert reading.frame["b"].to_list() == ["1", "2"]


def test_lines_before_the_header_end_as_all_lines_do() -> None:
    assert read(b"title\r1,2\r3,4\r", skip_lines=1, columns=["a", "b"]).frame.height == 2
    with pytest.raises(Unreadable, match="has not the 5 lines"):
        read(b"a,b\n1,2\n", skip_lines=5)


def test_a_format_that_is_named_is_not_guessed_at() -> None:
    for content in (b"a\n1\n2\n", b"a,b\n1\x00,2\n", b'a,b\n1\n2,"\n3,4,5\n'):
        assert recognises("delimited", content, {})
    assert not recognises("delimited", b"%PDF-1.7", {})
