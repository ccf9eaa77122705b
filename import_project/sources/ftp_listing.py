"""What FTP servers write about their files: MLSD and MLST facts, LIST lines in the Unix and the DOS form, times.
Bytes and text in, entries out; no connection here, and which names are wanted or safe is not known."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime

UNKNOWN_TIME = datetime.fromtimestamp(0, UTC)
_LONGEST_LINE = 8192  # of characters that are matched; no name is that long

_FACTS = re.compile(r"((?:[^=; ]+=[^;]*;)*) (.*)", re.DOTALL)
_MONTH_FORM = r"[A-Za-z]{3} +\d{1,2} +(?:\d{1,2}:\d{2}(?::\d{2})?|\d{4})"
_ISO_FORM = r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}(?::\d{2})?"
_UNIX = re.compile(rf"([-a-zA-Z])[-rwxsStTlL]{{9}}\S? ++.*?(?<=\s)(\d+) +(?:{_MONTH_FORM}|{_ISO_FORM}) (.*)", re.DOTALL)
_UNIX_OTHER = re.compile(r"[a-zA-Z][-rwxsStTlL]{9}\S? ")
_DOS = re.compile(r"\d{2}-\d{2}-(?:\d{2}|\d{4}) +\d{1,2}:\d{2} ?(?:[AP]M)? +(<\w+>|\d+) (.*)", re.DOTALL)
_HEADING = re.compile(r"total \d+|\s*", re.IGNORECASE)


class NotAListing(Exception):
    """A server's listing begins in no form that is known here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a listing. `mtime` is aware UTC in whole seconds, UNKNOWN_TIME where the line does not tell it."""

    name: str
    is_file: bool
    size: int
    mtime: datetime = UNKNOWN_TIME


def read_mlsd(content: bytes) -> list[Entry]:
    """Read the answer to MLSD. Raises NotAListing."""
    return _read(content, with_facts=True)


def read_list(content: bytes) -> list[Entry]:
    """Read the answer to LIST; its times are local and to the minute, and not used. Raises NotAListing."""
    return _read(content, with_facts=False)


def _read(content: bytes, *, with_facts: bool) -> list[Entry]:
    entries: list[Entry] = []
    for line in _lines(content):
        entry = (read_facts(line) if with_facts else _read_line(line)) if len(line) <= _LONGEST_LINE else None
        if entry is not None:
            entries.append(entry)
        elif entries:
            # The rest of a name with a line break in it: told with its break, so that nobody takes the first half.
            entries[-1] = replace(entries[-1], name=f"{entries[-1].name}\r\n{line}")
        elif with_facts or not _HEADING.fullmatch(line):
            raise NotAListing(f"the listing begins with {line[:100]!r}, which is in no known form")
    return entries


def _lines(content: bytes) -> list[str]:
    """Cut at CRLF, since a lone LF can stand in a name; at LF where a server writes no CRLF. Other than UTF-8 stays."""
    end = b"\r\n" if b"\r\n" in content else b"\n"
    return [line.decode("utf-8", "surrogateescape") for line in content.removesuffix(end).split(end) if content]


def read_facts(line: str) -> Entry | None:
    """Read a line of facts and a name, as MLSD and MLST give it; None where it is none."""
    found = _FACTS.fullmatch(line)
    if not found:
        return None
    facts = dict(fact.lower().split("=", 1) for fact in found[1].split(";") if fact)
    return Entry(
        name=found[2],
        is_file=facts.get("type") == "file",
        size=_number(facts.get("size", "")),
        mtime=read_time(facts.get("modify", "")),
    )


def _read_line(line: str) -> Entry | None:
    if found := _UNIX.fullmatch(line):
        return Entry(name=found[3], is_file=found[1] == "-", size=int(found[2]))
    if _UNIX_OTHER.match(line):
        return Entry(name=line, is_file=False, size=0)  # a device has numbers in the place of its size
    if found := _DOS.fullmatch(line):
        return Entry(name=found[2], is_file=found[1].isdecimal(), size=_number(found[1]))
    return None


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def read_time(text: str) -> datetime:
    """Read `YYYYMMDDHHMMSS`, UTC, with or without fractions; UNKNOWN_TIME where it is none."""
    try:
        return datetime.strptime(text[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return UNKNOWN_TIME
