"""The assets of one feed, one for each thing that a file becomes. Their work is `pipeline.steps`.

Assets hand nothing to each other in memory: tables and ledger hold what the next one reads, so that any of them can be
run again by itself. What Dagster is told of them is `made`.
"""

from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Any

import dagster as dg

from import_project.config.load import LoadedFeed
from import_project.defs.checks import results_of, specs_of
from import_project.defs.columns import schema_of
from import_project.defs.limits import api_pool, feed_pool, retry_policy
from import_project.defs.made import metadata_made, tell_people
from import_project.defs.partitions import partitions_of
from import_project.defs.runs import give_back, name_run
from import_project.errors import ClaimLost, FileChanged, ImportProjectError
from import_project.pipeline.hold import Facts
from import_project.pipeline.parts import Parts
from import_project.pipeline.reports import duplicate_of
from import_project.pipeline.steps import run_named

#: asset, its step, the assets it needs, what it is, its kinds
_ROWS_TAIL = (
    ("posted_rows", "post_rows", ("accepted",), "Accepted rows, posted once each", {"api"}),
    ("outcome", "conclude", ("posted_rows", "quarantined"), "Counts and sums, proved; the file set aside", {"sql"}),
)
_PAYMENTS_TAIL = (
    ("open_invoices", "fetch_invoices", ("accepted",), "Open invoices as they were for this file", {"api", "parquet"}),
    ("matches", "reconcile", ("accepted", "open_invoices"), "Payments matched, or not and why; frozen", {"sql"}),
    ("matched_payments", "post_matched", ("matches",), "Matched payments, posted to their invoices", {"api"}),
    ("unmatched_payments", "post_unmatched", ("matches",), "Unmatched payments, posted with their reason", {"api"}),
    (
        "outcome",
        "conclude",
        ("matched_payments", "unmatched_payments", "quarantined"),
        "Counts and sums, proved; the file set aside",
        {"sql"},
    ),
)


def feed_assets(loaded: LoadedFeed) -> list[dg.AssetsDefinition]:
    """Build the assets of a feed: `file`, `accepted` and `quarantined`, then what is done with the accepted rows."""
    tail = _ROWS_TAIL if loaded.feed.kind == "rows" else _PAYMENTS_TAIL
    later = [
        _step_asset(loaded, asset, step, needs, description, kinds) for asset, step, needs, description, kinds in tail
    ]
    return [_file_asset(loaded), _rows_asset(loaded), *later]


def _tags(loaded: LoadedFeed) -> dict[str, str]:
    return {"feed": loaded.name, **loaded.feed.tags}


def _run(
    loaded: LoadedFeed, step: str, parts: Parts, context: dg.AssetExecutionContext | dg.OpExecutionContext
) -> Facts | None:
    """Run a step; an error of ours fails it with its one line, and is retried only where a retry can help."""
    began = monotonic()
    name_run(context.instance, context.run, parts, loaded.name, context.partition_key)

    def run() -> Facts | None:
        return run_named(parts, loaded, context.partition_key, owner=context.run.run_id, step=step)

    try:
        try:
            facts = run()
        except ClaimLost:
            if not give_back(context.instance, parts, loaded.name, context.partition_key):
                raise
            facts = run()
    except ImportProjectError as error:
        # A file that still changes must stay unchanged for a while: a retry of the step would come too soon.
        at_once = error.retry and not isinstance(error, FileChanged | ClaimLost)
        raise dg.Failure(description=error.line, allow_retries=at_once) from error
    return None if facts is None else {**facts, "seconds": round(monotonic() - began, 3)}


def _file_asset(loaded: LoadedFeed) -> dg.AssetsDefinition:
    @dg.asset(
        key=[loaded.name, "file"],
        description=f"{loaded.feed.description or loaded.name}: a file's bytes, claimed, landed and recognised",
        kinds={loaded.feed.source.kind.removesuffix("_fs")},
        retry_policy=retry_policy(loaded.feed.run),
        pool=feed_pool(loaded),
        output_required=False,  # bytes that came before end here, as a duplicate
        partitions_def=partitions_of(loaded.name),
        group_name=loaded.name,
        owners=list(loaded.feed.owners),
        tags=_tags(loaded),
    )
    def file(context: dg.AssetExecutionContext, parts: dg.ResourceParam[Parts]) -> Iterator[dg.MaterializeResult[None]]:
        facts = _run(loaded, "receive", parts, context)
        if facts is None:
            context.log.warning(f"nothing more {_why_no_more(parts, loaded, context.partition_key)}")
            return
        yield dg.MaterializeResult(
            metadata=metadata_made(parts, loaded, "receive", context.partition_key, facts)["file"]
        )

    return file


