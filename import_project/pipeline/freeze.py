"""Freezing decisions and their postings, for bank and row feeds alike; and what the ledger then holds of each row."""

import json
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from import_project.frames import MONEY
from import_project.pipeline.hold import Facts, Held
from import_project.pipeline.identity import subject
from import_project.records.postings import Draft, Taken

#: What a row is called in the table `decisions` when an earlier file brought it.
REPEATED = "repeated"


def freeze(held: Held, accepted: pl.DataFrame, drafts: Iterable[Draft], *, taken: Taken | None = None) -> Facts:
    """Freeze drafts, then write the table `decisions`: what the ledger holds now about every accepted row."""
    parts = held.parts
    parts.ledger.postings.freeze(held.claim, held.sha256, held.loaded.api.api, drafts, parts.clock(), taken=taken)
    subjects = [subject(i) for i in accepted["identity"]]
    decided = parts.ledger.postings.decided(held.feed, subjects)
    kinds = [decided[s].kind.value if decided[s].sha256 == held.sha256 else REPEATED for s in subjects]
    money = "amount" in accepted.columns and "currency" in accepted.columns and held.loaded.schema is None
    frame = accepted.select(
        "row_number",
        subject=pl.Series(subjects, dtype=pl.String),
        kind=pl.Series(kinds, dtype=pl.String),
        currency="currency" if money else pl.lit(None, pl.String),
        amount="amount" if money else pl.lit(None, MONEY),
    )
    parts.tables.write(held.feed, "decisions", held.sha256, frame)
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def as_json(body: dict[str, Any]) -> str:
    """Write a body: amounts and dates as strings, keys in order, so that equal bodies are equal texts."""

    def text(value: Any) -> str:
        if isinstance(value, Decimal | date):
            return str(value)
        raise TypeError(f"no JSON for {type(value).__name__}")

    return json.dumps(body, default=text, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
