"""Files that end their reader end a process of its own, and are refused by name."""

import io
import zipfile

import fastavro
import pytest

from import_project.errors import NotAllowed, Unreadable
from import_project.formats.registry import read_whole
from import_project.formats.trial import try_out
from import_project_tests.formats.reading import cells, read
from import_project_tests.formats.test_excel import workbook
from import_project_tests.formats.test_typed_files import ROWS, parquet


def test_sound_files_pass_and_are_at_their_start_again() -> None:
    content = io.BytesIO(parquet())
    try_out("parquet", content, {})
    assert content.tell() == 0
    assert cells(read("parquet", content.getvalue())) == ROWS
    try_out("excel", io.BytesIO(workbook({"one": [["a"], ["1"]]})), {"sheet": "one"})
    try_out("excel", io.BytesIO(b"no workbook"), {})  # the reader says so itself


def test_records_within_records_without_end() -> None:
    schema = {"type": "record", "name": "r", "fields": [{"name": "next", "type": ["null", "r"]}]}
    content = io.BytesIO()
    fastavro.writer(content, fastavro.parse_schema(schema), [{"next": None}])
    head = content.getvalue()
    sync, deep = head[-16:], b"\x02" * 100_000 + b"\x00"
    body = head[: head.index(sync) + 16] + b"\x02" + _long(len(deep)) + deep + sync
    with pytest.raises(Unreadable, match="ends its reader"):
        try_out("avro", io.BytesIO(body), {})


def _long(number: int) -> bytes:
    """Avro's variable-length, zigzag coding."""
    left, out = number << 1, b""
    while left > 0x7F:
        out += bytes([left & 0x7F | 0x80])
        left >>= 7
    return out + bytes([left])


def far_sheet() -> bytes:
    """A sheet of two cells as far apart as they can be, whose reader asks for terabytes."""
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook({"one": [["row_number"], [1]]}))) as old,
        zipfile.ZipFile(made, "w") as new,
    ):
        for member in old.namelist():
            content = old.read(member)
            if member.endswith("sheet1.xml"):
                far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
                content = content.replace(b"</sheetData>", far)
            new.writestr(member, content)
    return made.getvalue()


def test_sheet_that_asks_for_more_than_there_is() -> None:
    with pytest.raises((NotAllowed, Unreadable)):
        try_out("excel", io.BytesIO(far_sheet()), {})


def test_file_that_is_read_whole_is_tried_out_first() -> None:
    """Corrections, invoice lists, `check` and `inspect` read so, in processes that serve others too."""
    with pytest.raises((NotAllowed, Unreadable)):
        read_whole("excel", io.BytesIO(far_sheet()), {"sheet": 1})
