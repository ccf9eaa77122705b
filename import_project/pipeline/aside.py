"""Moving the sender's copy of an ended file out of the way. The file's outcome never depends on it."""

from import_project.config.load import LoadedFeed
from import_project.errors import FileVanished, SourceError
from import_project.pipeline.parts import Parts
from import_project.records.files import Arrival, ArrivalState
from import_project.sources.base import Source


async def try_move_aside(parts: Parts, loaded: LoadedFeed, partition: str) -> str:
    """Move the copy if it is still due. When the source fails, a later poll does it; returns what happened."""
    arrival = parts.ledger.arrivals.of(loaded.name, partition)
    if not arrival.aside_due:
        return arrival.set_aside_to or "nothing to move"
    try:
        async with parts.open_source(loaded) as source:
            return await move_aside(parts, source, arrival)
    except SourceError as error:
        return f"not yet: {error.what}"


async def move_aside(parts: Parts, source: Source, arrival: Arrival) -> str:
    """Move a held copy to `.archive/YYYY/MM/DD/` or `.failed/`, and record where it went.

    The day is the one on which the file was first seen (UTC), so that every try aims at the same place.
    """
    assert arrival.claimed_as is not None
    folder = ".failed" if arrival.state is ArrivalState.FAILED else f".archive/{arrival.first_seen_at:%Y/%m/%d}"
    target = f"{folder}/{arrival.name}"
    if_taken = f"{target}.dup-{int(arrival.first_seen_at.timestamp() * 1000)}"
    try:
        place = await source.set_aside(arrival.claimed_as, target, if_taken=if_taken)
    except FileVanished:
        place = "gone from the sender's server"
    parts.ledger.arrivals.set_aside(arrival.id, place, parts.clock())
    return place
