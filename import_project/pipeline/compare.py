"""What a listing means, held against what the ledger knows: new, growing, changed, ready, vanished. Pure.

There is no cursor: each poll compares the whole listing. The ledger must be asked before the inbox is listed, so that
a file claimed in between is never taken for vanished or new.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from import_project.records.files import Arrival, ArrivalState, Listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Sightings:
    """The changes that one listing asks for. `new` has each file's occurrence number, and its partition key if it is
    ready at once; `same` were seen again, `ready` of them are stable now, under their partition keys."""

    new: tuple[tuple[Listed, int, str | None], ...]
    same: tuple[int, ...]
    ready: tuple[tuple[int, str], ...]
    vanished: tuple[int, ...]


def compare(
    listed: Iterable[Listed], known: Sequence[Arrival], *, looks: int, min_age: timedelta, now: datetime
) -> Sightings:
    """Compare one listing with all arrivals that are known under its names or still open.

    A file is ready once `looks` listings showed the same size and mtime and its mtime is `min_age` old. A name that is
    listed again after its file was moved away is a new arrival, even with the same size and mtime.
    """
    last = {a.name: a for a in sorted(known, key=lambda a: a.id)}
    files = {f.name: f for f in listed}
    new, same, ready, vanished = [], [], [], []
    for name, file in files.items():
        arrival = last.get(name)
        unchanged = arrival is not None and (arrival.size, arrival.mtime) == (file.size, file.mtime)
        if arrival is None or not (unchanged and _still_there(arrival)):
            if arrival is not None and arrival.state in {ArrivalState.SEEN, ArrivalState.READY}:
                vanished.append(arrival.id)
            occurrence = _occurrence(file, known)
            at_once = looks == 1 and _old_enough(file, min_age, now)
            new.append((file, occurrence, partition_key(file, now) if at_once else None))
        elif arrival.state is ArrivalState.SEEN:
            same.append(arrival.id)
            if arrival.looks + 1 >= looks and _old_enough(file, min_age, now):
                ready.append((arrival.id, partition_key(file, arrival.first_seen_at)))
    waiting = {ArrivalState.SEEN, ArrivalState.READY}
    vanished += [a.id for a in last.values() if a.name not in files and a.state in waiting]
    return Sightings(new=tuple(new), same=tuple(same), ready=tuple(ready), vanished=tuple(vanished))


def _still_there(arrival: Arrival) -> bool:
    """Whether a listing of the same name, size and mtime shows this very arrival.

    A claimed one may stand in the inbox until its rename; one whose bytes have landed has been renamed for certain.
    """
    return arrival.state in {ArrivalState.SEEN, ArrivalState.READY, ArrivalState.CLAIMED}


def _old_enough(file: Listed, min_age: timedelta, now: datetime) -> bool:
    """Whether the mtime is old enough. One in the future is a wrong clock's, and says nothing."""
    return not min_age or file.mtime > now or now - file.mtime >= min_age


def _occurrence(file: Listed, known: Iterable[Arrival]) -> int:
    facts = (file.name, file.size, file.mtime)
    return max((a.occurrence + 1 for a in known if (a.name, a.size, a.mtime) == facts), default=0)


def partition_key(file: Listed, first_seen: datetime) -> str:
    """Return the file's key in Dagster: its name, made safe, and a fingerprint of its facts and of when it was seen.

    The time makes it unlike the key of any file that had the same facts before.
    """
    facts = f"{file.name}\n{file.size}\n{int(file.mtime.timestamp())}\n{first_seen.isoformat()}"
    fingerprint = sha256(facts.encode()).hexdigest()
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '_', file.name)[:100]}~{fingerprint[:10]}"
