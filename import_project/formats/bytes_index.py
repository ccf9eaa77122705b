"""The bytes of a text as a column of numbers, so that counting and comparing them runs at the speed of memory."""

import polars as pl
import pyarrow as pa

LF, CR, TAB, SPACE, DEL = 10, 13, 9, 32, 127


def byte_column(text: bytes) -> pl.Series:
    """Return a column of UInt8 over the same memory: nothing is copied."""
    array = pa.Array.from_buffers(pa.uint8(), len(text), [None, pa.py_buffer(text)])
    column = pl.from_arrow(array)
    assert isinstance(column, pl.Series)
    return column


def has_controls(text: bytes, column: pl.Series) -> bool:
    """Whether a text, and its column, hold control characters beside tab and line ends."""
    usual = sum(int((column == sign).sum()) for sign in (LF, CR, TAB) if sign in text)
    return int((column < SPACE).sum()) != usual or DEL in text
