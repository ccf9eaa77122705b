"""One file run in this process, by its feed's own job, recorded in the instance as any run. Which files, and when, is
`poll`'s business."""

from dataclasses import dataclass

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
from import_project.defs.jobs import feed_job
from import_project.defs.limits import run_tags
from import_project.defs.partitions import partitions_name
from import_project.defs.resources import PartsResource
from import_project.defs.watch import tell_failed_run
from import_project.pipeline.parts import Parts
from import_project.pipeline.reports import duplicate_of
from import_project.pipeline.see import Request
from import_project.records.files import Arrival

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


def job_of(feed: LoadedFeed) -> dg.JobDefinition:
    """Build the job of a feed alone."""
    definitions = dg.Definitions(assets=feed_assets(feed), jobs=[feed_job(feed)], resources={"parts": PartsResource()})
    return definitions.resolve_job_def(f"{feed.name}_job")


def run_here(
    instance: dg.DagsterInstance, parts: Parts, feed: LoadedFeed, job: dg.JobDefinition, request: Request
) -> FileRun:
    """Run a file as the daemon would, with the same tags and the same origin, so that the UI can run it again."""
    arrival = parts.ledger.arrivals.of(feed.name, request.partition)
    if arrival.held(parts.clock()):
        return _elsewhere(feed.name, request, arrival)
    instance.add_dynamic_partitions(partitions_name(feed.name), [request.partition])
    tags = {**run_tags(feed, request.name), "dagster/run_key": request.key, "dagster/partition": request.partition}
    run = instance.create_run_for_job(
        job, run_config=_QUIET, tags={**job.run_tags, **tags}, remote_job_origin=_origin(job.name)
    )
    result = execute_run(InMemoryJob(job), run, instance)
    arrival = parts.ledger.arrivals.of(feed.name, request.partition)
    if not result.success and arrival.owner != run.run_id:
        return _elsewhere(feed.name, request, arrival)
    return FileRun(
        feed=feed.name,
        file=request.name,
        partition=request.partition,
        run=run.run_id,
        state=arrival.state.value,
        note=f"of {first.name}" if (first := duplicate_of(parts, arrival)) else "",
        success=result.success,
        error=None if result.success else tell_failed_run(instance, parts, run.run_id),
    )


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
