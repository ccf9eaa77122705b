"""Row and bank files read whole, for tests of their readers."""

import io
from typing import Any

from import_project.formats.registry import batches, read_whole
from import_project.frames import RAW, ROW_NUMBER, Reading, gathered


def read(name: str, content: bytes, **options: Any) -> Reading:
    return gathered(name, batches(name, io.BytesIO(content), options))


def read_bank(name: str, content: bytes, **options: Any) -> Reading:
    return read_whole(name, io.BytesIO(content), options)


def problems(reading: Reading) -> list[tuple[int | None, str, str | None]]:
    return [(i["row_number"], i["rule"], i["column"]) for i in reading.issues.iter_rows(named=True)]


def cells(reading: Reading) -> list[dict[str, Any]]:
    """Each row's cells that are filled, without its number and raw text."""
    rows = reading.frame.drop(ROW_NUMBER, RAW).iter_rows(named=True)
    return [{k: v for k, v in row.items() if v is not None} for row in rows]
