"""A worker of the front desk: runs the files that were handed in, one after the other, in this warm process, each by
its feed's own job, recorded in the instance as any run."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import dagster as dg

from import_project.config.load import LoadedFeed, load_feeds, stamp_of
from import_project.config.settings import Settings
from import_project.defs.file_run import FileRun, Jobs, jobs_of, run_here
from import_project.defs.resources import INTERRUPTS
from import_project.defs.runs import end_dead_runs
from import_project.errors import ImportProjectError, StoreError, one_line
from import_project.logs import LOG, write_logs
from import_project.pipeline.alive import DESK_WORKER
from import_project.pipeline.parts import Parts
from import_project.pipeline.see import Request
from import_project.pipeline.wiring import build_parts
from import_project.records.files import Arrival

_LOOK_SECONDS = 0.2
_BEAT_EVERY = timedelta(seconds=10)
_TAKEN_FOR = timedelta(seconds=10)  # longer than it takes to claim a file; a killed worker keeps it no longer


def work(instance: dg.DagsterInstance, stopping: Callable[[float], bool]) -> None:
    """Run what is handed in until `stopping`, which is given how long it may wait, says that it is enough.

    A feed that fails, or a ledger that does not answer, ends no worker.
    """
    settings = Settings.read(os.environ)
    write_logs(settings.log)
    parts = build_parts(settings, os.environ, interrupts=INTERRUPTS)
    feeds, looked_at, wait = _Feeds(settings), None, 0.0
    try:
        with _beating(parts):
            while not stopping(wait):
                wait = _LOOK_SECONDS
                try:
                    now = parts.clock()
                    if looked_at is None or now - looked_at >= _BEAT_EVERY:
                        feeds.end_dead(instance, parts)
                        looked_at = now
                    arrival = parts.ledger.jobs.take(now, again_at=now + _TAKEN_FOR)
                    if arrival is not None:
                        wait = 0.0
                        _run(instance, parts, feeds, arrival)
                except Exception as error:  # noqa: BLE001 - whatever one file does to us, the others go on
                    told = error.line if isinstance(error, ImportProjectError) else f"{type(error).__name__}: {error}"
                    LOG.error("a worker goes on", extra={"fields": {"error": one_line(told)}})
                    wait = 1.0
    finally:
        parts.close()


@contextmanager
def _beating(parts: Parts) -> Iterator[None]:
    """Say again and again, from a thread, that the worker lives: a file may take long."""
    done = threading.Event()

    def beat() -> None:
        while True:
            with suppress(StoreError):
                parts.ledger.heartbeats.beat(DESK_WORKER, parts.clock())
            if done.wait(_BEAT_EVERY.total_seconds()):
                return

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _run(instance: dg.DagsterInstance, parts: Parts, feeds: "_Feeds", arrival: Arrival) -> FileRun | None:
    found = feeds.of(arrival.feed)
    if found is None:
        LOG.warning("a file waits for its feed", extra={"fields": {"feed": arrival.feed, "file": arrival.name}})
        return None
    partition = arrival.partition or ""
    request = Request(partition=partition, key=f"{partition}#{arrival.requests + 1}", name=arrival.name)
    return run_here(instance, parts, found[0], found[1], [request])[0]


class _Feeds:
    """Feeds with their jobs, built once for each state of their files."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stamp: object = None
        self._feeds: dict[str, LoadedFeed] = {}
        self._jobs: dict[str, Jobs] = {}

    def of(self, name: str) -> tuple[LoadedFeed, Jobs] | None:
        """Return a feed and its jobs; None when there is no such feed that can be used."""
        stamp = stamp_of(self._settings.feeds)
        if stamp != self._stamp:
            feeds, _ = load_feeds(self._settings.feeds, os.environ)
            self._feeds, self._jobs, self._stamp = {f.name: f for f in feeds}, {}, stamp
        feed = self._feeds.get(name)
        if feed is None:
            return None
        if name not in self._jobs:
            self._jobs[name] = jobs_of(feed)
        return feed, self._jobs[name]

    def end_dead(self, instance: dg.DagsterInstance, parts: Parts) -> None:
        """End runs of killed workers in Dagster, of the feeds that this one has worked for."""
        for name in self._jobs:
            end_dead_runs(instance, parts, name)
