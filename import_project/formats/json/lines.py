"""JSON lines: one object a line. A broken line is set aside with its number, the rest goes on."""

from collections.abc import Iterator
from typing import Any, BinaryIO

from import_project.formats.caps import MOST_VALUES
from import_project.formats.characters import marked, shown, utf8_blocks
from import_project.formats.json.scan import NotJson, decoder, whole_value
from import_project.formats.lines import lines_of
from import_project.formats.loose import Loose, loose_parts
from import_project.frames import Part

_LOOKED_AT = 1 << 17


def recognise(content: bytes, *, named: bool = False, **_options: Any) -> bool:
    """Whether the text begins with an object, and at least half of its first lines are one by themselves."""
    if named:
        return b"{" in content
    start = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start.startswith(b"{"):
        return False
    lines = [line for line in start[:_LOOKED_AT].splitlines()[:20] if line.strip()]
    if len(lines) > 1 and len(start) > _LOOKED_AT:
        lines.pop()  # cut in the middle
    return 0 < len(lines) <= 2 * sum(map(_is_object, lines))


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(whole_value(decoder(), line.decode()), dict)
    except (UnicodeDecodeError, NotJson):
        return False


def parts(content: BinaryIO, *, encoding: str | None = None) -> Iterator[Part]:
    """Read a row for each line, its number the line's; `raw` is the line. `encoding` is a codec name, else UTF-8."""
    return loose_parts(_records(content, encoding))


def _records(content: BinaryIO, encoding: str | None) -> Iterator[Loose | None]:
    decode = decoder()
    for line in lines_of(utf8_blocks(content, encoding)):
        text, bad = marked(line.text)
        raw = text.decode(errors="ignore")
        if not raw.strip():
            yield None
        elif line.too_long:
            yield Loose(text=raw, rule="long_record", message=line.told)
        elif raw.count(",") > MOST_VALUES:
            yield Loose(text=raw, rule="unreadable_record", message=f"the line has more than {MOST_VALUES:,} values")
        elif bad:
            yield Loose(text=shown(raw), rule="encoding", message="bytes that are no text in the file's encoding")
        else:
            try:
                value = whole_value(decode, raw)
            except NotJson as error:
                yield Loose(text=raw, rule="unreadable_record", message=f"the line is no JSON: {error}")
                continue
            if isinstance(value, dict):
                yield Loose(fields=value, text=raw)
            else:
                yield Loose(text=raw, rule="unreadable_record", message="the line is no JSON object")
