"""Avro container files: typed records, nested ones as `outer.inner` columns."""

from collections.abc import Iterator
from typing import Any, BinaryIO

from import_project.errors import Unreadable
from import_project.formats.loose import Loose, loose_parts
from import_project.frames import Part


def recognise(content: bytes, **_options: Any) -> bool:
    """Whether the content begins as an Avro container does."""
    return content.startswith(b"Obj\x01")


def parts(content: BinaryIO) -> Iterator[Part]:
    """Read a row for each record. Raises Unreadable for a file that is cut off or damaged."""
    return loose_parts(_records(content))


def _records(content: BinaryIO) -> Iterator[Loose]:
    import fastavro

    number = 0
    try:
        for number, record in enumerate(fastavro.reader(content), start=1):  # noqa: B007
            if not isinstance(record, dict):
                raise Unreadable("the Avro file holds no records")
            yield Loose(fields=record)
    except Unreadable:
        raise
    except Exception as error:  # the library raises whatever its decoding meets: EOFError, struct.error, KeyError ...
        told = f"{type(error).__name__}: {error}"
        raise Unreadable(f"the Avro file cannot be read behind record {number}: {told}") from error
