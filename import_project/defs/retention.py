"""What is kept long enough leaves Dagster, so that the UI stays quick: partitions and runs. What leaves our own stores
is said in `pipeline.retire`."""

import os
from datetime import datetime, timedelta

import dagster as dg

from import_project.config.settings import Settings
from import_project.defs.partitions import partitions_name
from import_project.defs.runs import BY_HAND, feed_of
from import_project.logs import LOG
from import_project.pipeline.parts import Parts
from import_project.pipeline.retire import Kept, retire_stored

_AT_ONCE = 500
_RUNS_AT_ONCE = 100
_LOOKED_AT = 1_000
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dg.sensor(
    name="retention",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=600,
    description="Lets go what is kept long enough: partitions, runs, landed files, tables, details",
)
def retention(context: dg.SensorEvaluationContext, parts: dg.ResourceParam[Parts]) -> dg.SkipReason:
    """Let a bounded number go a tick."""
    retired = retire(context.instance, parts, Settings.read(os.environ))
    return dg.SkipReason("retired: " + ", ".join(f"{count} {what}" for what, count in retired.items()))


def retire(instance: dg.DagsterInstance, parts: Parts, settings: Settings) -> dict[str, int]:
    """Let go what is kept long enough. Returns how many of each."""
    now = parts.clock()
    told = {"partitions": _partitions(instance, parts, now - timedelta(days=settings.keep_partition_days))}
    if settings.keep_run_days is not None:
        told["runs"] = _runs(instance, parts, now - timedelta(days=settings.keep_run_days))
    kept = Kept(landing=settings.keep_landing_days, tables=settings.keep_table_days, details=settings.keep_detail_days)
    told |= retire_stored(parts, kept)
    if any(told.values()):
        LOG.info("let go", extra={"fields": told})
    return told


def _partitions(instance: dg.DagsterInstance, parts: Parts, before: datetime) -> int:
    """Delete partitions of files that ended; one without an ended file is left."""
    retired = 0
    for feed in parts.ledger.sightings.polls():
        name = partitions_name(feed)
        ended = set(parts.ledger.outcomes.ended_before(feed, before))
        for key in sorted(ended.intersection(instance.get_dynamic_partitions(name)))[: _AT_ONCE - retired]:
            instance.delete_dynamic_partition(name, key)
            retired += 1
    return retired


def _runs(instance: dg.DagsterInstance, parts: Parts, before: datetime) -> int:
    """Delete ended runs of files, with their events. One that failed for a missed file stays, so that it fails once.

    Runs of other code locations in the instance are not ours to delete.
    """
    gone, feeds = 0, set(parts.ledger.sightings.polls())
    for job in (*(f"{feed}_job" for feed in feeds), BY_HAND):
        old = dg.RunsFilter(job_name=job, statuses=_ENDED, created_before=before)
        for run in instance.get_runs(old, limit=_LOOKED_AT if job == BY_HAND else _RUNS_AT_ONCE, ascending=True):
            if feed_of(run) in feeds:
                instance.delete_run(run.run_id)
                gone += 1
    return gone
