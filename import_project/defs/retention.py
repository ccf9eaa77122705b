"""Old files leave Dagster: their partitions are deleted, so that the UI stays quick. The ledger keeps them for ever."""

import os
from datetime import timedelta

import dagster as dg

from import_project.config.settings import Settings
from import_project.pipeline.parts import Parts

_AT_ONCE = 500
_SUFFIX = "_files"


@dg.sensor(
    name="retire_partitions",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=600,
    description="Deletes the partitions of files that ended long ago; the ledger keeps the files",
)
def retire_partitions(context: dg.SensorEvaluationContext, parts: dg.ResourceParam[Parts]) -> dg.SkipReason:
    """Delete a bounded number of partitions a tick; a partition without an ended file is left."""
    days = Settings.read(os.environ).keep_partition_days
    before = parts.clock() - timedelta(days=days)
    retired = 0
    for feed in parts.ledger.sightings.polls():
        name = f"{feed}{_SUFFIX}"
        ended = set(parts.ledger.outcomes.ended_before(feed, before))
        for key in sorted(ended.intersection(context.instance.get_dynamic_partitions(name)))[: _AT_ONCE - retired]:
            context.instance.delete_dynamic_partition(name, key)
            retired += 1
    return dg.SkipReason(f"{retired} partitions of files that ended more than {days} days ago retired")
