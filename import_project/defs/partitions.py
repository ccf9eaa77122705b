"""One dynamic partition for each file of a feed. Keys are made in `pipeline.compare`."""

import dagster as dg


def partitions_name(feed: str) -> str:
    """Return what the partitions of a feed are called in the instance."""
    return f"{feed}_files"


def partitions_of(feed: str) -> dg.DynamicPartitionsDefinition:
    """Return the partitions of a feed; equal calls mean the same partitions."""
    return dg.DynamicPartitionsDefinition(name=partitions_name(feed))
