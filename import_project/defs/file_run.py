"""Files run in this process, by their feed's own jobs, recorded in the instance as any run. Which files, and when, is
`poll`'s business."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.code_pointer import CodePointer
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from import_project.config.load import LoadedFeed
from import_project.defs.assets import feed_assets
from import_project.defs.bursts import burst_config, burst_job, burst_name, burst_tags
from import_project.defs.jobs import feed_job
from import_project.defs.limits import run_tags
from import_project.defs.partitions import partitions_name
from import_project.defs.resources import PartsResource
from import_project.defs.watch import tell_failed_run
from import_project.pipeline.parts import Parts
from import_project.pipeline.reports import duplicate_of
from import_project.pipeline.see import Request
from import_project.records.files import Arrival, ArrivalState

_LOCATION = "import_project.definitions"
#: What Dagster says of a run is in the instance; the terminal is for what came of it.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRun:
    """How the run of a file went."""

    feed: str
    file: str
    partition: str
    run: str
    state: str
    success: bool
    error: str | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Jobs:
    """The jobs of a feed: that of one file, and that of several."""

    one: dg.JobDefinition
    several: dg.JobDefinition


def jobs_of(feed: LoadedFeed) -> Jobs:
    """Build the jobs of a feed alone."""
    definitions = dg.Definitions(
        assets=feed_assets(feed), jobs=[feed_job(feed), burst_job(feed)], resources={"parts": PartsResource()}
    )
    return Jobs(definitions.resolve_job_def(f"{feed.name}_job"), definitions.resolve_job_def(burst_name(feed.name)))


def run_here(
    instance: dg.DagsterInstance, parts: Parts, feed: LoadedFeed, jobs: Jobs, together: Sequence[Request]
) -> list[FileRun]:
    """Run a file, or several, as the daemon would, with the same tags and the same origin, so that the UI can run it
    again."""
    wanted = wanted_run(instance, parts, feed, jobs, together)
    execute_here(instance, wanted)
    return runs_told(instance, parts, feed, wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedRun:
    """A run that is recorded, and not begun; the files it is for, and those that another run holds already.

    Without a file there is no `run`.
    """

    job: dg.JobDefinition
    run: dg.DagsterRun | None
    files: tuple[Request, ...]
    held: Mapping[Request, Arrival]


def wanted_run(
    instance: dg.DagsterInstance, parts: Parts, feed: LoadedFeed, jobs: Jobs, together: Sequence[Request]
) -> WantedRun:
    """Record a run for a file, or for several."""
    now = parts.clock()
    held = {r: a for r in together if (a := parts.ledger.arrivals.of(feed.name, r.partition)).held(now)}
    free = tuple(r for r in together if r not in held)
    job, config = jobs.several if len(free) > 1 else jobs.one, dict[str, Any]()
    if not free:
        return WantedRun(job=job, run=None, files=free, held=held)
    instance.add_dynamic_partitions(partitions_name(feed.name), [r.partition for r in free])
    if len(free) == 1:
        tags = {**run_tags(feed, free[0].name), "dagster/partition": free[0].partition, "dagster/run_key": free[0].key}
    else:
        tags, config = burst_tags(feed, len(free)), burst_config(feed.name, [r.partition for r in free])
    run = instance.create_run_for_job(
        job,
        run_config={**_QUIET, **config},
        tags={**job.run_tags, **tags},
        remote_job_origin=_origin(job.name),
        job_code_origin=_code(job.name),
    )
    return WantedRun(job=job, run=run, files=free, held=held)


def execute_here(instance: dg.DagsterInstance, wanted: WantedRun) -> None:
    """Begin a run that is recorded, if there is one, and go with it to its end."""
    if wanted.run is not None:
        execute_run(InMemoryJob(wanted.job), wanted.run, instance)


def runs_told(instance: dg.DagsterInstance, parts: Parts, feed: LoadedFeed, wanted: WantedRun) -> list[FileRun]:
    """Return how a run that has ended went for each of its files. People are told when it failed."""
    told = [_elsewhere(feed.name, request, arrival) for request, arrival in wanted.held.items()]
    if wanted.run is None:
        return told
    run = instance.get_run_by_id(wanted.run.run_id)
    well = run is not None and run.is_success
    failed = None if well else tell_failed_run(instance, parts, wanted.run.run_id)
    several = len(wanted.files) > 1
    return told + [_file_run(parts, feed.name, one, wanted.run.run_id, failed, several=several) for one in wanted.files]


def _file_run(parts: Parts, feed: str, request: Request, run: str, failed: str | None, *, several: bool) -> FileRun:
    """Return how the run went for one of its files."""
    arrival = parts.ledger.arrivals.of(feed, request.partition)
    well = arrival.state.ended and arrival.state is not ArrivalState.FAILED if several else failed is None
    if not well and arrival.owner not in {run, None}:
        return _elsewhere(feed, request, arrival)
    return FileRun(
        feed=feed,
        file=request.name,
        partition=request.partition,
        run=run,
        state=arrival.state.value,
        note=f"of {first.name}" if (first := duplicate_of(parts, arrival)) else "",
        success=well,
        error=None if well else (_reason(parts, arrival, failed) if several else failed),
    )


def _reason(parts: Parts, arrival: Arrival, failed: str | None) -> str:
    """Return why a file has not come to a good end, in a run of several."""
    outcome = parts.ledger.outcomes.of(arrival.feed, arrival.partition or "") if arrival.state.ended else None
    own = outcome.error if outcome is not None else arrival.error
    return own or failed or "it was not begun"


def _elsewhere(feed: str, request: Request, arrival: Arrival) -> FileRun:
    """Return the result of a file that another run has taken in between: how it goes is told there."""
    return FileRun(
        feed=feed,
        file=request.name,
        partition=request.partition,
        run=arrival.owner or "",
        state=arrival.state.value,
        note="by another run",
        success=True,
        error=None,
    )


def _origin(job: str) -> RemoteJobOrigin:
    """Return where the UI's code location finds the job, as `workspace.yaml` names it."""
    place = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name=_LOCATION), location_name=_LOCATION)
    return RemoteRepositoryOrigin(place, "__repository__").get_job_origin(job)


def _code(job: str) -> JobPythonOrigin:
    """Return where another process of this machine finds the job."""
    pointer = CodePointer.from_module(_LOCATION, "definitions", str(Path.cwd()))
    repository = RepositoryPythonOrigin(sys.executable, pointer, entry_point=["dagster"])
    return JobPythonOrigin(job, repository)


def not_run(feed: str, request: Request, told: str) -> FileRun:
    """Return the result of a file that Dagster could not run at all."""
    return FileRun(
        feed=feed, file=request.name, partition=request.partition, run="", state="not run", success=False, error=told
    )
