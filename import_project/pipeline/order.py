"""Which of the files that wait for a run get one now: the feed's order and its limit. Pure."""

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal

from import_project.records.files import Arrival

Order = Literal["process_all", "latest_by_mtime", "fifo_by_name", "lexicographic"]


def pick(
    waiting: Sequence[Arrival],
    *,
    order: Order,
    limit: int,
    on_its_way: Collection[str],
    now: datetime,
    growing: Collection[str] = (),
) -> list[Arrival]:
    """Return the files to ask a run for, first things first.

    `waiting` are all that need a run, as they were first seen; those whose partition is `on_its_way` have one. No more
    than `limit` are under way at once, so that a feed with thousands does not stand in the queue before all others.
    `fifo_by_name` takes one at a time: the next starts when the one before has ended, and a name in `growing` (listed,
    not ready) holds back those after it.
    """
    free = [a for a in waiting if a.due(now) and a.partition not in on_its_way]
    if order == "fifo_by_name":
        first = min(waiting, key=lambda a: natural(a.name), default=None)
        held_back = first is not None and any(natural(name) < natural(first.name) for name in growing)
        return [first] if first in free and not held_back else []
    if order == "latest_by_mtime":
        free.sort(key=lambda a: (-a.mtime.timestamp(), a.name))
    elif order == "lexicographic":
        free.sort(key=lambda a: a.name)
    busy = sum(a.held(now) or a.partition in on_its_way for a in waiting)
    return free[: max(0, limit - busy)]


def natural(name: str) -> list[tuple[str, int]]:
    """Return a sort key that reads numbers as numbers: `file9` before `file10`."""
    return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", name)]
