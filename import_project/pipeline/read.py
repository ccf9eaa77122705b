"""Steps 5 to 7: parse the bytes, check the file as a whole, part accepted from quarantined rows. Tables in, tables out.

Tables of a file: `parsed` and `findings` (what the format said), then `accepted`, `quarantined` and `issues`.
"""

import polars as pl

from import_project.errors import NotBookable, NotConserved
from import_project.formats.registry import format_named
from import_project.frames import Reading
from import_project.pipeline.hold import Facts, Held
from import_project.pipeline.identity import row_identities
from import_project.pipeline.wiring import row_schema
from import_project.validation.split import Split, split_payments, split_rows


async def parse_file(held: Held) -> Facts:
    """Parse the landed bytes. Raises FileRefused when the content is not what was agreed as a whole.

    A control total of the whole file that is wrong makes it NotBookable: nothing of it may be posted.
    """
    if _decided(held):
        return {"rows": held.parts.tables.read(held.feed, "parsed", held.sha256).height, "kept": 1}
    form = held.loaded.feed.format
    content = held.parts.landing.read(held.sha256)
    reading = format_named(form.kind).read(content, **form.options)
    _write(held, "findings", reading.issues)
    errors = reading.file_errors
    if errors.height:
        more = f" (and {errors.height - 1} more)" if errors.height > 1 else ""
        raise NotBookable(f"{errors['rule'][0]}: {errors['message'][0]}{more}", do="ask the sender for a whole file")
    _write(held, "parsed", reading.frame)
    return {"rows": reading.frame.height, "findings": reading.issues.height}


async def validate_rows(held: Held) -> Facts:
    """Part the parsed rows, and prove that none is lost: rows = accepted + quarantined."""
    if _decided(held):
        kept = {t: held.parts.tables.read(held.feed, t, held.sha256).height for t in ("accepted", "quarantined")}
        return {"rows": sum(kept.values()), **kept, "warnings": 0, "kept": 1}
    parsed = held.parts.tables.read(held.feed, "parsed", held.sha256)
    findings = held.parts.tables.read(held.feed, "findings", held.sha256)
    reading = Reading(format=held.loaded.feed.format.kind, frame=parsed, issues=findings)
    split = _split(held, reading)
    if split.rows != parsed.height:
        raise NotConserved(f"{parsed.height} rows parsed, {split.rows} after validation")
    _write(held, "accepted", split.accepted)
    _write(held, "quarantined", split.quarantined)
    _write(held, "issues", split.issues)
    errors = split.issues.filter(pl.col("severity") == "error")
    rules = dict(errors.group_by("rule").len().sort("rule").iter_rows())
    facts: dict[str, int] = {"rows": split.rows, "accepted": split.accepted.height}
    facts |= {"quarantined": split.quarantined.height, "warnings": split.issues.height - errors.height}
    return facts | {f"broken {rule}": count for rule, count in rules.items()}


def _decided(held: Held) -> bool:
    """Whether anything of the file is decided: its tables then stay as they are, whatever a schema says by now.

    Read anew, a posted row could get another identity, or be quarantined after it took effect.
    """
    return held.parts.ledger.postings.any_decided(held.feed, held.sha256)


def _split(held: Held, reading: Reading) -> Split:
    if held.loaded.schema is None:
        return split_payments(reading)
    schema = row_schema(held.loaded.schema)
    split = split_rows(reading, schema)
    identities = row_identities(reading.frame, [c.name for c in schema.columns])
    accepted = split.accepted.join(identities, on="row_number", how="left", maintain_order="left")
    return Split(accepted=accepted, quarantined=split.quarantined, issues=split.issues)


def _write(held: Held, table: str, frame: pl.DataFrame) -> None:
    held.parts.tables.write(held.feed, table, held.sha256, frame)
