"""The steps of a file by name, in their order, and a whole file's way through them. Nothing of the steps' own."""

from collections.abc import Mapping

from import_project.config.load import LoadedFeed
from import_project.pipeline.conclude import conclude
from import_project.pipeline.dry_run import dry_step
from import_project.pipeline.hold import Facts, Step, run_step
from import_project.pipeline.open_invoices import fetch_invoices
from import_project.pipeline.parts import Parts
from import_project.pipeline.post import post_matched, post_rows, post_unmatched
from import_project.pipeline.read import parse_file, validate_rows
from import_project.pipeline.receive import receive
from import_project.pipeline.reconcile import reconcile

ROW_STEPS: Mapping[str, Step] = {
    "receive": receive,
    "parse_file": parse_file,
    "validate_rows": validate_rows,
    "post_rows": post_rows,
    "conclude": conclude,
}

PAYMENT_STEPS: Mapping[str, Step] = {
    "receive": receive,
    "parse_file": parse_file,
    "validate_rows": validate_rows,
    "fetch_invoices": fetch_invoices,
    "reconcile": reconcile,
    "post_matched": post_matched,
    "post_unmatched": post_unmatched,
    "conclude": conclude,
}


def steps_of(loaded: LoadedFeed) -> Mapping[str, Step]:
    """Return the steps of a feed's files, in order."""
    return ROW_STEPS if loaded.feed.kind == "rows" else PAYMENT_STEPS


def run_named(parts: Parts, loaded: LoadedFeed, partition: str, *, owner: str, step: str) -> Facts | None:
    """Run one step of a file by its name; in a dry run, only try it."""
    if parts.dry_run:
        return dry_step(parts, loaded, partition, owner=owner, step=step)
    return run_step(parts, loaded, partition, owner=owner, step=steps_of(loaded)[step])


def run_file(parts: Parts, loaded: LoadedFeed, partition: str, *, owner: str) -> dict[str, Facts]:
    """Take one file through all its steps. Returns each step's facts; a duplicate ends after the first."""
    told: dict[str, Facts] = {}
    for name in steps_of(loaded):
        facts = run_named(parts, loaded, partition, owner=owner, step=name)
        if facts is None:
            break
        told[name] = facts
    return told
