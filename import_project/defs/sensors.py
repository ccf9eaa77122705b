"""One sensor for each feed: list, compare, request. A tick downloads nothing, and the ledger decides what is new; run
keys and partitions only wake work up."""

import asyncio
import os
from collections.abc import Sequence
from datetime import timedelta

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from import_project.config.load import BrokenFeed, LoadedFeed, load_feed
from import_project.defs.alerts import record
from import_project.defs.bursts import burst_config, burst_name, burst_tags, bursts_of
from import_project.defs.limits import apply_limits, run_tags
from import_project.defs.partitions import partitions_name, partitions_of
from import_project.defs.runs import end_dead_runs, on_its_way
from import_project.errors import SourceError
from import_project.pipeline.expect import LateFile, late_files
from import_project.pipeline.parts import Parts
from import_project.pipeline.see import Request, Seen, see_soon

#: Dagster gives up on a tick after 60 seconds, but its function goes on and would overlap the next. Tidying up comes
#: after the listing, in 10 seconds of its own.
_LONGEST_POLL = timedelta(seconds=40)


def feed_sensor(
    loaded: LoadedFeed,
    job: UnresolvedAssetJobDefinition,
    burst: dg.JobDefinition,
    deadline_job: dg.JobDefinition | None,
) -> dg.SensorDefinition:
    """Return the sensor that watches a feed's inbox. It reads the feed's file anew at each tick.

    Without a `deadline_job`, a missed file is told, also where the feed wants a run that fails for it.
    """

    @dg.sensor(
        name=f"{loaded.name}_sensor",
        jobs=[job, burst] if deadline_job is None else [job, burst, deadline_job],
        # The daemon looks every 5 seconds whether so much time has passed: asked for 5, it takes turns of 5 and 10.
        minimum_interval_seconds=max(1, loaded.feed.every_seconds - 1),
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
        late = late_files(parts, feed)
        for one in late:
            if not one.fails or deadline_job is None:
                record(parts, one.key, one.text, {"feed": feed.name})
        missed = [] if deadline_job is None else _runs_to_fail(context.instance, feed.name, late)
        try:
            seen = _poll(context, parts, feed)
        except SourceError:
            if not missed:
                raise
            context.log.exception("the inbox could not be listed")
            seen = Seen(requests=(), waiting=0, problems=())
        requests = [_run_request(feed, together) for together in bursts_of(feed, seen.requests)]
        requests += [
            dg.RunRequest(
                run_key=key, job_name=f"{feed.name}_deadline_job", tags={"feed": feed.name}, run_config=config
            )
            for key, config in missed
        ]
        if not requests:
            return dg.SkipReason(f"nothing new; {seen.waiting} files wait to be stable")
        keys = [r.partition for r in seen.requests]
        absent = [k for k in keys if not context.instance.has_dynamic_partition(partitions_name(feed.name), k)]
        return dg.SensorResult(
            run_requests=requests,
            dynamic_partitions_requests=[partitions_of(feed.name).build_add_request(absent)] if absent else [],
        )

    return watch


def _run_request(feed: LoadedFeed, together: Sequence[Request]) -> dg.RunRequest:
    """Ask for a run of one file, or of several."""
    first = together[0]
    if len(together) == 1:
        tags = run_tags(feed, first.name)
        return dg.RunRequest(first.key, job_name=f"{feed.name}_job", partition_key=first.partition, tags=tags)
    return dg.RunRequest(
        f"{first.key}+{len(together) - 1}",
        job_name=burst_name(feed.name),
        run_config=burst_config(feed.name, [r.partition for r in together]),
        tags=burst_tags(feed, len(together)),
    )


def _poll(context: dg.SensorEvaluationContext, parts: Parts, feed: LoadedFeed) -> Seen:
    seen = asyncio.run(see_soon(parts, feed, on_its_way=on_its_way(context.instance, feed.name), within=_LONGEST_POLL))
    for problem in seen.problems:
        context.log.error(problem)
        record(parts, f"problem:{feed.name}:{problem}"[:255], f"{feed.name}: {problem}", {"feed": feed.name})
    return seen


def _runs_to_fail(
    instance: dg.DagsterInstance, feed: str, late: Sequence[LateFile]
) -> list[tuple[str, dict[str, object]]]:
    """Return keys and configs of the runs that fail for missed files, where the feed wants it so; each once."""
    return [
        (one.key, {"ops": {f"{feed}_deadline": {"config": {"missed": one.text}}}})
        for one in late
        if one.fails and instance.get_runs_count(dg.RunsFilter(tags={"dagster/run_key": one.key})) == 0
    ]


def broken_feed_sensor(broken: BrokenFeed, *, until_reload: bool = False) -> dg.SensorDefinition:
    """Return a sensor that fails with what is wrong in a feed file: seen in the UI, and alerted like any other.

    It fails until the file is mended, or until the next reload where only that shows whether it is.
    """

    @dg.sensor(
        name=f"{''.join(c if c.isalnum() else '_' for c in broken.path.stem)}_sensor",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"{broken.path.name} cannot be used: {broken.error.what}",
    )
    def refuse(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        if broken.path.exists():
            load_feed(broken.path, os.environ)
            if until_reload:
                raise broken.error
        return dg.SkipReason(f"{broken.path.name} was mended or removed; this sensor goes with the next reload")

    return refuse
