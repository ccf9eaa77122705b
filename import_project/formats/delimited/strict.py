"""Records read one by one with Python's strict CSV reader: slow, but it says of each whether it can be parted."""

import csv
import io
from dataclasses import dataclass
from typing import Self

from import_project.formats.delimited.header import csv_reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record: its text and its fields, or why it could not be parted. A blank one has neither."""

    fields: list[str] | None = None
    text: str = ""
    rule: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Torn:
    """So many bytes of text, the lines of a record with a torn quote, and what is wrong with it."""

    size: int
    told: str


def strict_records(
    content: bytes, delimiter: str, quote: str, *, final: bool, most_torn: int | None = None
) -> tuple[list[Record], int, Torn | None]:
    """Part UTF-8 text from a record's start. Returns the records, and how many bytes of the text they are.

    The lines of a record with a torn quote are set aside one by one: left in, it would swallow the lines behind it.
    Where they are more than `most_torn` characters, it ends there and returns them as they are. A record that is cut
    off at the end is left to the next call, unless this is the `final` one.
    """
    text = content.decode(errors="ignore")
    lines = _Lines(text if final else text[: _last_line_end(text)])
    reader = csv_reader(lines, delimiter=delimiter, quotechar=quote)
    records: list[Record] = []
    start, torn = 0, None
    while start < len(lines.text):
        try:
            fields = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            if lines.end == len(lines.text) and not final:
                break  # perhaps its end is only not here yet
            told, span = f"a quote is torn: {error}", lines.text[start : lines.end]
            if most_torn is not None and len(span) > most_torn:
                torn = Torn(size=len(span.encode()), told=told)
                break
            records += torn_lines(span, told)
        else:
            records.append(Record(fields=fields, text=lines.text[start : lines.end].rstrip("\r\n")))
        start = lines.end
    return records, len(lines.text[:start].encode()), torn


def torn_lines(text: str, told: str) -> list[Record]:
    """Set each line of a record with a torn quote aside."""
    lines = (line.rstrip("\r\n") for line in io.StringIO(text, newline=""))
    return [Record(text=t, rule="torn_quote", message=told) if t.strip() else Record() for t in lines]


class _Lines:
    """A text's lines for a reader that takes them one by one; `end` is where the last one that was taken ends."""

    def __init__(self, text: str) -> None:
        self.text, self.end = text, 0
        self._lines = io.StringIO(text, newline="")

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.end += len(line)
        return line


def _last_line_end(text: str) -> int:
    """Where the last line begins that is cut, or whose end is not whole yet."""
    if text.endswith("\n"):
        return len(text)
    whole = text.removesuffix("\r")
    return max(whole.rfind("\n"), whole.rfind("\r")) + 1
