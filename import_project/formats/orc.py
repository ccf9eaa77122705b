"""ORC files: typed columns, read a stripe at a time."""

from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa

from import_project.formats.caps import BATCH_ROWS
from import_project.formats.foreign import foreign_errors
from import_project.formats.typed import typed_parts
from import_project.frames import Part


def recognise(content: bytes, **_options: Any) -> bool:
    """Whether the content begins as an ORC file does."""
    return content.startswith(b"ORC")


def parts(content: BinaryIO) -> Iterator[Part]:
    """Read the file's columns with their types. Raises Unreadable for a file that is cut off or damaged."""
    return typed_parts(_tables(content))


def _tables(content: BinaryIO) -> Iterator[pa.RecordBatch]:
    from pyarrow import orc

    with foreign_errors("the ORC file"):
        file = orc.ORCFile(content)
        yield pa.RecordBatch.from_pylist([], schema=file.schema)
        for stripe in range(file.nstripes):
            table = file.read_stripe(stripe)
            for start in range(0, table.num_rows, BATCH_ROWS):
                yield table.slice(start, BATCH_ROWS)
