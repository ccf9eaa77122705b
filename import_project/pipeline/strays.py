"""What stands claimed at the sender though we know of no claim: left by a ledger that was lost, or put there by hand.
Pure.

A stray is adopted when it has stood unchanged for a while, so that another installation's file is left alone while
that one works on it.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from import_project.pipeline.compare import partition_key
from import_project.records.files import Arrival, ArrivalState, Listed
from import_project.sources.base import Claimed

_HELD_NAME = re.compile(r"^[0-9a-f]{10}-(?=.)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Strays:
    """The changes to make: `new` with the path each is held under, `adopt` under partition keys, `gone` ones."""

    new: tuple[tuple[Listed, str], ...] = ()
    adopt: tuple[tuple[int, str], ...] = ()
    gone: tuple[int, ...] = ()


def compare_strays(
    found: Iterable[Claimed],
    known: Sequence[Arrival],
    *,
    owned: Collection[str],
    wanted: Callable[[str], bool],
    after: timedelta,
    now: datetime,
) -> Strays:
    """Compare what stands claimed with the strays that earlier polls saw (`known`); `owned` paths are ours."""
    strays = {c.held_as: _named(c.file) for c in found if c.held_as not in owned}
    strays = {path: file for path, file in strays.items() if wanted(file.name)}
    seen = {a.claimed_as: a for a in known if a.state is ArrivalState.SEEN}
    adopt, gone = [], []
    for path, arrival in seen.items():
        file = strays.get(path or "")
        if file is None or file.facts != arrival.facts:
            gone.append(arrival.id)
        elif now - arrival.first_seen_at >= after:
            adopt.append((arrival.id, partition_key(file, arrival.first_seen_at)))
    unchanged = {path for path, arrival in seen.items() if arrival.id not in gone}
    new = [(file, path) for path, file in strays.items() if path not in unchanged]
    return Strays(new=tuple(new), adopt=tuple(adopt), gone=tuple(gone))


def _named(file: Listed) -> Listed:
    """Give a file held as `0123456789-name` the name that it had."""
    return Listed(name=_HELD_NAME.sub("", file.name), size=file.size, mtime=file.mtime, version=file.version)
