"""Step 1: list a feed's inbox, compare it with the ledger, and say which files want a run. Nothing is downloaded."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from import_project.config.load import LoadedFeed
from import_project.config.sources import LocalFolder
from import_project.errors import SourceError, SourceUnreachable
from import_project.pipeline.aside import move_aside
from import_project.pipeline.compare import Steady, compare, occurrence
from import_project.pipeline.order import pick
from import_project.pipeline.parts import Parts
from import_project.pipeline.strays import compare_strays
from import_project.records.files import Arrival, ArrivalState, Listed
from import_project.sources.base import Source

REQUEST_LASTS = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A run that is wanted for a file; `key` is another one each time it is wanted again."""

    partition: str
    key: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one poll found: runs to ask for, how many files are not ready yet, and what a person should look at."""

    requests: tuple[Request, ...]
    waiting: int
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
        looked = await _look_within(parts, loaded, within)
    except SourceError as error:
        landed = _requests(parts, loaded, on_its_way, lambda a: a.sha256 is not None)
        if not landed:
            raise
        return Seen(requests=landed, waiting=0, problems=(str(error.at(feed=loaded.name)),))
    requests = _requests(parts, loaded, on_its_way, lambda _: True, growing=looked.growing)
    return Seen(requests=requests, waiting=looked.waiting, problems=looked.problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    waiting: int
    growing: tuple[str, ...]
    problems: tuple[str, ...]


async def _look_within(parts: Parts, loaded: LoadedFeed, within: timedelta | None) -> _Looked:
    try:
        async with asyncio.timeout(within.total_seconds() if within else None):
            return await _look(parts, loaded)
    except TimeoutError:
        raise SourceUnreachable(
            f"the inbox was not listed within {within}", do="ask the partner, or raise its limits"
        ) from None


async def _look(parts: Parts, loaded: LoadedFeed) -> _Looked:
    """List, move what is still to be set aside, and record what the listing means."""
    ledger, files, feed = parts.ledger.sightings, loaded.feed.files, loaded.name
    before = ledger.unended(feed)
    wanted = files.pattern.matcher(parts.clock())
    async with parts.open_source(loaded) as source:
        listing = await source.list(lambda name: wanted(name) or files.is_done_file(name))
        problems = [f"the name {name} is not safe to use; the file is left where it is" for name in listing.unsafe]
        problems += await _move_the_ended(parts, loaded, source, before)
        data = [f for f in listing.files if not files.is_done_file(f.name)]
        now = parts.clock()
        known = _known(parts, loaded, data, before)
        steady = await _steady(loaded, source, listing.files, known, now)
        found = compare(known.fresh, known.arrivals, steady, now)
        if not loaded.feed.source.read_only:
            await _look_for_strays(parts, loaded, source, before, wanted)
    ledger.vanish(found.vanished)
    ledger.miss(found.missing)
    ledger.look_again(found.same, now)
    ledger.ready(found.ready)
    ledger.see(feed, found.new, now)
    ledger.polled(feed, listed=len(data), now=now)
    ready = {arrival_id for arrival_id, _ in found.ready}
    growing = [a.name for a in known.arrivals if a.state is ArrivalState.SEEN and a.id not in ready | {*found.vanished}]
    growing += [f.name for f, _, partition in found.new if partition is None]
    return _Looked(waiting=found.waiting, growing=tuple(growing), problems=tuple(problems))


async def _move_the_ended(parts: Parts, loaded: LoadedFeed, source: Source, before: Iterable[Arrival]) -> list[str]:
    problems = []
    for arrival in (a for a in before if a.aside_due and not a.held(parts.clock())):
        try:
            aside = await move_aside(parts, loaded, source, arrival)
            problems += [aside.problem] if aside.problem else []
        except SourceError as error:
            problems.append(str(error.at(feed=loaded.name, file=arrival.name)))
    return problems


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """The listed files that need a look, and what the ledger knows of their like."""

    fresh: list[Listed]
    arrivals: list[Arrival]


def _known(parts: Parts, loaded: LoadedFeed, data: list[Listed], before: Iterable[Arrival]) -> _Known:
    """Where files stay, those that ended are left out at once: an inbox of many thousands is compared as a set."""
    fresh = data
    if loaded.feed.source.read_only:
        ended = parts.ledger.sightings.ended(loaded.name)
        fresh = [f for f in data if f not in ended]
    named = parts.ledger.sightings.named(loaded.name, [f.name for f in fresh])
    known = {a.id: a for a in [*named, *before]}
    strays = {a.id for a in known.values() if a.claimed_as and a.state is ArrivalState.SEEN}
    return _Known(fresh=fresh, arrivals=[a for a in known.values() if a.id not in strays])


async def _steady(loaded: LoadedFeed, source: Source, listed: Iterable[Listed], known: _Known, now: datetime) -> Steady:
    """Say when a file of this feed counts as whole; one that a writer holds open is asked about only if it would."""
    files = loaded.feed.files
    names = {f.name for f in listed}

    def finished(name: str) -> bool:
        done_file = files.done_name(name)
        return done_file is None or done_file in names

    steady = Steady(
        looks=files.looks,
        min_age=timedelta(seconds=files.min_age_seconds),
        apart=timedelta(seconds=loaded.feed.poll.every_seconds / 2),
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


async def _look_for_strays(
    parts: Parts, loaded: LoadedFeed, source: Source, before: Iterable[Arrival], wanted: Callable[[str], bool]
) -> None:
    """Find what stands claimed and is nobody's; one that stays so becomes ours."""
    ledger, files, now = parts.ledger.sightings, loaded.feed.files, parts.clock()
    found = await source.held(files.folders.processing)
    known = [a for a in before if a.claimed_as and a.state is ArrivalState.SEEN]
    strays = compare_strays(
        found,
        known,
        owned=ledger.owned([c.held_as for c in found]),
        wanted=wanted,
        after=timedelta(seconds=files.adopt_after_seconds),
        now=now,
    )
    ledger.vanish(strays.gone)
    ledger.adopt(strays.adopt)
    if strays.new:
        namesakes = ledger.named(loaded.name, [file.name for file, _ in strays.new])
        ledger.see_stray(loaded.name, [(f, occurrence(f, namesakes), path) for f, path in strays.new], now)


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
        Request(partition=a.partition, key=f"{a.partition}#{a.requests + 1}", name=a.name)
        for a in picked
        if a.partition
    )
