"""Excel workbooks and OpenDocument sheets (.xlsx, .xls, .ods): the values of one sheet's cells. Formulas are not
computed: what counts is the value that was saved with them."""

import logging
import zipfile
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

import polars as pl

from import_project.errors import NotAllowed, Unreadable
from import_project.formats.caps import BATCH_ROWS, LARGEST_WHOLE
from import_project.formats.delimited.header import column_names
from import_project.formats.foreign import foreign_errors
from import_project.frames import RAW, ROW_NUMBER, Batch, Part, issues_frame
from import_project.records.issues import Issue, Severity

if TYPE_CHECKING:
    import fastexcel

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MEMBERS = (b"[Content_Types].xml", b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet", b"xl/", b"_rels/.rels")
_LARGEST_RATIO, _RATIO_FROM = 200, 16 << 20
_EXCEL_DIGITS = 15


def recognise(content: bytes, **_options: Any) -> bool:
    """Whether the content begins as a workbook does."""
    return content.startswith(_OLE) or (content.startswith(_ZIP) and any(m in content[:4096] for m in _MEMBERS))


def parts(content: BinaryIO, *, sheet: str | int | None = None, header_row: int = 1) -> Iterator[Part]:
    """Read the sheet called `sheet`, or in that place (from 1); without it, the only one that holds anything.

    The header stands in row `header_row` of the sheet; rows are numbered from 1 behind it. A column of numbers or dates
    alone has their type. Raises Unreadable for a file that is no workbook, NotAllowed for one beyond the caps.
    """
    _refuse_bombs(content)
    with foreign_errors("the workbook"):
        import fastexcel

        logging.getLogger("fastexcel").setLevel(logging.ERROR)  # it tells of columns without any cell
        book = fastexcel.read_excel(content.read())
        place = _place(book, sheet)
        first = book.load_sheet(place, header_row=None, skip_rows=header_row - 1, n_rows=1, dtypes="string")
        header = [cell or "" for (cell,) in _columns(first)] if first.height else []
    if not any(header):
        raise Unreadable(f"row {header_row} of sheet {book.sheet_names[place]!r} is no header: it is empty")
    names, twice = column_names([name.strip() for name in header])
    with foreign_errors("the workbook"):
        cells = book.load_sheet(place, header_row=None, skip_rows=header_row, schema_sample_rows=None)
        table, errors = cells.to_arrow_with_errors()
    frame = pl.DataFrame(pl.from_arrow(table))
    missing = len(names) - frame.width
    frame = frame.with_columns(pl.lit(None, pl.String).alias(f"__none_{i}") for i in range(missing))
    rows = frame.select(_plain(frame[old]).alias(new) for old, new in zip(frame.columns, names, strict=False))
    broken = [(e.offset_position, e.detail) for e in errors.errors] if errors else []
    yield partial(_beginning, rows, twice)
    yield from _batches(rows, broken)


def _columns(sheet: "fastexcel.ExcelSheet") -> list[list[str | None]]:
    return [column.to_list() for column in pl.DataFrame(pl.from_arrow(sheet.to_arrow())).iter_columns()]


def _place(book: "fastexcel.ExcelReader", sheet: str | int | None) -> int:
    names = book.sheet_names
    if isinstance(sheet, int):
        if not 1 <= sheet <= len(names):
            raise Unreadable(f"the workbook has {len(names)} sheets, not {sheet}")
        return sheet - 1
    if sheet is not None:
        if sheet not in names:
            raise Unreadable(f"the workbook has no sheet {sheet!r}", do=f"it has {', '.join(names)}")
        return list(names).index(sheet)
    filled = [i for i in range(len(names)) if len(names) == 1 or _filled(book, i)]
    if len(filled) > 1:
        raise Unreadable(f"{len(filled)} sheets hold something", do=f"say format.sheet: one of {', '.join(names)}")
    if not filled:
        raise Unreadable("no sheet of the workbook holds anything")
    return filled[0]


def _filled(book: "fastexcel.ExcelReader", place: int) -> bool:
    sheet = book.load_sheet(place, header_row=None, n_rows=1, dtypes="string")
    return bool(sheet.visible == "visible" and sheet.width > 0)


def _plain(column: pl.Series) -> pl.Series:
    """Numbers as Excel itself knows them, to 15 digits; days without a time as dates; the rest as it is."""
    if column.dtype == pl.Float64:
        whole = column == column.floor()  # long numbers, such as those of cards, are what the file holds
        return column.zip_with(whole.fill_null(value=False), column.round_sig_figs(_EXCEL_DIGITS))
    if isinstance(column.dtype, pl.Datetime):
        days = column.drop_nulls()
        return column.dt.date() if (days.dt.date().cast(column.dtype) == days).all() else column
    if column.dtype == pl.String:
        return column.replace("", None)
    return column.cast(pl.String) if column.dtype in {pl.Null, pl.Duration} else column


def _beginning(rows: pl.DataFrame, twice: Sequence[str]) -> Batch:
    told = "the columns are called {0}_1, {0}_2 ..."
    notes = [Issue(rule="duplicate_header", message=told.format(n), severity=Severity.WARNING, column=n) for n in twice]
    return Batch(frame=_numbered(rows.clear()), issues=issues_frame(notes), records=0)


def _batches(rows: pl.DataFrame, broken: list[tuple[tuple[int, int], str]]) -> Iterator[Part]:
    for start in range(0, rows.height, BATCH_ROWS):
        some = rows.slice(start, BATCH_ROWS)
        mine = [((row - start, column), told) for (row, column), told in broken if 0 <= row - start < some.height]
        yield partial(_batch, some, mine, last=start + BATCH_ROWS >= rows.height)


def _batch(rows: pl.DataFrame, broken: list[tuple[tuple[int, int], str]], *, last: bool) -> Batch:
    frame = _numbered(rows)
    wrong = {row + 1 for (row, _), _ in broken}
    blank = frame.select(pl.all_horizontal(pl.col(*rows.columns).is_null())).to_series()
    blank = blank & ~frame[ROW_NUMBER].is_in(sorted(wrong))
    kept = frame.filter(~blank)
    end = int(kept[ROW_NUMBER].to_list()[-1]) if kept.height else 0
    issues = [
        Issue(
            rule="cell_error",
            message=f"the cell holds no value: {told}",
            row_number=row + 1,
            column=rows.columns[column],
        )
        for (row, column), told in broken
    ]
    told = "a blank row between others is not counted"
    issues += [
        Issue(rule="blank_row", message=told, severity=Severity.WARNING, row_number=number)
        for number in frame.filter(blank)[ROW_NUMBER]
        if not last or number < end
    ]
    issues.sort(key=lambda issue: issue.row_number or 0)
    return Batch(frame=kept, issues=issues_frame(issues), records=rows.height)


def _numbered(rows: pl.DataFrame) -> pl.DataFrame:
    numbers = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(ROW_NUMBER)
    return rows.select(numbers, *rows.columns, pl.lit(None, pl.String).alias(RAW))


def _refuse_bombs(content: BinaryIO) -> None:
    """Unpack the workbook's members into nothing, within the caps: what a member says of its size may be a lie."""
    if content.read(4) != _ZIP:
        content.seek(0)
        return
    packed = content.seek(0, 2)
    content.seek(0)
    size = 0
    with foreign_errors("the workbook"), zipfile.ZipFile(content) as book:
        for member in book.infolist():
            with book.open(member) as file:
                while block := file.read(1 << 20):
                    size += len(block)
                    if size > LARGEST_WHOLE or size > max(packed * _LARGEST_RATIO, _RATIO_FROM):
                        raise NotAllowed(f"the workbook unpacks to more than {size:,} bytes from {packed:,}")
    content.seek(0)