def _why_no_more(parts: Parts, loaded: LoadedFeed, partition: str) -> str:
    """Say why a file ends with its first asset, and of a duplicate, which one came before."""
    arrival = parts.ledger.arrivals.of(loaded.name, partition)
    if parts.dry_run:
        return "would be done with this file: it came before, or is not wanted"
    first = duplicate_of(parts, arrival)
    of = f", of {first.name} (partition {first.partition})" if first else ""
    return f"is done with this file: it is {arrival.state}{of}"


def _rows_asset(loaded: LoadedFeed) -> dg.AssetsDefinition:
    feed, retry = loaded.name, retry_policy(loaded.feed.run)
    specs = specs_of(loaded, "accepted", "quarantined")
    checked = [spec.get_python_identifier() for spec in specs]

    @dg.op(name=f"{feed}_parse_file", ins={"file": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing), retry_policy=retry)
    def parse_file(context: dg.OpExecutionContext, parts: dg.ResourceParam[Parts]) -> None:
        """Bytes to rows, every cell as text, and the control totals."""
        context.log.info(f"parsed: {_run(loaded, 'parse_file', parts, context)}")

    @dg.op(
        name=f"{feed}_validate_rows",
        ins={"parsed": dg.In(dg.Nothing)},
        out={name: dg.Out(dg.Nothing) for name in ("accepted", "quarantined")} | {name: dg.Out() for name in checked},
        retry_policy=retry,
    )
    def validate_rows(
        context: dg.OpExecutionContext, parts: dg.ResourceParam[Parts]
    ) -> Iterator[dg.Output[None] | dg.AssetCheckResult]:
        """Rows to accepted and quarantined ones; rows in = rows out."""
        facts = _run(loaded, "validate_rows", parts, context) or {}
        told = metadata_made(parts, loaded, "validate_rows", context.partition_key, facts)
        for table, metadata in told.items():
            yield dg.Output(None, table, metadata=metadata)
        for table in told:
            yield from results_of(parts, loaded, table, context.partition_key)

    def out(table: str, description: str) -> dg.AssetOut:
        return dg.AssetOut(
            key=[feed, table],
            description=description,
            kinds={"polars", "pandera"},
            metadata=schema_of(loaded, table),
            owners=list(loaded.feed.owners),
            tags=_tags(loaded),
        )

    @dg.graph_multi_asset(
        name=f"{feed}_rows",
        ins={"file": dg.AssetIn(key=[feed, "file"], dagster_type=dg.Nothing)},
        outs={
            "accepted": out("accepted", "Rows that passed"),
            "quarantined": out("quarantined", "Rows set aside, with reasons"),
        },
        partitions_def=partitions_of(loaded.name),
        group_name=loaded.name,
        check_specs=specs,
    )
    def rows(file: Any) -> dict[str, Any]:
        made = validate_rows.alias("validate_rows")(parse_file.alias("parse_file")(file))
        return dict(zip(("accepted", "quarantined", *checked), made, strict=True))

    return rows


def _step_asset(
    loaded: LoadedFeed, asset: str, step: str, needs: Sequence[str], description: str, kinds: set[str]
) -> dg.AssetsDefinition:
    @dg.asset(
        key=[loaded.name, asset],
        deps=[dg.AssetKey([loaded.name, name]) for name in needs],
        description=description,
        kinds=kinds,
        metadata=schema_of(loaded, asset),
        retry_policy=retry_policy(loaded.feed.run),
        pool=api_pool(loaded) if "api" in kinds else None,
        partitions_def=partitions_of(loaded.name),
        group_name=loaded.name,
        check_specs=specs_of(loaded, asset) or None,
        owners=list(loaded.feed.owners),
        tags=_tags(loaded),
    )
    def step_asset(
        context: dg.AssetExecutionContext, parts: dg.ResourceParam[Parts]
    ) -> Iterator[dg.MaterializeResult[None]]:
        facts = _run(loaded, step, parts, context) or {}
        if not parts.dry_run:
            tell_people(loaded, parts, context.partition_key, facts)
        found = results_of(parts, loaded, asset, context.partition_key)
        told = metadata_made(parts, loaded, step, context.partition_key, facts)[asset]
        yield dg.MaterializeResult(metadata=told, check_results=found)

    return step_asset
