"""What a step makes of a file, as Dagster is told of it: assets with their metadata. Counts, sums and masked previews,
never a customer's row."""

from collections.abc import Mapping
from typing import Any

from import_project.config.load import LoadedFeed
from import_project.defs.alerts import record
from import_project.defs.columns import lineage_of
from import_project.defs.metadata import links_of, metadata_of, preview_of, sums_table
from import_project.pipeline.dry_run import file_id
from import_project.pipeline.hold import Facts
from import_project.pipeline.parts import Parts

#: The assets that each step makes; `parse_file` makes what only the next step reads.
ASSETS_OF: Mapping[str, tuple[str, ...]] = {
    "receive": ("file",),
    "parse_file": (),
    "validate_rows": ("accepted", "quarantined"),
    "post_rows": ("posted_rows",),
    "fetch_invoices": ("open_invoices",),
    "reconcile": ("matches",),
    "post_matched": ("matched_payments",),
    "post_unmatched": ("unmatched_payments",),
    "conclude": ("outcome",),
}


def metadata_made(
    parts: Parts, loaded: LoadedFeed, step: str, partition: str, facts: Facts
) -> dict[str, dict[str, Any]]:
    """Return the metadata of each asset that a step has made of a file, by the asset's name."""
    links, told = links_of(parts, loaded, partition), metadata_of(facts)
    if step == "validate_rows":
        sha256 = file_id(parts, loaded.name, partition) or ""
        broken = {name: count for name, count in told.items() if name.startswith("broken ")}
        own = {
            "accepted": {k: told[k] for k in ("rows", "accepted", "warnings", "seconds")},
            "quarantined": {k: told[k] for k in ("rows", "quarantined", "quarantine rate, %")} | broken,
        }
        return {asset: {**own[asset], **preview_of(parts, loaded, asset, sha256), **links} for asset in own}
    return {asset: {**told, **sums_table(facts), **lineage_of(loaded, asset), **links} for asset in ASSETS_OF[step]}


def tell_people(loaded: LoadedFeed, parts: Parts, partition: str, facts: Facts) -> None:
    """Tell people what a run that succeeds would hide: rows the API rejected, a file written to after it was read."""
    told = {"feed": loaded.name, "file": partition}
    if "problem" in facts:
        record(parts, f"aside:{loaded.name}:{partition}", f"{loaded.name}: {facts['problem']}", told)
    if facts.get("rejected"):
        text = f"{loaded.name}: the API rejected {_some(facts['rejected'], 'row')} of {partition}"
        record(parts, f"rejected:{loaded.name}:{partition}", text, told)
    if facts.get("dead"):
        text = f"{loaded.name}: nobody can tell whether {_some(facts['dead'], 'posting')} of {partition} took effect"
        record(parts, f"dead:{loaded.name}:{partition}", f"{text}: import-project postings list --state dead", told)


def _some(count: object, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
