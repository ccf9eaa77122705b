"""One sensor for each feed: list, compare, request. A tick downloads nothing, and the ledger decides what is new; run
keys and partitions only wake work up."""

import asyncio
import os
from datetime import timedelta

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from import_project.config.load import BrokenFeed, LoadedFeed, load_feed
from import_project.defs.alerts import record
from import_project.defs.limits import apply_limits, run_tags
from import_project.defs.partitions import partitions_of
from import_project.errors import FileVanished, SourceError
from import_project.pipeline.expect import Coming, expected_files
from import_project.pipeline.parts import Parts
from import_project.pipeline.see import Seen, see

#: Dagster gives up on a tick after 60 seconds, but its function goes on and would overlap the next. Tidying up comes
#: after the listing, in 10 seconds of its own.
_LONGEST_POLL = timedelta(seconds=40)
_SURELY_CLAIMED = timedelta(minutes=1)


def feed_sensor(
    loaded: LoadedFeed, job: UnresolvedAssetJobDefinition, deadline_job: dg.JobDefinition
) -> dg.SensorDefinition:
    """Return the sensor that watches a feed's inbox. It reads the feed's file anew at each tick."""

    @dg.sensor(
        name=f"{loaded.name}_sensor",
        jobs=[job, deadline_job],
        minimum_interval_seconds=loaded.feed.poll.every_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Watches the inbox of {loaded.name} and launches a run for each new file",
    )
    def watch(context: dg.SensorEvaluationContext, parts: dg.ResourceParam[Parts]) -> dg.SensorResult | dg.SkipReason:
        if not loaded.path.exists():
            return dg.SkipReason(f"{loaded.path.name} is gone; this sensor goes with the next reload")
        feed = load_feed(loaded.path, os.environ)
        if feed.name != loaded.name:
            return dg.SkipReason(f"{loaded.path.name} is the feed {feed.name} now; it has a sensor of its own soon")
        apply_limits(context.instance, feed)
        end_dead_runs(context.instance, parts, feed.name)
        missed = _missed_files(context.instance, parts, feed)
        try:
            seen = _poll(context, parts, feed, job.name)
        except SourceError:
            if not missed:
                raise
            context.log.exception("the inbox could not be listed")
            seen = Seen(requests=(), waiting=0, problems=())
        requests = [
            dg.RunRequest(run_key=r.key, job_name=job.name, partition_key=r.partition, tags=run_tags(feed, r.name))
            for r in seen.requests
        ]
        requests += [
            dg.RunRequest(run_key=key, job_name=deadline_job.name, tags={"feed": feed.name}, run_config=config)
            for key, config in missed
        ]
        if not requests:
            return dg.SkipReason(f"nothing new; {seen.waiting} files wait to be stable")
        keys = [r.partition for r in seen.requests]
        absent = [k for k in keys if not context.instance.has_dynamic_partition(f"{feed.name}_files", k)]
        return dg.SensorResult(
            run_requests=requests,
            dynamic_partitions_requests=[partitions_of(feed.name).build_add_request(absent)] if absent else [],
        )

    return watch


def _poll(context: dg.SensorEvaluationContext, parts: Parts, feed: LoadedFeed, job: str) -> Seen:
    on_its_way = _on_its_way(context.instance, job)
    seen = asyncio.run(see(parts, feed, on_its_way=on_its_way, within=_LONGEST_POLL))
    for problem in seen.problems:
        context.log.error(problem)
        record(parts, f"problem:{feed.name}:{problem}"[:255], f"{feed.name}: {problem}", {"feed": feed.name})
    return seen


def _missed_files(instance: dg.DagsterInstance, parts: Parts, feed: LoadedFeed) -> list[tuple[str, dict[str, object]]]:
    """Tell people of files that are late or missed, as the feed wants; return keys and configs of runs to fail."""
    expect = feed.feed.files.expect
    to_fail: list[tuple[str, dict[str, object]]] = []
    for expected in expected_files(parts, feed):
        if expect is None or expect.on_miss == "skip" or expected.coming is Coming.CAME:
            continue
        text, key = expected.told(feed.name), f"{expected.coming}:{feed.name}:{expected.due_at.isoformat()}"
        if expected.coming is Coming.MISSED and expect.on_miss == "fail":
            launched = dg.RunsFilter(tags={"dagster/run_key": key})
            if instance.get_runs_count(launched) == 0:
                to_fail.append((key, {"ops": {f"{feed.name}_deadline": {"config": {"missed": text}}}}))
        else:
            record(parts, key, text, {"feed": feed.name})
    return to_fail


def _on_its_way(instance: dg.DagsterInstance, job: str) -> set[str]:
    """Return the partitions that a run is queued or has started for."""
    statuses = [
        dg.DagsterRunStatus.QUEUED,
        dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
    ]
    runs = instance.get_runs(dg.RunsFilter(job_name=job, statuses=statuses))
    return {run.tags.get("dagster/partition", "") for run in runs}


def end_dead_runs(instance: dg.DagsterInstance, parts: Parts, feed: str) -> int:
    """End the runs of killed processes in Dagster, where they stand as started for ever and hold a place in the queue.

    A run that lives holds its file, but while it waits to try a step again. So one that started a while ago, and whose
    file no run holds and no retry waits for, is dead; and so is one whose own claim has lapsed. Returns how many were
    ended.
    """
    now, ended = parts.clock(), 0
    started = dg.RunsFilter(tags={"feed": feed}, statuses=[dg.DagsterRunStatus.STARTED])
    for known in instance.get_run_records(started, limit=100):
        run = known.dagster_run
        try:
            arrival = parts.ledger.arrivals.of(feed, run.tags.get("dagster/partition", ""))
        except FileVanished:
            continue
        if arrival.held(now) or (arrival.retry_at is not None and arrival.retry_at > now):
            continue
        lapsed = run.run_id == arrival.owner and arrival.lease_until is not None
        if lapsed or now.timestamp() - (known.start_time or now.timestamp()) > _SURELY_CLAIMED.total_seconds():
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
        if broken.path.exists():
            load_feed(broken.path, os.environ)
        return dg.SkipReason(f"{broken.path.name} was mended or removed; this sensor goes with the next reload")

    return refuse
