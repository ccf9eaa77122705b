"""Step 1: list a feed's inbox, compare it with the ledger, and say which files want a run. Nothing is downloaded."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

from import_project.config.load import LoadedFeed
from import_project.config.sources import LocalFolder
from import_project.errors import ImportProjectError, LoginSpared, SourceError, SourceUnreachable, StoreError
from import_project.pipeline.compare import Steady, compare
from import_project.pipeline.logins import lasting, opened
from import_project.pipeline.order import pick
from import_project.pipeline.parts import Parts
from import_project.pipeline.tidy import tidy
from import_project.records.files import Arrival, ArrivalState, Listed
from import_project.sources.base import Source

REQUEST_LASTS = timedelta(seconds=60)
_SHOWN = 5
_SOON = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A run that is wanted for a file of `size` bytes; `key` is another one each time it is wanted once `more`."""

    partition: str
    key: str
    name: str
    more: bool = False
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one poll found: runs to ask for, how many files are not ready yet, `new` ones of them never seen before, and
    what a person should look at."""

    requests: tuple[Request, ...]
    waiting: int
    new: int = 0
    problems: tuple[str, ...]


async def see(
    parts: Parts, loaded: LoadedFeed, *, on_its_way: Collection[str] = (), within: timedelta | None = None
) -> Seen:
    """Poll one feed once; a source that takes longer than `within` is unreachable.

    `on_its_way` are the partitions for which a run is queued or has started, so that none is asked for twice. A listing
    that fails raises a SourceError; it never counts as an empty inbox. Only while files that have landed wait for a run
    is it a problem among others, for they need no source.
    """
    try:
        looked = await _poll(parts, loaded, within)
    except ImportProjectError as error:
        with suppress(StoreError):
            if not isinstance(error, LoginSpared):  # why it was refused is known, and says more
                parts.ledger.sightings.poll_failed(loaded.name, error.at(feed=loaded.name).line, parts.clock())
        if not isinstance(error, SourceError):
            raise
        landed = _requests(parts, loaded, on_its_way, lambda a: a.sha256 is not None)
        if not landed:
            raise
        return Seen(requests=landed, waiting=0, problems=(lasting(parts, loaded, error),))
    requests = _requests(parts, loaded, on_its_way, lambda _: True, growing=looked.growing)
    return Seen(requests=requests, waiting=looked.waiting, new=looked.new, problems=looked.problems)


async def see_soon(
    parts: Parts, loaded: LoadedFeed, *, on_its_way: Collection[str] = (), within: timedelta | None = None
) -> Seen:
    """Poll as `see` does; where that found only files that are new, look once more as soon as a second look counts.

    So a file need not wait for the next poll. An inbox that is polled seldom is not waited for, nor is a file that has
    to stand longer. Both looks together take no longer than `within`.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    seen = await see(parts, loaded, on_its_way=on_its_way, within=within)
    files, soon = loaded.feed.files, loaded.feed.every_seconds / 2
    if seen.requests or not seen.new or soon > _SOON or files.looks != 2 or files.min_age_seconds > soon:
        return seen
    await parts.sleep(soon)
    left = None if within is None else within - timedelta(seconds=loop.time() - began)
    if left is not None and left <= timedelta():
        return seen
    again = await see(parts, loaded, on_its_way=on_its_way, within=left)
    return replace(again, problems=tuple(dict.fromkeys((*seen.problems, *again.problems))))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    waiting: int
    new: int
    growing: tuple[str, ...]
    problems: tuple[str, ...]


async def _poll(parts: Parts, loaded: LoadedFeed, within: timedelta | None) -> _Looked:
    """List within the time that is given, then tidy up within its own."""
    before = parts.ledger.sightings.unended(loaded.name)
    wanted = loaded.feed.files.pattern.matcher(parts.clock())
    listed = False
    try:
        async with asyncio.timeout(within.total_seconds() if within else None) as limit:
            async with opened(parts, loaded) as source:
                looked = await _look(parts, loaded, source, before)
                listed = True
                limit.reschedule(None)
                problems = await tidy(parts, loaded, source, before, wanted)
    except TimeoutError:
        raise SourceUnreachable(
            f"the inbox was not listed within {within}", do="ask the partner, or raise its limits"
        ) from None
    except SourceError as error:
        if not listed:
            raise
        problems = [str(error.at(feed=loaded.name))]  # the goodbye failed
    return replace(looked, problems=(*looked.problems, *problems))


