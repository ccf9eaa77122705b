"""Moving the sender's copy of an ended file out of the way. The file's outcome never depends on it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from import_project.config.load import LoadedFeed
from import_project.errors import FileVanished, SourceError
from import_project.pipeline.logins import opened
from import_project.pipeline.parts import Parts
from import_project.pipeline.places import aside_path, held_path
from import_project.records.files import Arrival, ArrivalState, Staged
from import_project.sources.base import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """Where the copy is, in words, and what a person must look at."""

    place: str
    problem: str | None = None


async def try_move_aside(parts: Parts, loaded: LoadedFeed, partition: str) -> Aside:
    """Move the copy if it is still due, and no longer watched. When the source fails, a later poll does it."""
    arrival = parts.ledger.arrivals.of(loaded.name, partition)
    if not arrival.aside_due or loaded.feed.source.read_only:
        stays = "left where it is" if loaded.feed.source.read_only else "nothing to move"
        return Aside(place=arrival.set_aside_to or stays)
    if watched(loaded, arrival, parts.clock()):
        return Aside(place="not yet: it is watched")
    try:
        async with opened(parts, loaded) as source:
            return await move_aside(parts, loaded, source, arrival)
    except SourceError as error:
        return Aside(place=f"not yet: {error.what}")


def watched(loaded: LoadedFeed, arrival: Arrival, now: datetime) -> bool:
    """Whether the copy of a file that is done stays where it is for now: what its sender writes into it meanwhile is
    noticed when it is moved."""
    watch = timedelta(seconds=loaded.feed.files.watch_seconds)
    seen = arrival.looked_at or arrival.first_seen_at
    return bool(watch) and arrival.state is ArrivalState.DONE and now < seen + watch


async def move_aside(parts: Parts, loaded: LoadedFeed, source: Source, arrival: Arrival) -> Aside:
    """Move a held copy to the feed's archive or its folder for failed files, and record where it went.

    A copy that the sender has written to since it was read (with a handle that outlives the rename) counts as failed.
    Its done-file goes with it.
    """
    assert arrival.claimed_as is not None
    file = arrival.staged(arrival.claimed_as)
    problem = await _written_to(source, file, arrival)
    failed = problem is not None or arrival.state is ArrivalState.FAILED
    try:
        place = await _move(loaded, source, file, arrival, failed=failed)
    except FileVanished:
        place = "gone from the sender's server"
    await _move_done_file(loaded, source, arrival, failed=failed)
    parts.ledger.arrivals.set_aside(arrival.id, place, parts.clock(), error=problem or arrival.error)
    return Aside(place=place, problem=problem)


async def _move(loaded: LoadedFeed, source: Source, file: Staged, arrival: Arrival, *, failed: bool) -> str:
    files = loaded.feed.files
    target, taken = aside_path(files.folders, files.pattern, file.name, failed=failed, seen_at=arrival.first_seen_at)
    return await source.set_aside(file, target, if_taken=taken)


async def _move_done_file(loaded: LoadedFeed, source: Source, arrival: Arrival, *, failed: bool) -> None:
    files = loaded.feed.files
    name = files.done_name(arrival.name)
    if name is None or arrival.partition is None:
        return
    path = held_path(files.folders, arrival.partition, name)
    for found in await source.held(files.folders.processing):
        if found.held_as == path:
            file = Staged(name=name, held_as=path, version=found.file.version)
            await _move(loaded, source, file, arrival, failed=failed)


async def _written_to(source: Source, file: Staged, arrival: Arrival) -> str | None:
    if arrival.sha256 is None and arrival.packed_sha256 is None:
        return None
    try:
        now = await source.facts(file)
    except FileVanished:
        return None  # moved by an earlier try, or replaced by a file that is another arrival
    if now.facts == arrival.facts:
        return None
    return f"the sender wrote to {arrival.name} after it was read: {arrival.size} bytes then, {now.size} now"
