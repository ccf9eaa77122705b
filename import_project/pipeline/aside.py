"""Moving the sender's copy of an ended file out of the way. The file's outcome never depends on it."""

from dataclasses import dataclass

from import_project.config.load import LoadedFeed
from import_project.errors import FileVanished, SourceError
from import_project.pipeline.parts import Parts
from import_project.records.files import Arrival, ArrivalState
from import_project.sources.base import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """Where the copy is, in words, and what a person must look at."""

    place: str
    problem: str | None = None


async def try_move_aside(parts: Parts, loaded: LoadedFeed, partition: str) -> Aside:
    """Move the copy if it is still due. When the source fails, a later poll does it."""
    arrival = parts.ledger.arrivals.of(loaded.name, partition)
    if not arrival.aside_due:
        return Aside(place=arrival.set_aside_to or "nothing to move")
    try:
        async with parts.open_source(loaded) as source:
            return await move_aside(parts, source, arrival)
    except SourceError as error:
        return Aside(place=f"not yet: {error.what}")


async def move_aside(parts: Parts, source: Source, arrival: Arrival) -> Aside:
    """Move a held copy to `.archive/YYYY/MM/DD/` or `.failed/`, and record where it went.

    The day is the one on which the file was first seen (UTC), so that every try aims at the same place. A copy that the
    sender has written to since it was read (with a handle that outlives the rename) goes to `.failed/`.
    """
    assert arrival.claimed_as is not None
    if problem := await _written_to(source, arrival):
        target = f".failed/{arrival.name}"
        place = await source.set_aside(arrival.claimed_as, target, if_taken=f"{target}.dup-{arrival.id}")
        parts.ledger.arrivals.set_aside(arrival.id, place, parts.clock(), error=problem)
        return Aside(place=place, problem=problem)
    folder = ".failed" if arrival.state is ArrivalState.FAILED else f".archive/{arrival.first_seen_at:%Y/%m/%d}"
    target = f"{folder}/{arrival.name}"
    if_taken = f"{target}.dup-{int(arrival.first_seen_at.timestamp() * 1000)}"
    try:
        place = await source.set_aside(arrival.claimed_as, target, if_taken=if_taken)
    except FileVanished:
        place = "gone from the sender's server"
    parts.ledger.arrivals.set_aside(arrival.id, place, parts.clock(), error=arrival.error)
    return Aside(place=place)


async def _written_to(source: Source, arrival: Arrival) -> str | None:
    assert arrival.claimed_as is not None
    if arrival.sha256 is None:
        return None
    try:
        now = await source.facts(arrival.claimed_as)
    except FileVanished:
        return None  # moved by an earlier try
    if (now.size, now.mtime) == (arrival.size, arrival.mtime):
        return None
    return f"the sender wrote to {arrival.name} after it was read: {arrival.size} bytes then, {now.size} now"
