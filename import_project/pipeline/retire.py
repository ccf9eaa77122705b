"""What is kept long enough is let go: landed bytes, tables, details. Never what tells a known file, row or payment from
a new one: arrivals, files, decisions, postings and outcomes stay in the ledger for ever.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from import_project.frames import DECISIONS
from import_project.pipeline.parts import Parts

T = TypeVar("T")
_AT_ONCE = 500
_ASKED_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """For how many days things are kept after their file has ended; None: for ever."""

    landing: int | None
    tables: int | None
    details: int | None


def retire_stored(parts: Parts, kept: Kept) -> dict[str, int]:
    """Delete what is older, a bounded number at once. Returns how many of each.

    A file is let go when it last ended before that, in every feed and as often as it came, no run holds it, and no
    posting of it waits, is dead or was rejected. Its bytes and tables then cannot be read again, shown or replayed;
    that it came, and what of it was posted, stays known.
    """
    now = parts.clock()
    return {
        "landed files": _landing(parts, _before(now, kept.landing)),
        "tables of files": _tables(parts, _before(now, kept.tables)),
        "details": _details(parts, _before(now, kept.details)),
    }


def _before(now: datetime, days: int | None) -> datetime | None:
    return None if days is None else now - timedelta(days=days)


def _landing(parts: Parts, before: datetime | None) -> int:
    if before is None:
        return 0

    def unneeded(some: Sequence[str]) -> list[str]:
        known = parts.ledger.arrivals.needed(some, since=before, now=parts.clock())
        needed = {sha256 for _, sha256 in known}
        return [sha256 for sha256 in some if sha256 not in needed]

    return sum(parts.landing.remove(s, before) for s in _some(parts.landing.older(before), unneeded) if unneeded([s]))


def _tables(parts: Parts, before: datetime | None) -> int:
    if before is None:
        return 0

    def unneeded(some: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        needed = parts.ledger.arrivals.needed([sha256 for _, sha256 in some], since=before, now=parts.clock())
        return [one for one in some if one not in needed]

    gone = 0
    for feed, sha256 in _some(parts.tables.older(before), unneeded):
        if unneeded([(feed, sha256)]):  # asked again just before: a run may have begun with it
            gone += parts.tables.forget(feed, sha256, before, first=DECISIONS)
    return gone


def _some(found: Iterable[T], unneeded: Callable[[Sequence[T]], list[T]]) -> list[T]:
    """Return the first so many that are needed no more, however many come before them that are."""
    gone: list[T] = []
    left = iter(found)
    while len(gone) < _AT_ONCE and (some := list(islice(left, _ASKED_AT_ONCE))):
        gone += unneeded(some)
    return gone[:_AT_ONCE]


def _details(parts: Parts, before: datetime | None) -> int:
    if before is None:
        return 0
    return parts.ledger.steps.forget(before, _AT_ONCE) + parts.ledger.alerts.forget(before, _AT_ONCE)
