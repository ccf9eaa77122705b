"""One run for several small files of a feed, where many wait at once. Each stays a file of its own: its partition, its
materializations and checks, its outcome, and its failure. Which files share a run is `pipeline.bursts`.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

import dagster as dg
from dagster._core.events import AssetMaterializationPlannedData, DagsterEvent

from import_project.config.load import LoadedFeed
from import_project.defs.checks import results_of
from import_project.defs.limits import api_pool, feed_pool, run_tags
from import_project.defs.made import ASSETS_OF, metadata_made, tell_people
from import_project.defs.resources import PartsResource
from import_project.errors import ImportProjectError, StoreError
from import_project.pipeline.bursts import bursts
from import_project.pipeline.parts import Parts
from import_project.pipeline.see import Request
from import_project.pipeline.steps import run_named, steps_of

_SHOWN = 5


def bursts_of(loaded: LoadedFeed, requests: Sequence[Request]) -> list[tuple[Request, ...]]:
    """Return the requests of a feed as its runs take them."""
    runs = loaded.feed.run
    # A run stands in one pool for all of its work: where a feed and its API both have a limit, each file needs its own.
    both = runs.at_once is not None and loaded.api is not None and loaded.api.most_runs is not None
    usual = run_tags(loaded).get("dagster/priority")
    urgent = [r.partition for r in requests if run_tags(loaded, r.name).get("dagster/priority") != usual]
    return bursts(requests, 1 if both else runs.files_per_run, urgent=urgent)


def burst_name(feed: str) -> str:
    """Return the name of the job that runs several files of a feed."""
    return f"{feed}_files_job"


def burst_config(feed: str, partitions: Sequence[str]) -> dict[str, Any]:
    """Return the run config of a run of these files."""
    return {"ops": {f"{feed}_files": {"config": {"partitions": list(partitions)}}}}


def burst_tags(loaded: LoadedFeed, files: int) -> dict[str, str]:
    """Return the tags of a run of so many files; it may take so many times as long as one of them."""
    tags = run_tags(loaded) | {"files": str(files)}
    longest = loaded.feed.run.longest_seconds
    return tags if longest is None else tags | {"dagster/max_runtime": str(longest * files)}


def partitions_of_run(run: dg.DagsterRun) -> list[str]:
    """Return the partitions of the files that a run is for."""
    if "dagster/partition" in run.tags:
        return [run.tags["dagster/partition"]]
    ops: Any = run.run_config.get("ops") or {}
    return [partition for op in ops.values() for partition in (op.get("config") or {}).get("partitions", ())]


def burst_job(loaded: LoadedFeed) -> dg.JobDefinition:
    """Return the job that takes several files through all their steps, one after the other.

    A file that fails disturbs no other. The run fails in the end if a failure is for good; what a retry may help is
    left to a run of the file's own.
    """
    feed = loaded.name

    @dg.op(
        name=f"{feed}_files",
        config_schema={"partitions": dg.Field([str], description="the files, by their partitions, in their order")},
        pool=api_pool(loaded) if loaded.feed.run.at_once is None else feed_pool(loaded),
        description="Takes files through all their steps, one after the other",
        out=dg.Out(dg.Nothing),
    )
    def files(context: dg.OpExecutionContext, parts: dg.ResourceParam[Parts]) -> None:
        left, failed = list(context.op_config["partitions"]), dict[str, str]()
        many = len(left)
        try:
            while left:
                partition = left.pop(0)
                told = _one(context, parts, loaded, partition)
                if told is not None:
                    failed[partition] = told
        finally:  # whoever polls next takes at once what was not begun
            with suppress(StoreError):
                parts.ledger.arrivals.not_requested(feed, left)
        if failed:
            _plan(context, loaded, failed)
            lines = list(failed.values())
            more = f"; and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
            told = f"{len(lines)} of {many} files failed: {'; '.join(lines[:_SHOWN])}{more}"
            raise dg.Failure(description=told, allow_retries=False)

    @dg.job(
        name=burst_name(feed),
        executor_def=dg.in_process_executor,
        resource_defs={"parts": PartsResource()},  # bound here: Dagster builds sensors of jobs that need one anew
        description=f"Several small files of {feed} at once, when many wait",
        tags=run_tags(loaded),
    )
    def burst() -> None:
        files()

    return burst


def _one(context: dg.OpExecutionContext, parts: Parts, loaded: LoadedFeed, partition: str) -> str | None:
    """Take a file through its steps, telling what each makes. Returns why it failed, if it did for good."""
    try:
        for event in _made(context.run_id, parts, loaded, partition):
            context.log_event(event)  # type: ignore[arg-type] # evaluations are taken too
    except _Blocked as blocked:
        return str(blocked)
    except ImportProjectError as error:
        context.log.warning(error.line)
        return None if error.retry else error.line
    except Exception as error:  # noqa: BLE001 - whatever one file does to us, the others go on
        told = f"{partition}: {type(error).__name__} (this is a defect of ours; please report it)"
        context.log.error(told)  # noqa: TRY400 - a stranger's words may hold a customer's row
        return told
    return None


class _Blocked(Exception):
    """A check that blocks has failed: nothing more is done with the file."""


def _made(
    run: str, parts: Parts, loaded: LoadedFeed, partition: str
) -> Iterator[dg.AssetMaterialization | dg.AssetCheckEvaluation]:
    if parts.ledger.arrivals.of(loaded.name, partition).state.ended and not parts.dry_run:
        return  # the run was begun before, and is run again
    for step in steps_of(loaded):
        began = monotonic()
        facts = run_named(parts, loaded, partition, owner=run, step=step)
        if facts is None:
            return
        facts = {**facts, "seconds": round(monotonic() - began, 3)}
        if not parts.dry_run:
            tell_people(loaded, parts, partition, facts)
        for asset, metadata in metadata_made(parts, loaded, step, partition, facts).items():
            yield dg.AssetMaterialization([loaded.name, asset], partition=partition, metadata=metadata)
        for asset in ASSETS_OF[step]:
            yield from _checked(parts, loaded, asset, partition)


def _checked(parts: Parts, loaded: LoadedFeed, asset: str, partition: str) -> Iterator[dg.AssetCheckEvaluation]:
    for found in results_of(parts, loaded, asset, partition):
        blocks = found.severity is dg.AssetCheckSeverity.ERROR
        yield dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey([loaded.name, asset]),
            check_name=found.check_name or "",
            passed=found.passed,
            metadata=found.metadata,
            severity=found.severity,
            description=found.description,
            blocking=blocks,
        )
        if blocks and not found.passed:
            raise _Blocked(f"{found.check_name}: {found.description}")


def _plan(context: dg.OpExecutionContext, loaded: LoadedFeed, partitions: Iterable[str]) -> None:
    """Tell that these files should have had outcomes, so that their partitions show as failed when the run does."""
    for partition in partitions:
        planned = AssetMaterializationPlannedData(dg.AssetKey([loaded.name, "outcome"]), partition=partition)
        event = DagsterEvent.build_asset_materialization_planned_event(context.job_name, context.op.name, planned)
        context.instance.report_dagster_event(event, context.run_id)
