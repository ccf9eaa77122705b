"""Where delimited text is cut and how it is parted must not show: the fast way, the strict way and every block size agree."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from import_project.errors import Unreadable
from import_project.formats.caps import LONGEST_RECORD
from import_project.formats.delimited.strict import strict_records
from import_project.formats.delimited.structure import Dialect, Structure
from import_project_tests.formats.reading import cells, problems, read

DIALECT = Dialect(columns=("a", "b", "c"), delimiter=",", quote='"')
PIECES = ["a", "1", " ", '"', '""', ",", "\n", "\r\n", "\r", '"\n', '",', ',"', 'x"y', "ä", "\n\n", ",,"]
Found = list[tuple[int, str, object]]

pieces = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
fields = st.lists(st.text('a",\n b', max_size=4), min_size=3, max_size=3)


@st.composite
def nearly_csv(draw: st.DrawFn) -> str:
    """What the csv module writes, with one sign put in or taken out."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=draw(st.sampled_from(["\n", "\r\n"]))).writerows(draw(st.lists(fields, max_size=6)))
    body = text.getvalue()
    at = draw(st.integers(0, len(body)))
    return body[:at] + draw(st.sampled_from(["", *PIECES])) + body[at + draw(st.integers(0, 1)) :]


def found(body: str, block: int) -> Found:
    reading = read("delimited", f"a,b,c\n{body}".encode(), delimiter=",", block=block)
    rules = {n: rule for n, rule, _ in problems(reading) if rule in {"torn_quote", "field_count"}}
    return [
        (row[0], rules.get(row[0], "row"), row[-1] if row[0] in rules else row[1:-1])
        for row in reading.frame.iter_rows()
    ]


def expected(body: str) -> Found:
    told: Found = []
    for number, record in enumerate(strict_records(body.encode(), ",", '"', final=True)[0], start=1):
        if record.rule:
            told.append((number, record.rule, record.text))
        elif record.fields is not None and len(record.fields) == 3:
            told += [(number, "row", tuple(c or None for c in record.fields))] if any(record.fields) else []
        elif record.text.strip(DIALECT.nothing):
            told.append((number, "field_count", record.text))
    return told


@settings(max_examples=300)
@given(st.one_of(pieces, nearly_csv()), st.sampled_from([4, 16, 64, 1 << 20]))
def test_every_way_of_reading_finds_the_same(body: str, block: int) -> None:
    assert found(body, block) == expected(body)


@settings(max_examples=200)
@given(st.lists(fields, min_size=1, max_size=8), st.booleans())
def test_structure_knows_the_records_of_what_the_csv_module_writes(rows: list[list[str]], everything: bool) -> None:
    text = io.StringIO(newline="")
    if everything:
        csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    else:
        csv.writer(text, lineterminator="\n").writerows(rows)
    structure = Structure(text.getvalue().encode(), DIALECT)
    assert structure.sound
    assert (structure.records, structure.delimiters) == (len(rows), 2 * len(rows))
    assert structure.spans()["fields"].to_list() == [3] * len(rows)


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        (b'1,"a",2\n', True),
        (b'1,"a""b",2\n', True),
        (b'"""",2,3\n', True),
        (b'1,"",2', True),
        (b'1,"a\nb",2\n', True),
        (b'1,""x"",2\n', False),
        (b'1,"a"b,2\n', False),
        (b'1,"a,2\n', False),
        (b'1,5" pipe,2\n', False),
        (b"1,2\r3,4\n", False),
        (b'1,"a\rb",2\r\n', True),
    ],
)
def test_quotes_and_line_ends_are_sound_or_not(text: bytes, sound: bool) -> None:
    assert Structure(text, DIALECT).sound is sound


