"""Where a file lies at the sender: while it is held, and when it is set aside. Pure; names stay within 255 bytes."""

from datetime import datetime
from hashlib import sha256

from import_project.config.files import Folders, Pattern
from import_project.config.patterns import rendered

_LONGEST, _ENDING = 255, 24


def held_path(folders: Folders, partition: str, name: str) -> str:
    """Return where a file is held: in the processing folder, under a name that no other arrival ever has."""
    fingerprint = partition.rpartition("~")[2]
    return f"{folders.processing}/{_fitted(f'{fingerprint}-', name, '')}"


def aside_path(folders: Folders, pattern: Pattern, name: str, *, failed: bool, seen_at: datetime) -> tuple[str, str]:
    """Return where an ended file goes, and where it goes when that name is taken: `NAME.dup-<unix milliseconds>`.

    Day and milliseconds are those of its first sighting, so that every try aims at the same place.
    """
    folder = rendered(folders.failed if failed else folders.archive, seen_at.astimezone(pattern.zone))
    taken = _fitted("", name, f".dup-{int(seen_at.timestamp() * 1000)}")
    return f"{folder}/{name}", f"{folder}/{taken}"


def _fitted(before: str, name: str, after: str) -> str:
    """Put a name between two texts. Where that is longer than file systems allow, its middle makes way for a mark of
    the whole: two names stay two, and the ending, which patterns ask for, stays."""
    whole = f"{before}{name}{after}"
    excess = len(whole.encode()) - _LONGEST
    if excess <= 0:
        return whole
    mark = f"~{sha256(name.encode()).hexdigest()[:8]}~"
    kept = len(name.encode()) - excess - len(mark)
    start, end = name.encode()[: kept - _ENDING], name.encode()[-_ENDING:]
    return f"{before}{start.decode(errors='ignore')}{mark}{end.decode(errors='ignore')}{after}"
