"""Avro container files: typed records, nested ones as `outer.inner` columns."""

from collections.abc import Iterator
from typing import Any, BinaryIO

from import_project.errors import Unreadable
from import_project.formats.foreign import foreign_errors
from import_project.formats.json.scan import written
from import_project.formats.loose import Loose, flat, loose_parts
from import_project.frames import Part


def recognise(content: bytes, **_options: Any) -> bool:
    """Whether the content begins as an Avro container does."""
    return content.startswith(b"Obj\x01")


def parts(content: BinaryIO) -> Iterator[Part]:
    """Read a row for each record. Raises Unreadable for a file that is cut off or damaged."""
    return loose_parts(_records(content))


def _records(content: BinaryIO) -> Iterator[Loose]:
    import fastavro

    with foreign_errors("the Avro file"):
        for record in fastavro.reader(content):
            if not isinstance(record, dict):
                raise Unreadable("the Avro file holds no records")
            yield Loose(fields=record, text=written(flat(record)))
