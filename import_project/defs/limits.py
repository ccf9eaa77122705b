"""A feed's settings of runs as Dagster's own: retry policies, tags of runs, and pools with their limits."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

import dagster as dg

from import_project.config.load import LoadedFeed
from import_project.config.runs import Runs

_BACKOFF = {"exponential": dg.Backoff.EXPONENTIAL, "linear": dg.Backoff.LINEAR, "none": None}
_JITTER = {"full": dg.Jitter.FULL, "plus_minus": dg.Jitter.PLUS_MINUS, "none": None}


def retry_policy(runs: Runs) -> dg.RetryPolicy:
    """Return how a step is tried again. An error that a retry cannot help ends it at once, whatever the policy."""
    return dg.RetryPolicy(
        max_retries=runs.attempts - 1,
        delay=runs.delay_seconds,
        backoff=_BACKOFF[runs.backoff],
        jitter=_JITTER[runs.jitter],
    )


def run_tags(loaded: LoadedFeed, file: str | None = None) -> dict[str, str]:
    """Return the tags of a feed's runs, or of the run for a file: whose it is, when it is ended, how soon it is due."""
    runs, tags = loaded.feed.run, {"feed": loaded.name}
    if runs.longest_seconds is not None:
        tags["dagster/max_runtime"] = str(runs.longest_seconds)
    priority = runs.priority
    if file is not None:
        tags["file"] = file
        priority = next((u.priority for u in runs.urgent if fnmatchcase(file, u.glob)), priority)
    return tags | ({"dagster/priority": str(priority)} if priority else {})


def feed_pool(loaded: LoadedFeed) -> str:
    """Return the pool that bounds how many of a feed's files are under way."""
    return f"feed_{loaded.name}"


def api_pool(loaded: LoadedFeed) -> str | None:
    """Return the pool that bounds how many runs use a feed's API; None for a feed that has none."""
    return None if loaded.api is None else f"api_{loaded.api.api}"


def apply_limits(instance: dg.DagsterInstance, loaded: LoadedFeed) -> None:
    """Let the instance's pools have the limits that the feed and its API set; a limit that is gone is taken away."""
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits:
        return
    wanted: Mapping[str | None, int | None] = {
        feed_pool(loaded): loaded.feed.run.at_once,
        api_pool(loaded): loaded.api.most_runs if loaded.api is not None else None,
    }
    known = {pool.name: pool.limit for pool in storage.get_pool_limits() if not pool.from_default}
    for pool, limit in wanted.items():
        if pool is None or known.get(pool) == limit:
            continue
        if limit is None:
            storage.delete_concurrency_limit(pool)
        else:
            storage.set_concurrency_slots(pool, limit)