@pytest.mark.parametrize(
    ("text", "trimmed"),
    [
        (b"1,2,3\n", True),
        (b"1, 2,3\n", False),
        (b"1,2 ,3\n", False),
        (b" 1,2,3\n", False),
        (b"1,2,3 \n", False),
        (b"1,2\t,3\n", False),
        (b'1,"a, b",3\n', True),
        (b'1," a",3\n', False),
        (b'1,"a ",3\n', False),
        (b'1,"say "" hi",3\n', True),
        (b'1,"\na",3\n', False),
        (b"1,a b,3\n", True),
    ],
)
def test_cells_without_outer_blanks_are_known_as_such(text: bytes, trimmed: bool) -> None:
    assert Structure(text, DIALECT).trimmed is trimmed


def test_floods_of_blank_lines_are_counted_and_not_held() -> None:
    reading = read("delimited", b"a,b\n1,2\n" + b"\n" * 3_000_000 + b"3,4\n")
    assert reading.frame["row_number"].to_list() == [1, 3_000_002]
    assert {rule for _, rule, _ in problems(reading)} == {"blank_row"}


def test_record_that_is_too_long_is_set_aside_and_the_rest_goes_on() -> None:
    reading = read("delimited", b"a,b\n1,2\n" + b"x" * (LONGEST_RECORD + 10) + b"\n3,4\n")
    assert cells(reading)[0] == {"a": "1", "b": "2"}
    assert reading.frame["row_number"].to_list() == [1, 2, 3]
    assert problems(reading) == [(2, "long_record", None)]
    assert len(reading.frame["raw"][1]) == 1000


def test_record_that_is_long_but_not_too_long_is_a_row() -> None:
    cell = b"x" * (LONGEST_RECORD - 100)
    reading = read("delimited", b'a,b\n1,"' + cell + b'"\n3,' + cell)
    assert reading.frame["b"].str.len_bytes().to_list() == [len(cell)] * 2
    assert problems(reading) == []


def test_wide_files_are_held_a_few_rows_at_a_time() -> None:
    header = ",".join(f"c{i}" for i in range(9_000)).encode()
    reading = read("delimited", header + b"\n" + b"," * 8_999 + b"1\n" + b"x\n" * 5)
    assert reading.frame.height == 6
    assert [rule for _, rule, _ in problems(reading)] == ["field_count"] * 5


def test_file_without_a_header_and_lines_before_one() -> None:
    assert cells(read("delimited", b"1;2\n3;4\n", columns=["x", "y"])) == [{"x": "1", "y": "2"}, {"x": "3", "y": "4"}]
    assert cells(read("delimited", b"Report of\n2026\na;b\n1;2\n", skip_lines=2)) == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf16_that_does_not_say_so_is_told(codec: str) -> None:
    with pytest.raises(Unreadable, match=f"looks like {codec}"):
        read("delimited", "id;name\n1;Asa\n".encode(codec))
    assert cells(read("delimited", "id;name\n1;Åsa\n".encode(codec), encoding=codec)) == [{"id": "1", "name": "Åsa"}]


def test_lone_carriage_returns_end_records() -> None:
    assert cells(read("delimited", b"a,b\r1,2\r3,4\r")) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


def test_many_codecs_and_blocks_that_end_inside_a_character() -> None:
    text = "id,namn\n" + "".join(f"{i},Åsa på ön {i} 漢字\n" for i in range(200))
    for codec in ("utf-8", "utf-16", "utf-32", "gb18030", "shift_jisx0213"):
        reading = read("delimited", text.encode(codec), encoding=codec, block=50)
        assert reading.frame["namn"].to_list() == [f"Åsa på ön {i} 漢字" for i in range(200)], codec


def test_long_record_with_a_torn_quote_is_set_aside_piece_by_piece() -> None:
    lines = ["1,2,3\n", "\n", "ä,ö\r\n", "x" * 300_000 + "\n", "\n\n", *["1,2,3\n"] * 90_000, "end"]
    body = '1,2,3\n"torn\n' + "".join(lines)
    assert len(body) > 3 * (1 << 18)
    told = found(body, 1 << 16)
    assert told == expected(body)
    assert [rule for _, rule, _ in told[:3]] == ["row", "torn_quote", "torn_quote"]
    assert len(told) == 1 + 1 + 3 + 90_000 + 1
