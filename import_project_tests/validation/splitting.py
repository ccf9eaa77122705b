"""Row files parted by a schema, for tests of the rules."""

import io
from collections.abc import Iterator
from functools import partial
from typing import Any

from import_project.formats.registry import row_format
from import_project.frames import Part
from import_project.validation.rules import compiled
from import_project.validation.schema import RowSchema
from import_project.validation.split import Split, split_rows, whole


def parts(name: str, content: bytes, options: dict[str, Any]) -> Iterator[Part]:
    return row_format(name).parts(io.BytesIO(content), **options)


def split_file(
    name: str, content: bytes, schema: RowSchema, *, rows: dict[str, Any] | None = None, **options: Any
) -> Split:
    """Part a file; `rows` are options of `split_rows`."""
    return whole(split_rows(partial(parts, name, content, options), compiled(schema), **(rows or {})))


def split_text(content: bytes, schema: RowSchema, **options: Any) -> Split:
    return split_file("delimited", content, schema, **options)
