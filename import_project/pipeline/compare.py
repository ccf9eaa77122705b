"""What a listing means, held against what the ledger knows: new, growing, changed, ready, vanished. Pure.

There is no cursor: each poll compares the whole listing. The ledger must be asked before the inbox is listed, so that
a file claimed in between is never taken for vanished or new.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from import_project.records.files import Arrival, ArrivalState, Listed

_WAITING = frozenset({ArrivalState.SEEN, ArrivalState.READY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """When a file counts as whole: `looks` listings that showed the same facts, for `min_age` by our own clock, and
    `finished` says so of it. Looks that follow within `apart` count as one, so that two daemons do not hurry it.

    On an inbox where a file `stays` after it was imported, the same facts mean the same file for ever.
    """

    looks: int
    min_age: timedelta = timedelta()
    apart: timedelta = timedelta()
    finished: Callable[[str], bool] = lambda _: True
    stays: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sightings:
    """The changes that one listing asks for.

    `new` has each file's occurrence number, and its partition key if it is ready at once; `same` were seen again;
    `ready` are stable now, under their partition keys; `missing` were not listed, for the first time; `vanished` for
    the second, or have other bytes now. `waiting` files are listed and not ready.
    """

    new: tuple[tuple[Listed, int, str | None], ...] = ()
    same: tuple[int, ...] = ()
    ready: tuple[tuple[int, str], ...] = ()
    missing: tuple[int, ...] = ()
    vanished: tuple[int, ...] = ()
    waiting: int = 0


def compare(listed: Iterable[Listed], known: Sequence[Arrival], steady: Steady, now: datetime) -> Sightings:
    """Compare one listing with all arrivals that are known under its names or still open; strays are of another place.

    A name that is listed again after its file was moved away is a new arrival, even with the same size and mtime. A
    file is gone when two listings in a row do not show it: one that lists nothing by mistake ends nothing.
    """
    last = {a.name: a for a in sorted(known, key=lambda a: a.id) if not a.stray}
    files = {f.name: f for f in listed}
    new, same, ready = [], [], []
    missing: list[int] = []
    vanished: list[int] = []
    for name, file in files.items():
        arrival = last.get(name)
        if arrival is None or arrival.facts != file.facts or not _still_there(arrival, stays=steady.stays):
            if arrival is not None and arrival.state in _WAITING:
                vanished.append(arrival.id)
            at_once = steady.looks == 1 and not steady.min_age and steady.finished(name)
            new.append((file, occurrence(file, known), partition_key(file, now) if at_once else None))
        elif arrival.state is ArrivalState.SEEN:
            counts = arrival.looked_at is None or abs(now - arrival.looked_at) >= steady.apart
            if counts or arrival.missing:
                same.append(arrival.id)
            old_enough = now - arrival.first_seen_at >= steady.min_age
            if arrival.looks + counts >= steady.looks and old_enough and steady.finished(name):
                ready.append((arrival.id, partition_key(file, arrival.first_seen_at)))
        elif arrival.state is ArrivalState.READY and arrival.missing:
            same.append(arrival.id)
    for arrival in last.values():
        if arrival.name not in files and arrival.state in _WAITING:
            (vanished if arrival.missing else missing).append(arrival.id)
    seen = sum(last[n].state is ArrivalState.SEEN for n in files if n in last and last[n].facts == files[n].facts)
    return Sightings(
        new=tuple(new),
        same=tuple(same),
        ready=tuple(ready),
        missing=tuple(missing),
        vanished=tuple(vanished),
        waiting=seen - len(ready) + sum(key is None for _, _, key in new),
    )


def _still_there(arrival: Arrival, *, stays: bool) -> bool:
    """Whether a listing of the same name and facts shows this very arrival.

    A claimed one may stand in the inbox until its rename; one whose bytes have landed has been renamed for certain,
    unless files stay.
    """
    if stays:
        return arrival.state is not ArrivalState.VANISHED
    return arrival.state in {ArrivalState.SEEN, ArrivalState.READY, ArrivalState.CLAIMED}


def occurrence(file: Listed, known: Iterable[Arrival]) -> int:
    """Return how many arrivals had the same name, size and mtime before."""
    facts = (file.name, file.size, file.mtime)
    return max((a.occurrence + 1 for a in known if (a.name, a.size, a.mtime) == facts), default=0)


def partition_key(file: Listed, first_seen: datetime, mark: str = "") -> str:
    """Return the file's key in Dagster: its name, made safe, and a fingerprint of its facts and of when it was seen.

    The time makes it unlike the key of any file that had the same facts before, and so does a `mark` of its own.
    """
    facts = f"{file.name}\n{file.size}\n{int(file.mtime.timestamp())}\n{first_seen.isoformat()}{mark}"
    fingerprint = sha256(facts.encode()).hexdigest()
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '_', file.name)[:100]}~{fingerprint[:10]}"
