"""The runs of a feed in the instance: which files they are for, and which of them are dead."""

from datetime import timedelta
from typing import Any

import dagster as dg

from import_project.errors import FileVanished
from import_project.pipeline.parts import Parts

_SURELY_CLAIMED = timedelta(minutes=1)
_WAITING = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING)
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


def on_its_way(instance: dg.DagsterInstance, feed: str) -> set[str]:
    """Return the partitions of a feed that a run is queued or has started for; a dry run is none of them."""
    runs = _runs(instance, feed, dg.DagsterRunStatus.STARTED, *_WAITING)
    return {known.dagster_run.tags.get("dagster/partition", "") for known in runs if not is_dry(known.dagster_run)}


def end_dead_runs(instance: dg.DagsterInstance, parts: Parts, feed: str) -> int:
    """End the runs of killed processes in Dagster, where they stand as started for ever and hold a place in the queue.

    A run that lives holds its file, but while it waits to try a step again. So one that started a while ago, and whose
    file no run holds and no retry waits for, is dead; and so is one whose own claim has lapsed. A dry run holds none:
    it ends by its longest time. Returns how many were ended.
    """
    now, ended = parts.clock(), 0
    for known in _runs(instance, feed, dg.DagsterRunStatus.STARTED):
        run = known.dagster_run
        if is_dry(run):
            continue
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


def _runs(instance: dg.DagsterInstance, feed: str, *statuses: dg.DagsterRunStatus) -> list[dg.RunRecord]:
    """Return the runs of a feed in some states, those that were launched by hand too."""
    own = instance.get_run_records(dg.RunsFilter(job_name=f"{feed}_job", statuses=list(statuses)))
    by_hand = instance.get_run_records(dg.RunsFilter(job_name=BY_HAND, statuses=list(statuses)))
    return [*own, *(known for known in by_hand if feed_of(known.dagster_run) == feed)]
