"""One sensor for each feed: list, compare, request. A tick downloads nothing, and the ledger decides what is new; run
keys and partitions only wake work up."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from import_project.config.load import BrokenFeed, LoadedFeed
from import_project.defs.alerts import alert
from import_project.defs.partitions import partitions_of
from import_project.pipeline.parts import Parts
from import_project.pipeline.see import see
from import_project.records.files import Arrival

_NEVER_CLAIMED = timedelta(minutes=5)


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
        queued = _still_queued(context.instance, job.name, parts.clock)
        seen = asyncio.run(see(parts, loaded, still_queued=queued))
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


def _still_queued(instance: dg.DagsterInstance, job: str, clock: Callable[[], datetime]) -> Callable[[Arrival], bool]:
    """Tell whether a run for an arrival is still going to claim it, and end the runs of killed processes in Dagster.

    Such a run stands as started for ever and would hold a place in the queue; its lost lease shows that it is dead.
    """
    waiting = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING]

    def still_queued(arrival: Arrival) -> bool:
        found = instance.get_run_records(
            dg.RunsFilter(
                job_name=job,
                tags={"dagster/partition": arrival.partition or ""},
                statuses=[*waiting, dg.DagsterRunStatus.STARTED],
            )
        )
        alive = False
        for record in found:
            run = record.dagster_run
            started = record.start_time
            lost = run.run_id == arrival.owner and not arrival.held(clock())
            stuck = started is not None and clock().timestamp() - started > _NEVER_CLAIMED.total_seconds()
            if run.status is dg.DagsterRunStatus.STARTED and (lost or stuck):
                instance.report_run_failed(run, message="the run's process is gone: its claim on the file has lapsed")
            else:
                alive = True
        return alive

    return still_queued


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
