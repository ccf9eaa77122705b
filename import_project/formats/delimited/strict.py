"""Records read one by one with Python's strict CSV reader: slow, but it says of each whether it can be parted."""

import csv
import io
from dataclasses import dataclass

from import_project.formats.delimited.header import csv_reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record: its text and its fields, or why it could not be parted. A blank one has neither."""

    fields: list[str] | None = None
    text: str = ""
    rule: str = ""
    message: str = ""


def strict_records(content: bytes, delimiter: str, quote: str, *, final: bool) -> tuple[list[Record], int]:
    """Part UTF-8 text from a record's start. Returns the records, and how many bytes of the text they are.

    The lines of a record with a torn quote are set aside one by one: left in, it would swallow the lines behind it. A
    record that is cut off at the end is left to the next call, unless this is the `final` one.
    """
    lines = io.StringIO(content.decode(errors="ignore"), newline="").readlines()
    if not final and lines and not lines[-1].endswith("\n"):
        lines.pop()  # cut, or a line end that is not whole yet
    reader = csv_reader(lines, delimiter=delimiter, quotechar=quote)
    records: list[Record] = []
    start = 0
    while start < len(lines):
        try:
            fields = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            if reader.line_num >= len(lines) and not final:
                break  # perhaps its end is only not here yet
            told = f"a quote is torn: {error}"
            torn = (text.rstrip("\r\n") for text in lines[start : reader.line_num])
            records += [Record(text=t, rule="torn_quote", message=told) if t.strip() else Record() for t in torn]
        else:
            text = "".join(lines[start : reader.line_num]).rstrip("\r\n")
            records.append(Record(fields=fields, text=text))
        start = reader.line_num
    return records, sum(len(line.encode()) for line in lines[:start])
