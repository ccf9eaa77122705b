"""Runs of several files in processes of their own, as many at once as there are processors: what a pass without a
daemon does with a flood of small files."""

import os
import queue
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Self

import dagster as dg
from dagster._serdes import serialize_value

from import_project.config.load import LoadedFeed
from import_project.defs.file_run import FileRun, Jobs, WantedRun, execute_here, runs_told, wanted_run
from import_project.defs.warm import NotForked, WarmProcess
from import_project.defs.worker import Worker, report_end
from import_project.pipeline.parts import Parts
from import_project.pipeline.see import Request

_MOST = min(5, (os.cpu_count() or 1) + 1)  # one waits for a disk or an API
_KILLED = -9


def worth_it(groups: Sequence[Sequence[Request]]) -> bool:
    """Whether there is work for several processes: starting the first costs some seconds."""
    return sys.platform == "linux" and sum(len(together) > 1 for together in groups) > 1


class SideBySide:
    """Processes for the runs of one pass, forked from a warm one that is started when it is first needed."""

    def __init__(self, instance: dg.DagsterInstance, parts: Parts) -> None:
        self._instance, self._parts = instance, parts
        self._ended = queue.SimpleQueue[tuple[str, int]]()
        self._warm: WarmProcess | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._warm is not None:
            self._warm.leave()

    def run(
        self, feed: LoadedFeed, jobs: Jobs, groups: list[tuple[Request, ...]], stopping: Callable[[], bool]
    ) -> Iterator[FileRun]:
        """Run all groups, taking each off the list as it is begun, until `stopping` says so; tell each file when its
        run has ended."""
        under_way: dict[str, WantedRun] = {}
        while under_way or (groups and not stopping()):
            while groups and len(under_way) < _MOST and not stopping():
                wanted = wanted_run(self._instance, self._parts, feed, jobs, groups.pop(0))
                if wanted.run is not None and self._fork(wanted.run):
                    under_way[wanted.run.run_id] = wanted
                else:
                    execute_here(self._instance, wanted)
                    yield from runs_told(self._instance, self._parts, feed, wanted)
            for run_id in self._some_ended(under_way):
                yield from runs_told(self._instance, self._parts, feed, under_way.pop(run_id))

    def _fork(self, run: dg.DagsterRun) -> bool:
        """Fork a run. Returns whether it was."""
        origin = serialize_value(run.job_code_origin)
        if self._warm is None or not self._warm.lives:
            self._warm = WarmProcess(origin, lambda run_id, status: self._ended.put((run_id, status)))
        try:
            self._warm.fork(run.run_id, serialize_value(self._instance.get_ref()), origin)
        except NotForked as why:
            self._instance.report_engine_event(f"Not forked: {why}", run)
            return False
        return True

    def _some_ended(self, under_way: Sequence[str] | dict[str, WantedRun]) -> list[str]:
        """Wait for a run's end. Returns the runs that have ended."""
        try:
            run_id, status = self._ended.get(timeout=1.0)
        except queue.Empty:
            if self._warm is None or self._warm.lives:
                return []
            gone = [one for one in under_way if not self._goes_on(one)]  # nobody is left to tell of them
            for one in gone:
                report_end(self._instance, one, _KILLED)
            return gone
        report_end(self._instance, run_id, status)
        return [run_id] if run_id in under_way else []

    def _goes_on(self, run_id: str) -> bool:
        run = self._instance.get_run_by_id(run_id)
        worker = Worker.of(run) if run is not None else None
        return worker is not None and worker.alive
