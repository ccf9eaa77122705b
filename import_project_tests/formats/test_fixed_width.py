"""Lines whose fields stand at fixed places."""

import io
from typing import Any

import pytest

from import_project.errors import ConfigError
from import_project.formats import fixed_width
from import_project.formats.registry import batches
from import_project_tests.formats.reading import cells, problems, read

FIELDS = [
    {"name": "id", "start": 1, "width": 4},
    {"name": "name", "start": 6, "width": 5},
    {"name": "amount", "start": 11, "width": 6},
]


def lines(content: bytes, **options: Any) -> Any:
    return read("fixed_width", content, fields=FIELDS, **options)


def test_fields_are_cut_out_in_characters() -> None:
    reading = lines("A1  |Åsa  001050\nA2  |Bo   000007\n".encode())
    assert cells(reading) == [
        {"id": "A1", "name": "Åsa", "amount": "001050"},
        {"id": "A2", "name": "Bo", "amount": "000007"},
    ]


def test_lines_that_end_early_or_go_on_are_set_aside() -> None:
    reading = lines(b"A1   Asa  001050\nA2   Bo\nA3   Cy   000001 more\n\nA4   Dan  000002   \n\n")
    assert reading.frame["row_number"].to_list() == [1, 2, 3, 5]
    assert problems(reading) == [(2, "short_record", None), (3, "long_record", None), (4, "blank_row", None)]
    assert reading.frame["raw"].to_list() == [None, "A2   Bo", "A3   Cy   000001 more", None]


def test_padding_must_be_asked_for() -> None:
    assert problems(lines(b"A1   Asa  001\n")) == [(1, "short_record", None)]
    assert cells(lines(b"A1   Asa  001\n", pad=True)) == [{"id": "A1", "name": "Asa", "amount": "001"}]
    assert cells(lines(b"A1   Asa\n", pad=True)) == [{"id": "A1", "name": "Asa"}]


def test_encodings_line_ends_and_lines_before_the_first() -> None:
    reading = lines("HEAD\r\nA1   Åsa  001050\r\n".encode("cp1252"), encoding="cp1252", skip_lines=1)
    assert cells(reading) == [{"id": "A1", "name": "Åsa", "amount": "001050"}]
    bad = lines("A1   Åsa  001050\n".encode("cp1252"))
    assert problems(bad) == [(1, "encoding", "name")]


def test_only_declared_fields_make_a_text_such_a_file() -> None:
    assert fixed_width.recognise(b"anything", fields=FIELDS)
    assert not fixed_width.recognise(b"anything")
    with pytest.raises(ConfigError, match="needs fields"):
        read("fixed_width", b"x")


def test_long_lines_are_read_a_few_at_a_time() -> None:
    fields = [{"name": "text", "start": 1, "width": 20_000}]
    content = io.BytesIO((b"x" * 20_000 + b"\n") * 1_000 + b"\n")
    read_in = list(batches("fixed_width", content, {"fields": fields}))
    assert len(read_in) > 2
    assert sum(batch.frame.height for batch in read_in) == 1_000
    assert [batch.issues.height for batch in read_in] == [0] * len(read_in)
