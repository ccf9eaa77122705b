"""Freezing decisions and their postings, for bank and row feeds alike; and what the ledger then holds of each row."""

import json
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from import_project.frames import MONEY
from import_project.pipeline.hold import Held
from import_project.pipeline.identity import subject
from import_project.records.postings import Again, Draft, Taken

#: What a row is called in the table `decisions` when an earlier file brought it, and when the feed leaves it out.
REPEATED, SKIPPED = "repeated", "skipped"


def freeze(
    held: Held,
    accepted: pl.DataFrame,
    drafts: Iterable[Draft],
    *,
    taken: Taken | None = None,
    again: Sequence[Again] = (),
    causes: Iterable[Draft] = (),
) -> pl.DataFrame:
    """Freeze drafts, and return what the ledger holds now about every accepted row: rows of the table `decisions`."""
    parts, now = held.parts, held.parts.clock()
    parts.ledger.decisions.freeze(
        held.claim, held.sha256, held.loaded.target, drafts, now, taken=taken, again=again, causes=causes
    )
    subjects = [subject(i) for i in accepted["identity"]]
    kinds = _kinds(held, accepted["row_number"].to_list(), subjects)
    money = held.loaded.schema is None
    return accepted.select(
        "row_number",
        subject=pl.Series(subjects, dtype=pl.String),
        kind=pl.Series(kinds, dtype=pl.String),
        currency="currency" if money else pl.lit(None, pl.String),
        amount="amount" if money else pl.lit(None, MONEY),
    )


def _kinds(held: Held, numbers: Sequence[int], subjects: Sequence[str]) -> list[str]:
    """A row without a decision is one that the feed leaves out; one decided in another file, or another row, is
    repeated."""
    decided = held.parts.ledger.decisions.decided(held.feed, subjects)
    found = []
    for number, name in zip(numbers, subjects, strict=True):
        one = decided.get(name)
        if one is None:
            found.append(SKIPPED)
        else:
            mine = one.sha256 == held.sha256 and one.row_number == number
            found.append(one.kind.value if mine else REPEATED)
    return found


def as_json(body: dict[str, Any]) -> str:
    """Write a body: amounts and dates as strings, keys in order, so that equal bodies are equal texts."""

    def text(value: Any) -> str:
        if isinstance(value, Decimal | date):
            return str(value)
        raise TypeError(f"no JSON for {type(value).__name__}")

    return json.dumps(body, default=text, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
