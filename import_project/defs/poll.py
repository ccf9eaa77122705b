"""One pass over all feeds without a daemon: each inbox is polled once, and each new file run here, in this process, by
the feed's own job, recorded in the instance as any run. When to pass again, and what is printed, is the caller's.
"""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import dagster as dg

from import_project.config.load import BrokenFeed, LoadedFeed, load_feeds
from import_project.config.settings import Settings
from import_project.defs.alerts import alert
from import_project.defs.bursts import bursts_of
from import_project.defs.file_run import FileRun, Jobs, jobs_of, not_run, run_here
from import_project.defs.instance import told_by_dagster
from import_project.defs.resources import INTERRUPTS
from import_project.defs.retention import retire
from import_project.defs.runs import end_dead_runs, on_its_way
from import_project.defs.side_by_side import SideBySide, worth_it
from import_project.defs.watch import tell_paused_apis
from import_project.errors import ConfigError, StoreError
from import_project.logs import LOG, write_logs
from import_project.pipeline.alerts import send_waiting
from import_project.pipeline.alive import beat
from import_project.pipeline.expect import late_files
from import_project.pipeline.older_ledger import tell_older_ledger
from import_project.pipeline.parts import Parts
from import_project.pipeline.see import Request, Seen, see
from import_project.pipeline.wiring import build_parts, channels_of


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPolled:
    """How the poll of a feed went: how many files want a run, how many of them once `more`, how many are not stable
    yet; `error`: why it failed. `left` of them were not begun, for the pass was told to end."""

    feed: str
    wanted: int = 0
    more: int = 0
    waiting: int = 0
    left: int = 0
    problems: tuple[str, ...] = ()
    error: str | None = None


def one_pass(
    instance: dg.DagsterInstance, stopping: Callable[[], bool], *, every: float | None = None
) -> Iterator[FeedPolled | FileRun]:
    """Poll every feed and run its new files, telling each. Settings and feeds are read anew.

    A feed that fails disturbs no other. Once `stopping` says so, the file in hand is the last. `every` is how many
    seconds after this pass the next one begins. Raises ConfigError when there is no feed at all.
    """
    settings = Settings.read(os.environ)
    feeds, broken = load_feeds(settings.feeds, os.environ)
    if not feeds and not broken:
        raise ConfigError(f"there is no feed in {settings.feeds}", do="set IMPORT_PROJECT_FEEDS, or write one")
    write_logs(settings.log)
    again_in = None if every is None else timedelta(seconds=every)
    parts = build_parts(settings, os.environ, interrupts=INTERRUPTS)
    try:
        beat(parts, again_in)
        for one in broken:
            yield _broken(parts, one)
        with SideBySide(instance, parts) as side_by_side:
            for feed in feeds:
                if stopping():
                    return
                for told in _one_feed(instance, parts, feed, side_by_side, stopping):
                    yield told
                    beat(parts, again_in)
        _afterwards(instance, parts, settings)
        beat(parts, again_in)
    finally:
        parts.close()


def _afterwards(instance: dg.DagsterInstance, parts: Parts, settings: Settings) -> None:
    """Do what the daemon's other sensors do. Nothing here fails a pass: no file failed for it, and the next one does it
    again."""

    def told() -> None:
        tell_paused_apis(parts)
        tell_older_ledger(parts)
        send_waiting(parts, channels_of(settings))

    for do in (told, lambda: retire(instance, parts, settings)):
        try:
            do()
        except Exception as error:  # noqa: BLE001 - it is logged, and met again by the next pass
            LOG.warning("left for the next pass", extra={"fields": {"error": told_by_dagster(error).line}})


def _broken(parts: Parts, broken: BrokenFeed) -> FeedPolled:
    name = broken.name
    _tell_failed(parts, name, broken.error.line)
    return FeedPolled(feed=name, error=broken.error.line)


