"""One sensor for each feed: list, compare, request. A tick downloads nothing, and the ledger decides what is new; run
keys and partitions only wake work up."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from import_project.config.load import BrokenFeed, LoadedFeed
from import_project.defs.alerts import alert
from import_project.defs.partitions import partitions_of
from import_project.errors import FileVanished
from import_project.pipeline.parts import Parts
from import_project.pipeline.see import see
from import_project.records.files import Arrival

#: Dagster gives up on a tick after 60 seconds, but its function goes on and would overlap the next.
_LONGEST_POLL = timedelta(seconds=50)
_SURELY_CLAIMED = timedelta(minutes=1)


def feed_sensor(loaded: LoadedFeed, job: UnresolvedAssetJobDefinition) -> dg.SensorDefinition:
    """Return the sensor that watches a feed's inbox."""

    @dg.sensor(
        name=f"{loaded.name}_sensor",
        job=job,
        minimum_interval_seconds=loaded.feed.poll.every_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Watches the inbox of {loaded.name} and launches a run for each new file",
    )
    def watch(context: dg.SensorEvaluationContext, parts: dg.ResourceParam[Parts]) -> dg.SensorResult | dg.SkipReason:
        end_dead_runs(context.instance, parts, loaded.name)
        queued = _still_queued(context.instance, job.name)
        seen = asyncio.run(see(parts, loaded, still_queued=queued, within=_LONGEST_POLL))
        for problem in seen.problems:
            context.log.error(problem)
            alert(parts, f"problem:{loaded.name}:{problem}"[:255], f"{loaded.name}: {problem}", {"feed": loaded.name})
        if not seen.requests:
            return dg.SkipReason(f"nothing new; {seen.waiting} files wait to be stable")
        keys = [r.partition for r in seen.requests]
        missing = [k for k in keys if not context.instance.has_dynamic_partition(f"{loaded.name}_files", k)]
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(run_key=r.key, partition_key=r.partition, tags={"feed": loaded.name, "file": r.name})
                for r in seen.requests
            ],
            dynamic_partitions_requests=[partitions_of(loaded.name).build_add_request(missing)] if missing else [],
        )

    return watch


def _still_queued(instance: dg.DagsterInstance, job: str) -> Callable[[Arrival], bool]:
    """Tell whether a run for an arrival is on its way and will claim it."""
    on_its_way = [
        dg.DagsterRunStatus.QUEUED,
        dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
    ]

    def still_queued(arrival: Arrival) -> bool:
        tags = {"dagster/partition": arrival.partition or ""}
        return instance.get_runs_count(dg.RunsFilter(job_name=job, tags=tags, statuses=on_its_way)) > 0

    return still_queued


def end_dead_runs(instance: dg.DagsterInstance, parts: Parts, feed: str) -> int:
    """End the runs of killed processes in Dagster, where they stand as started for ever and hold a place in the queue.

    A run that lives holds its file, but while it waits to try a step again. So one that started a while ago, and whose
    file no run holds and no retry waits for, is dead; and so is one whose own claim has lapsed. Returns how many were
    ended.
    """
    now, ended = parts.clock(), 0
    started = dg.RunsFilter(tags={"feed": feed}, statuses=[dg.DagsterRunStatus.STARTED])
    for record in instance.get_run_records(started, limit=100):
        run = record.dagster_run
        try:
            arrival = parts.ledger.arrivals.of(feed, run.tags.get("dagster/partition", ""))
        except FileVanished:
            continue
        if arrival.held(now) or (arrival.retry_at is not None and arrival.retry_at > now):
            continue
        lapsed = run.run_id == arrival.owner and arrival.lease_until is not None
        if lapsed or now.timestamp() - (record.start_time or now.timestamp()) > _SURELY_CLAIMED.total_seconds():
            instance.report_run_failed(run, message="the run's process is gone: it no longer holds its file")
            ended += 1
    return ended


def broken_feed_sensor(broken: BrokenFeed) -> dg.SensorDefinition:
    """Return a sensor that fails with what is wrong in a feed file: seen in the UI, and alerted like any other."""

    @dg.sensor(
        name=f"{''.join(c if c.isalnum() else '_' for c in broken.path.stem)}_sensor",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"{broken.path.name} cannot be used: {broken.error.what}",
    )
    def refuse(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        raise broken.error

    return refuse
