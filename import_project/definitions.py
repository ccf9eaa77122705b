"""The Dagster code location on one page: everything that runs is named here, from the feeds on disk."""

import os
from collections.abc import Sequence

import dagster as dg

from import_project.config.load import BrokenFeed, LoadedFeed, load_feeds
from import_project.config.settings import Settings
from import_project.defs.assets import feed_assets
from import_project.defs.jobs import deadline_job, feed_job
from import_project.defs.resources import PartsResource
from import_project.defs.retention import retention
from import_project.defs.sensors import broken_feed_sensor, feed_sensor
from import_project.defs.watch import alert_failed_runs, watch_sensors


def build_definitions(feeds: Sequence[LoadedFeed], broken: Sequence[BrokenFeed]) -> dg.Definitions:
    """Assemble assets, jobs and sensors of all feeds; a broken feed becomes a sensor that says what is wrong."""
    jobs = [feed_job(feed) for feed in feeds]
    deadlines = [deadline_job(feed) for feed in feeds]
    return dg.Definitions(
        assets=[asset for feed in feeds for asset in feed_assets(feed)],
        jobs=[*jobs, *deadlines],
        sensors=[
            *(feed_sensor(*each) for each in zip(feeds, jobs, deadlines, strict=True)),
            *(broken_feed_sensor(one) for one in broken),
            alert_failed_runs,
            watch_sensors,
            retention,
        ],
        resources={"parts": PartsResource()},
        executor=dg.in_process_executor,  # also of what is materialized by hand
    )


@dg.definitions
def definitions() -> dg.Definitions:
    """Read settings and feeds when Dagster loads the location, not when this module is imported."""
    settings = Settings.read(os.environ)
    feeds, broken = load_feeds(settings.feeds, os.environ)
    return build_definitions(feeds, broken)
