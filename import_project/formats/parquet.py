"""Parquet files: typed columns, read a few row groups at a time."""

from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa

from import_project.formats.caps import BATCH_ROWS, MOST_CELLS
from import_project.formats.foreign import foreign_errors
from import_project.formats.typed import typed_parts
from import_project.frames import Part


def recognise(content: bytes, **_options: Any) -> bool:
    """Whether the content begins as a Parquet file does."""
    return content.startswith(b"PAR1")


def parts(content: BinaryIO) -> Iterator[Part]:
    """Read the file's columns with their types. Raises Unreadable for a file that is cut off or damaged."""
    return typed_parts(_tables(content))


def _tables(content: BinaryIO) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    with foreign_errors("the Parquet file"):
        file = pq.ParquetFile(content)
        rows = max(min(BATCH_ROWS, MOST_CELLS // max(len(file.schema_arrow), 1)), 1)
        yield pa.RecordBatch.from_pylist([], schema=file.schema_arrow)
        yield from file.iter_batches(batch_size=rows)
