"""What is kept long enough is let go: landed bytes, tables, details. Never what tells a known file, row or payment from
a new one: arrivals, files, decisions, postings and outcomes stay in the ledger for ever.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from import_project.pipeline.parts import Parts

T = TypeVar("T")
_AT_ONCE = 500
_LOOKED_AT = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """For how many days things are kept after their file has ended; None: for ever."""

    landing: int | None
    tables: int | None
    details: int | None


def retire_stored(parts: Parts, kept: Kept) -> dict[str, int]:
    """Delete what is older, a bounded number at once. Returns how many of each.

    A file is let go when it ended before that, in every feed and as often as it came, and no posting of it waits or is
    dead. Its bytes and tables then cannot be read again, shown or replayed; that it came, and what of it was posted,
    stays known.
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
    old = _some(parts.landing.older(before))
    needed = {sha256 for _, sha256 in parts.ledger.arrivals.needed(old, since=before)}
    return sum(parts.landing.remove(sha256, before) for sha256 in [s for s in old if s not in needed][:_AT_ONCE])


def _tables(parts: Parts, before: datetime | None) -> int:
    if before is None:
        return 0
    old = _some(parts.tables.older(before))
    needed = parts.ledger.arrivals.needed([sha256 for _, sha256 in old], since=before)
    gone = [one for one in old if one not in needed][:_AT_ONCE]
    for feed, sha256 in gone:
        parts.tables.forget(feed, sha256)
    return len(gone)


def _details(parts: Parts, before: datetime | None) -> int:
    if before is None:
        return 0
    return parts.ledger.steps.forget(before, _AT_ONCE) + parts.ledger.alerts.forget(before, _AT_ONCE)


def _some(found: Iterable[T]) -> list[T]:
    return list(islice(found, _LOOKED_AT))