async def _look(parts: Parts, loaded: LoadedFeed, source: Source, before: Sequence[Arrival]) -> _Looked:
    """List, and record what the listing means."""
    ledger, files, feed = parts.ledger.sightings, loaded.feed.files, loaded.name
    wanted = files.pattern.matcher(parts.clock())
    waiting = {a.name for a in before if not a.state.ended}  # taken already, whatever the pattern says by now
    listing = await source.list(lambda name: wanted(name) or name in waiting or files.is_done_file(name))
    data = [f for f in listing.files if not files.is_done_file(f.name)]
    now = parts.clock()
    known = _known(parts, loaded, data, before)
    steady = await _steady(loaded, source, listing.files, known, now)
    found = compare(known.fresh, known.arrivals, steady, now)
    ledger.vanish(found.vanished)
    ledger.miss(found.missing)
    ledger.look_again(found.same, now)
    ledger.ready(found.ready)
    ledger.see(feed, found.new, now)
    ledger.polled(feed, listed=len(data), now=now)
    settled = {arrival_id for arrival_id, _ in found.ready} | {*found.vanished}
    growing = [a.name for a in known.arrivals if a.state is ArrivalState.SEEN and not a.stray and a.id not in settled]
    fresh = [f.name for f, _, partition in found.new if partition is None]
    return _Looked(waiting=found.waiting, new=len(fresh), growing=(*growing, *fresh), problems=_unsafe(listing.unsafe))


def _unsafe(names: Sequence[str]) -> tuple[str, ...]:
    """Tell unsafe names as one problem."""
    if not names:
        return ()
    shown = ", ".join(sorted(names)[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return (f"not safe to use, and left where they are: {len(names)} files, such as {shown}",)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """The listed files that need a look, and what the ledger knows of their like."""

    fresh: list[Listed]
    arrivals: list[Arrival]


def _known(parts: Parts, loaded: LoadedFeed, data: list[Listed], before: Iterable[Arrival]) -> _Known:
    """Where files stay, those that ended are left out at once: an inbox of many thousands is compared as a set, and one
    that is as it was when all of it had ended need not be compared again, for an end is for good."""
    fresh, ledger = data, parts.ledger.sightings
    if loaded.feed.source.read_only:
        digest = _digest(data)
        if digest == ledger.all_ended(loaded.name):
            fresh = []
        else:
            ended = ledger.ended(loaded.name)
            fresh = [f for f in data if f not in ended]
            if not fresh:
                ledger.note_all_ended(loaded.name, digest)
    named = ledger.named(loaded.name, [f.name for f in fresh])
    known = {a.id: a for a in [*named, *before]}
    return _Known(fresh=fresh, arrivals=list(known.values()))


def _digest(data: Iterable[Listed]) -> str:
    """Return what tells a whole listing from any other; in another order it is another."""
    lines = "\n".join(f"{f.name}\0{f.size}\0{f.mtime.timestamp():.0f}\0{f.version}" for f in data)
    return sha256(lines.encode()).hexdigest()


async def _steady(loaded: LoadedFeed, source: Source, listed: Iterable[Listed], known: _Known, now: datetime) -> Steady:
    """Say when a file of this feed counts as whole; one that a writer holds open is asked about only if it would."""
    files = loaded.feed.files
    names = {f.name: f.mtime for f in listed}

    def finished(name: str) -> bool:
        done_file = files.done_name(name)
        if done_file is None or not loaded.feed.source.read_only:
            return done_file is None or done_file in names
        # Where nothing is moved, the done-file of the file before may still lie there.
        return done_file in names and names[done_file] >= names.get(name, names[done_file])

    steady = Steady(
        looks=files.looks,
        min_age=timedelta(seconds=files.min_age_seconds),
        apart=timedelta(seconds=loaded.feed.every_seconds / 2),
        finished=finished,
        stays=loaded.feed.source.read_only,
    )
    if isinstance(loaded.feed.source, LocalFolder) and loaded.feed.source.write_lease:
        would = compare(known.fresh, known.arrivals, steady, now)
        names_of = {a.id: a.name for a in known.arrivals}
        asked = [names_of[i] for i, _ in would.ready] + [f.name for f, _, partition in would.new if partition]
        written = {name for name in asked if await source.being_written(name)}
        return replace(steady, finished=lambda name: finished(name) and name not in written)
    return steady


def _requests(
    parts: Parts,
    loaded: LoadedFeed,
    on_its_way: Collection[str],
    eligible: Callable[[Arrival], bool],
    growing: Collection[str] = (),
) -> tuple[Request, ...]:
    """Ask for runs, in the feed's order and within its limit."""
    now, files = parts.clock(), loaded.feed.files
    waiting = [a for a in parts.ledger.arrivals.unfinished(loaded.name) if eligible(a)]
    held_back = () if files.done_file else growing
    picked = pick(
        waiting, order=files.order, limit=files.limit_per_poll, on_its_way=on_its_way, now=now, growing=held_back
    )
    parts.ledger.arrivals.requested([a.id for a in picked], again_at=now + REQUEST_LASTS)
    return tuple(
        Request(partition=part, key=f"{part}#{a.requests + 1}", name=a.name, more=a.owner is not None, size=a.size)
        for a in picked
        if (part := a.partition)
    )
