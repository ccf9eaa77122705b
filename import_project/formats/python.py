"""A parser of the user's own, in Python: anything with `parse(content)` that yields dicts. Nothing is known of its
format."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from import_project.errors import FileRefused, ImportProjectError, Unreadable
from import_project.formats.json.scan import NotJson, written
from import_project.formats.loose import Loose, flat, loose_parts
from import_project.frames import Part

Parse = Callable[[bytes], Iterable[Mapping[str, Any]]]


def recognise(content: bytes, *, parser: Any = None, **_options: Any) -> bool:
    """Whether the parser's own `recognise(content)` says so; one without it takes any content."""
    asked = getattr(parser, "recognise", None)
    return parser is not None and (asked is None or bool(asked(content)))


def parts(content: BinaryIO, *, parser: Any) -> Iterator[Part]:
    """Read a row for each dict, in the order they come; `raw` is the dict as JSON.

    The parser is called more than once for a file, and must yield the same each time. Raises Unreadable for what it
    raises.
    """
    return loose_parts(_records(parser, content.read()))


def _records(parser: Any, content: bytes) -> Iterator[Loose]:
    number = 0
    try:
        for number, record in enumerate(parser.parse(content), start=1):  # noqa: B007
            yield _loose(record)
    except ImportProjectError as error:
        raise error if isinstance(error, FileRefused) else Unreadable(error.what) from error
    except Exception as error:  # whatever a stranger's parser meets in the content
        told = f"{type(error).__name__}: {error}"
        raise Unreadable(f"the parser failed behind record {number}: {told}") from error


def _loose(record: object) -> Loose:
    if not isinstance(record, Mapping):
        return Loose(text=repr(record)[:1000], rule="unreadable_record", message="the parser gave no dict")
    try:
        return Loose(fields=record, text=written(flat(record)))
    except NotJson:
        return Loose(fields=record, text=repr(dict(record))[:1000])
