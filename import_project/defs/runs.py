"""The runs of a feed in the instance: which files they are for, and which of them are dead."""

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from import_project.defs.bursts import burst_name, partitions_of_run
from import_project.errors import FileVanished
from import_project.pipeline.parts import Parts

_SURELY_CLAIMED = timedelta(minutes=1)
#: After so long a run that is only recorded has nobody who would begin it: that is the work of an instant.
_SURELY_BEGUN = timedelta(minutes=5)
_WAITING = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING)
#: Dagster's own job of all assets: what the UI launches for assets that are materialized by hand.
BY_HAND = "__ASSET_JOB"
#: The tag of a dry run. Run again for real, a run brings its tags along: there it says `false`.
DRY = "dry_run"


def feed_of(run: dg.DagsterRun) -> str:
    """Return whose run it is; of one that was launched by hand, the feed of its assets."""
    chosen = sorted(key.path[0] for key in run.asset_selection or ())
    return run.tags.get("feed") or (chosen[0] if chosen else "")


def name_of(run: dg.DagsterRun) -> str:
    """Return what people know a run by: its job; of one that was launched by hand, its feed."""
    return f"{feed_of(run)}, by hand," if run.job_name == BY_HAND else run.job_name


def is_dry(run: dg.DagsterRun) -> bool:
    """Whether a run only tries out what it would do: its failure is for who launched it."""
    found: Any = run.run_config
    for key in ("resources", "parts", "config"):
        found = (found or {}).get(key)
    return bool((found or {}).get("dry_run"))


def name_run(instance: dg.DagsterInstance, run: dg.DagsterRun, parts: Parts, feed: str, partition: str) -> None:
    """Give a run that was launched by hand the tags that a sensor's has, so that filters find it; a dry one its own."""
    dry = str(parts.dry_run).lower()
    if {"feed", "file"} <= run.tags.keys() and run.tags.get(DRY, "false") == dry:
        return
    known = instance.get_run_by_id(run.run_id)  # another step of it may have done so
    if known is not None and ("file" not in known.tags or known.tags.get(DRY, "false") != dry):
        named = {"feed": feed, "file": parts.ledger.arrivals.of(feed, partition).name}
        instance.add_run_tags(run.run_id, {**named, DRY: dry} if parts.dry_run or DRY in known.tags else named)


def give_back(instance: dg.DagsterInstance, parts: Parts, feed: str, partition: str) -> bool:
    """End the lease of the run that holds a file, if that run has ended. Returns whether it had."""
    owner = parts.ledger.arrivals.of(feed, partition).owner
    run = instance.get_run_by_id(owner) if owner else None
    if owner is None or run is None or not run.is_finished:
        return False
    parts.ledger.arrivals.release_of(feed, partition, owner)
    return True


def on_its_way(instance: dg.DagsterInstance, feed: str) -> set[str]:
    """Return the partitions of a feed that a run is queued or has started for; a dry run is none of them."""
    runs = [known.dagster_run for known in _runs(instance, feed, dg.DagsterRunStatus.STARTED, *_WAITING)]
    return {partition for run in runs if not is_dry(run) for partition in partitions_of_run(run)}


def end_dead_runs(instance: dg.DagsterInstance, parts: Parts, feed: str) -> int:
    """End the runs of killed processes in Dagster, where they stand as started for ever and hold a place in the queue.

    A run that lives holds its file, but while it waits to try a step again. So one that started a while ago, and whose
    file no run holds and no retry waits for, is dead; and so is one whose own claim has lapsed. One of several files
    holds one after the other. A dry run holds none: it ends by its longest time. And one that was recorded and never
    begun keeps its files from all others. Returns how many were ended.
    """
    now, ended = parts.clock(), 0
    for known in _runs(instance, feed, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.NOT_STARTED):
        run = known.dagster_run
        if run.status is dg.DagsterRunStatus.NOT_STARTED:
            if now - known.create_timestamp > _SURELY_BEGUN:
                instance.report_run_failed(run, message="the run was never begun: the process that was to is gone")
                ended += 1
            continue
        if is_dry(run):
            continue
        since = now - datetime.fromtimestamp(known.start_time or now.timestamp(), UTC)
        if _dead(parts, feed, run, now, since):
            instance.report_run_failed(run, message="the run's process is gone: it no longer holds its file")
            ended += 1
    return ended


def _dead(parts: Parts, feed: str, run: dg.DagsterRun, now: datetime, since: timedelta) -> bool:
    partitions = partitions_of_run(run)
    if len(partitions) > 1:
        attempts = parts.ledger.steps.of_run(run.run_id)
        if not attempts:
            return since > _SURELY_CLAIMED
        if (finished := attempts[-1].finished_at) is not None:
            return now - finished > _SURELY_CLAIMED
        partitions = [attempts[-1].partition]
    try:
        arrival = parts.ledger.arrivals.of(feed, partitions[0] if partitions else "")
    except FileVanished:
        return False
    if arrival.held(now) or (arrival.retry_at is not None and arrival.retry_at > now):
        return False
    lapsed = run.run_id == arrival.owner and arrival.lease_until is not None
    return lapsed or since > _SURELY_CLAIMED


def _runs(instance: dg.DagsterInstance, feed: str, *statuses: dg.DagsterRunStatus) -> list[dg.RunRecord]:
    """Return the runs of a feed in some states, those that were launched by hand too."""
    if not instance.get_runs_count(dg.RunsFilter(statuses=list(statuses))):  # as nearly always where nothing comes
        return []
    own = instance.get_run_records(dg.RunsFilter(job_name=f"{feed}_job", statuses=list(statuses)))
    several = instance.get_run_records(dg.RunsFilter(job_name=burst_name(feed), statuses=list(statuses)))
    by_hand = instance.get_run_records(dg.RunsFilter(job_name=BY_HAND, statuses=list(statuses)))
    return [*own, *several, *(known for known in by_hand if feed_of(known.dagster_run) == feed)]