def _one_feed(
    instance: dg.DagsterInstance,
    parts: Parts,
    feed: LoadedFeed,
    side_by_side: SideBySide,
    stopping: Callable[[], bool],
) -> Iterator[FeedPolled | FileRun]:
    """Poll a feed and run its new files; once more as long as its own limit, or its order, holds files back."""
    tried = set[str]()
    while not stopping() or not tried:
        try:
            jobs = jobs_of(feed)
            end_dead_runs(instance, parts, feed.name)
            missed = [] if tried else _late(parts, feed)
            seen = asyncio.run(see(parts, feed, on_its_way=on_its_way(instance, feed.name)))
            _tell_works(parts, feed.name)
            for problem in seen.problems:
                alert(parts, f"problem:{feed.name}:{problem}"[:255], f"{feed.name}: {problem}", {"feed": feed.name})
        except Exception as error:  # noqa: BLE001 - whatever one feed does to us, the others go on
            told = told_by_dagster(error).at(feed=feed.name).line
            with suppress(StoreError):
                _tell_failed(parts, feed.name, told)
            yield FeedPolled(feed=feed.name, error=told)
            return
        requests = [r for r in seen.requests if r.partition not in tried]
        if not tried or requests:
            yield _polled(feed.name, seen)
        yield from missed
        yield from _runs(instance, parts, feed, jobs, requests, side_by_side, stopping)
        tried |= {r.partition for r in requests}
        if not requests or (feed.feed.files.order != "fifo_by_name" and len(requests) < feed.feed.files.limit_per_poll):
            return


def _runs(
    instance: dg.DagsterInstance,
    parts: Parts,
    feed: LoadedFeed,
    jobs: Jobs,
    requests: Sequence[Request],
    side_by_side: SideBySide,
    stopping: Callable[[], bool],
) -> Iterator[FeedPolled | FileRun]:
    left = bursts_of(feed, requests)
    if worth_it(left):
        try:
            yield from side_by_side.run(feed, jobs, left, stopping)
        except Exception as error:  # noqa: BLE001 - as above
            yield FeedPolled(feed=feed.name, error=told_by_dagster(error).line)
    while left and not stopping():
        together = left.pop(0)
        try:
            yield from run_here(instance, parts, feed, jobs, together)
        except Exception as error:  # noqa: BLE001 - as above; the files are asked for again by a later pass
            told = told_by_dagster(error)
            with suppress(StoreError):
                if told.retry:
                    parts.ledger.arrivals.not_requested(feed.name, [request.partition for request in together])
            yield from (not_run(feed.name, request, told.line) for request in together)
    if left:  # told to end: the next pass, or whoever else polls, takes them at once
        partitions = [request.partition for together in left for request in together]
        parts.ledger.arrivals.not_requested(feed.name, partitions)
        yield FeedPolled(feed=feed.name, left=len(partitions))


def _late(parts: Parts, feed: LoadedFeed) -> list[FileRun]:
    """Tell of late and missed files. Returns a failure for each that the feed wants to fail for, once."""
    failed = []
    for late in late_files(parts, feed):
        if late.fails and not parts.ledger.alerts.known(late.key):
            failed.append(
                FileRun(feed=feed.name, file="-", partition="", run="", state="missed", success=False, error=late.text)
            )
        alert(parts, late.key, late.text, {"feed": feed.name})
    return failed


def _polled(feed: str, seen: Seen) -> FeedPolled:
    more = sum(request.more for request in seen.requests)
    return FeedPolled(feed=feed, wanted=len(seen.requests), more=more, waiting=seen.waiting, problems=seen.problems)


def _tell_failed(parts: Parts, feed: str, told: str) -> None:
    """Tell of a feed that cannot be polled, once until it could be."""
    last = parts.ledger.heartbeats.last(_sign(feed))
    alert(parts, _outage(feed, last), f"{feed} cannot be polled: {told}", {"feed": feed})


def _tell_works(parts: Parts, feed: str) -> None:
    outage = _outage(feed, parts.ledger.heartbeats.last(_sign(feed)))
    if parts.ledger.alerts.known(outage):
        alert(parts, f"recovered:{outage}", f"{feed} can be polled again", {"feed": feed})
    parts.ledger.heartbeats.beat(_sign(feed), parts.clock())


def _sign(feed: str) -> str:
    return f"poll:{feed}"


def _outage(feed: str, last: object) -> str:
    return f"unpolled:{feed}:{last}"


def exit_code(told: Sequence[FeedPolled | FileRun]) -> int:
    """Return 2 when a feed could not be polled, else 1 when a file failed, else 0."""
    if any(isinstance(one, FeedPolled) and one.error for one in told):
        return 2
    return 1 if any(isinstance(one, FileRun) and not one.success for one in told) else 0
