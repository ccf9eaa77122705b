"""Step 1: list a feed's inbox, compare it with the ledger, and say which files want a run. Nothing is downloaded."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from import_project.config.load import LoadedFeed
from import_project.config.patterns import matcher
from import_project.errors import SourceError, SourceUnreachable
from import_project.pipeline.aside import move_aside
from import_project.pipeline.compare import compare
from import_project.pipeline.parts import Parts
from import_project.records.files import Arrival

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
    parts: Parts,
    loaded: LoadedFeed,
    *,
    still_queued: Callable[[Arrival], bool] = lambda _: False,
    within: timedelta | None = None,
) -> Seen:
    """Poll one feed once; a source that takes longer than `within` is unreachable.

    `still_queued` tells whether a run asked for earlier is still going to start, so that it is not asked for twice.
    A listing that fails raises a SourceError; it never counts as an empty inbox. Only while files that have landed wait
    for a run is it a problem among others, for they need no source.
    """
    ledger, name = parts.ledger, loaded.name
    before = ledger.arrivals.unended(name)
    try:
        waiting, problems = await _look_within(parts, loaded, before, within)
    except SourceError as error:
        requests = _requests(parts, name, lambda a: a.sha256 is None or still_queued(a))
        if not requests:
            raise
        return Seen(requests=requests, waiting=0, problems=(str(error.at(feed=name)),))
    requests = _requests(parts, name, lambda a: a.requests > 0 and still_queued(a))
    return Seen(requests=requests, waiting=waiting, problems=tuple(problems))


async def _look_within(
    parts: Parts, loaded: LoadedFeed, before: list[Arrival], within: timedelta | None
) -> tuple[int, list[str]]:
    try:
        async with asyncio.timeout(within.total_seconds() if within else None):
            return await _look(parts, loaded, before)
    except TimeoutError:
        raise SourceUnreachable(
            f"the inbox was not listed within {within}", do="ask the partner, or raise its limits"
        ) from None


async def _look(parts: Parts, loaded: LoadedFeed, before: list[Arrival]) -> tuple[int, list[str]]:
    """List, move what is still to be set aside, and record what the listing means."""
    ledger, feed = parts.ledger, loaded.feed
    wanted = matcher(glob=feed.files.pattern.glob, regex=feed.files.pattern.regex)
    async with parts.open_source(loaded) as source:
        listing = await source.list(wanted)
        problems = [f"the name {name} is not safe to use; the file is left where it is" for name in listing.unsafe]
        for arrival in (a for a in before if a.aside_due and not a.held(parts.clock())):
            try:
                aside = await move_aside(parts, source, arrival)
                problems += [aside.problem] if aside.problem else []
            except SourceError as error:
                problems.append(str(error.at(feed=feed.feed, file=arrival.name)))
    known = {a.id: a for a in [*ledger.arrivals.named(feed.feed, [f.name for f in listing.files]), *before]}
    now = parts.clock()
    sightings = compare(
        listing.files,
        list(known.values()),
        looks=feed.files.looks,
        min_age=timedelta(seconds=feed.files.min_age_seconds),
        now=now,
    )
    ledger.arrivals.vanish(sightings.vanished)
    ledger.arrivals.look_again(sightings.same)
    ledger.arrivals.ready(sightings.ready)
    ledger.arrivals.see(feed.feed, sightings.new, now)
    ledger.arrivals.polled(feed.feed, listed=len(listing.files), now=now)
    return len(sightings.new) + len(sightings.same) - len(sightings.ready), problems


def _requests(parts: Parts, feed: str, skip: Callable[[Arrival], bool]) -> tuple[Request, ...]:
    """Ask for a run of each due file that need not be skipped."""
    now = parts.clock()
    due = [a for a in parts.ledger.arrivals.due(feed, now) if not skip(a)]
    parts.ledger.arrivals.requested([a.id for a in due], again_at=now + REQUEST_LASTS)
    return tuple(
        Request(partition=a.partition, key=f"{a.partition}#{a.requests + 1}", name=a.name) for a in due if a.partition
    )
