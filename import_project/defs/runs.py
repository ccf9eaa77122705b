"""The runs of a feed in the instance: which files they are for, and which of them are dead."""

from datetime import timedelta
from typing import Any

import dagster as dg

from import_project.errors import FileVanished
from import_project.pipeline.parts import Parts

_SURELY_CLAIMED = timedelta(minutes=1)
#: Dagster's own job of all assets: what the UI launches for assets that are materialized by hand.
BY_HAND = "__ASSET_JOB"


def feed_of(run: dg.DagsterRun) -> str:
    """Return whose run it is; of one that was launched by hand, the feed of its assets."""
    chosen = sorted(key.path[0] for key in run.asset_selection or ())
    return run.tags.get("feed") or (chosen[0] if chosen else "")


def is_dry(run: dg.DagsterRun) -> bool:
    """Whether a run only tries out what it would do: its failure is for who launched it."""
    resources: Any = run.run_config.get("resources", {})
    return bool(resources.get("parts", {}).get("config", {}).get("dry_run"))


def on_its_way(instance: dg.DagsterInstance, job: str) -> set[str]:
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
