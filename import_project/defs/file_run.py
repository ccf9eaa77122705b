"""Files run in this process, by their feed's own jobs, recorded in the instance as any run. Which files, and when, is
`poll`'s business."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
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
    now = parts.clock()
    held = {r: a for r in together if (a := parts.ledger.arrivals.of(feed.name, r.partition)).held(now)}
    free = [r for r in together if r not in held]
    told = [_elsewhere(feed.name, request, arrival) for request, arrival in held.items()]
    if not free:
        return told
    instance.add_dynamic_partitions(partitions_name(feed.name), [r.partition for r in free])
    if len(free) == 1:
        tags = {**run_tags(feed, free[0].name), "dagster/partition": free[0].partition}
        run, failed = _run(instance, parts, jobs.one, tags | {"dagster/run_key": free[0].key}, {})
    else:
        config = burst_config(feed.name, [r.partition for r in free])
        run, failed = _run(instance, parts, jobs.several, burst_tags(feed, len(free)), config)
    return told + [_file_run(parts, feed.name, request, run, failed, several=len(free) > 1) for request in free]


def _run(
    instance: dg.DagsterInstance,
    parts: Parts,
    job: dg.JobDefinition,
    tags: Mapping[str, str],
    config: Mapping[str, Any],
) -> tuple[str, str | None]:
    """Run a job. Returns the run's id, and why it failed, which people are told of, if it did."""
    run = instance.create_run_for_job(
        job, run_config={**_QUIET, **config}, tags={**job.run_tags, **tags}, remote_job_origin=_origin(job.name)
    )
    if execute_run(InMemoryJob(job), run, instance).success:
        return run.run_id, None
    return run.run_id, tell_failed_run(instance, parts, run.run_id)


def _file_run(parts: Parts, feed: str, request: Request, run: str, failed: str | None, *, several: bool) -> FileRun:
    """Return how the run went for one of its files."""
    arrival = parts.ledger.arrivals.of(feed, request.partition)
    well = arrival.state.ended and arrival.state is not ArrivalState.FAILED if several else failed is None
    if not well and arrival.owner != run:
        return _elsewhere(feed, request, arrival)
    return FileRun(
        feed=feed,
        file=request.name,
        partition=request.partition,
        run=run,
        state=arrival.state.value,
        note=f"of {first.name}" if (first := duplicate_of(parts, arrival)) else "",
        success=well,
        error=None if well else (_reason(parts, arrival) if several else failed),
    )


def _reason(parts: Parts, arrival: Arrival) -> str:
    """Return why a file has not come to a good end, in a run of several."""
    outcome = parts.ledger.outcomes.of(arrival.feed, arrival.partition or "") if arrival.state.ended else None
    return (outcome.error if outcome is not None else arrival.error) or "a check that blocks has failed"


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


def not_run(feed: str, request: Request, told: str) -> FileRun:
    """Return the result of a file that Dagster could not run at all."""
    return FileRun(
        feed=feed, file=request.name, partition=request.partition, run="", state="not run", success=False, error=told
    )
