"""One pass over all feeds without a daemon: each inbox is polled once, and each new file run here, in this process, by
the feed's own job, recorded in the instance as any run. When to pass again, and what is printed, is the caller's.
"""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
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

from import_project.config.load import BrokenFeed, LoadedFeed, load_feeds
from import_project.config.settings import Settings
from import_project.defs.alerts import alert
from import_project.defs.assets import feed_assets
from import_project.defs.jobs import feed_job
from import_project.defs.limits import run_tags
from import_project.defs.partitions import partitions_name
from import_project.defs.resources import PartsResource
from import_project.defs.retention import retire
from import_project.defs.runs import end_dead_runs, on_its_way
from import_project.defs.watch import tell_failed_run
from import_project.errors import ConfigError, ImportProjectError, NotDelivered, one_line
from import_project.logs import LOG, write_logs
from import_project.pipeline.alerts import send_waiting
from import_project.pipeline.alive import beat
from import_project.pipeline.expect import late_files
from import_project.pipeline.parts import Parts
from import_project.pipeline.see import Request, Seen, see
from import_project.pipeline.wiring import build_parts, channels_of

_LOCATION = "import_project.definitions"
#: What Dagster says of a run is in the instance; the terminal is for what came of it.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPolled:
    """How the poll of a feed went: how many files want a run, how many are not stable yet; `error`: why it failed."""

    feed: str
    wanted: int = 0
    waiting: int = 0
    problems: tuple[str, ...] = ()
    error: str | None = None


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


def open_instance() -> dg.DagsterInstance:
    """Open the instance that DAGSTER_HOME names. Raises ConfigError when there is none."""
    if not os.environ.get("DAGSTER_HOME"):
        raise ConfigError("DAGSTER_HOME is not set", do="name a folder with a copy of dagster.yaml")
    try:
        return dg.DagsterInstance.get()
    except dg.DagsterError as error:
        raise ConfigError(str(error)) from error


def one_pass(instance: dg.DagsterInstance, stopping: Callable[[], bool]) -> Iterator[FeedPolled | FileRun]:
    """Poll every feed and run its new files, telling each. Settings and feeds are read anew.

    A feed that fails disturbs no other. Once `stopping` says so, the file in hand is the last.
    """
    settings = Settings.read(os.environ)
    feeds, broken = load_feeds(settings.feeds, os.environ)
    write_logs(settings.log)
    parts = build_parts(settings, os.environ)
    try:
        for one in broken:
            yield _broken(parts, one)
        for feed in feeds:
            if stopping():
                return
            yield from _one_feed(instance, parts, feed, stopping)
        beat(parts)
        try:
            send_waiting(parts, channels_of(settings))
        except NotDelivered as error:  # they wait for the next pass; no file failed for it
            LOG.warning("alerts wait", extra={"fields": {"error": error.line}})
        retire(instance, parts, settings)
    finally:
        parts.close()


def _broken(parts: Parts, broken: BrokenFeed) -> FeedPolled:
    name = broken.path.stem
    _tell_failed(parts, name, broken.error.line)
    return FeedPolled(feed=name, error=broken.error.line)


def _one_feed(
    instance: dg.DagsterInstance, parts: Parts, feed: LoadedFeed, stopping: Callable[[], bool]
) -> Iterator[FeedPolled | FileRun]:
    try:
        end_dead_runs(instance, parts, feed.name)
        for late in late_files(parts, feed):
            alert(parts, late.key, late.text, {"feed": feed.name})
        seen = asyncio.run(see(parts, feed, on_its_way=on_its_way(instance, feed.name)))
    except Exception as error:  # noqa: BLE001 - whatever one feed does to us, the others go on
        told = error.at(feed=feed.name).line if isinstance(error, ImportProjectError) else _defect(error)
        _tell_failed(parts, feed.name, told)
        yield FeedPolled(feed=feed.name, error=told)
        return
    _tell_works(parts, feed.name)
    for problem in seen.problems:
        alert(parts, f"problem:{feed.name}:{problem}"[:255], f"{feed.name}: {problem}", {"feed": feed.name})
    yield _polled(feed.name, seen)
    if not seen.requests:
        return
    definition = _job(feed)
    for request in seen.requests:
        if stopping():
            return  # asked for again by the next pass
        try:
            yield _run(instance, parts, feed, definition, request)
        except Exception as error:  # noqa: BLE001 - as above; the file is asked for again by a later pass
            told = error.line if isinstance(error, ImportProjectError) else _defect(error)
            yield _not_run(feed.name, request, told)


def _defect(error: Exception) -> str:
    return f"{type(error).__name__}: {one_line(str(error))} (this is a defect of ours; please report it)"


def _not_run(feed: str, request: Request, told: str) -> FileRun:
    return FileRun(
        feed=feed, file=request.name, partition=request.partition, run="", state="not run", success=False, error=told
    )


def _polled(feed: str, seen: Seen) -> FeedPolled:
    return FeedPolled(feed=feed, wanted=len(seen.requests), waiting=seen.waiting, problems=seen.problems)


def _job(feed: LoadedFeed) -> dg.JobDefinition:
    definitions = dg.Definitions(assets=feed_assets(feed), jobs=[feed_job(feed)], resources={"parts": PartsResource()})
    return definitions.resolve_job_def(f"{feed.name}_job")


def _run(
    instance: dg.DagsterInstance, parts: Parts, feed: LoadedFeed, job: dg.JobDefinition, request: Request
) -> FileRun:
    """Run a file as the daemon would, with the same tags and the same origin, so that the UI can run it again."""
    instance.add_dynamic_partitions(partitions_name(feed.name), [request.partition])
    tags = {**run_tags(feed, request.name), "dagster/run_key": request.key, "dagster/partition": request.partition}
    run = instance.create_run_for_job(
        job, run_config=_QUIET, tags={**job.run_tags, **tags}, remote_job_origin=_origin(job.name)
    )
    result = execute_run(InMemoryJob(job), run, instance)
    error = None
    if not result.success:
        error = tell_failed_run(instance, parts, run.run_id)
    arrival = parts.ledger.arrivals.of(feed.name, request.partition)
    return FileRun(
        feed=feed.name,
        file=request.name,
        partition=request.partition,
        run=run.run_id,
        state=arrival.state.value,
        success=result.success,
        error=error,
    )


def _origin(job: str) -> RemoteJobOrigin:
    """Return where the UI's code location finds the job, as `workspace.yaml` names it."""
    place = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name=_LOCATION), location_name=_LOCATION)
    return RemoteRepositoryOrigin(place, "__repository__").get_job_origin(job)


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
