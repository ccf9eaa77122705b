"""The Dagster code location on one page: everything that runs is named here, from the feeds on disk."""

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import dagster as dg

from import_project.config.load import BrokenFeed, LoadedFeed, load_feeds, stamp_of
from import_project.config.settings import Settings
from import_project.defs.assets import feed_assets
from import_project.defs.bursts import burst_job
from import_project.defs.jobs import deadline_job, feed_job
from import_project.defs.resources import PartsResource
from import_project.defs.retention import retention
from import_project.defs.sensors import broken_feed_sensor, feed_sensor
from import_project.defs.watch import alert_failed_runs, watch_sensors
from import_project.errors import ConfigError, one_line


def build_definitions(feeds: Sequence[LoadedFeed], broken: Sequence[BrokenFeed]) -> dg.Definitions:
    """Assemble assets, jobs and sensors of all feeds; a broken feed becomes a sensor that says what is wrong."""
    built, refused = list[dg.Definitions](), list[BrokenFeed]()
    for feed in feeds:
        try:
            built.append(_of_feed(feed))
        except dg.DagsterError as error:  # what Dagster refuses of one feed must not take the others along
            refused.append(BrokenFeed(path=feed.path, error=ConfigError(one_line(str(error)), feed=feed.name)))
    ours = dg.Definitions(
        sensors=[
            *(broken_feed_sensor(one) for one in broken),
            *(broken_feed_sensor(one, until_reload=True) for one in refused),
            alert_failed_runs,
            watch_sensors,
            retention,
        ],
        resources={"parts": PartsResource()},
        executor=dg.in_process_executor,  # also of what is materialized by hand
    )
    return dg.Definitions.merge(ours, *built)


def _of_feed(feed: LoadedFeed) -> dg.Definitions:
    job, burst = feed_job(feed), burst_job(feed)
    expect = feed.feed.files.expect
    late = deadline_job(feed) if expect is not None and expect.on_miss == "fail" else None
    return dg.Definitions(
        assets=feed_assets(feed),
        jobs=[job, burst] if late is None else [job, burst, late],
        sensors=[feed_sensor(feed, job, burst, late)],
    )


@dg.definitions
def definitions() -> dg.Definitions:
    """Read settings and feeds when Dagster loads the location, not when this module is imported."""
    folder = Settings.read(os.environ).feeds
    return _built(folder, stamp_of(folder) if folder.is_dir() else ())


@lru_cache(maxsize=1)
def _built(folder: Path, _state: object) -> dg.Definitions:
    """Build once for each state of the feeds: Dagster loads the location anew for each job, and for each run's part."""
    return build_definitions(*load_feeds(folder, os.environ))
