"""Freezing decisions and their postings, for bank and row feeds alike; and what the ledger then holds of each row."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from import_project.frames import DECISIONS, MONEY
from import_project.pipeline.hold import Facts, Held
from import_project.pipeline.identity import subject
from import_project.records.postings import Again, Draft, PostingKind, PostingState, Taken

#: What a row is called in the table `decisions` when an earlier file brought it, and when the feed leaves it out.
REPEATED, SKIPPED = "repeated", "skipped"
#: The table of a dry run that counts the requests it would freeze, by kind.
WOULD_POST = "would_post"


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
    keep(held, drafts, taken=taken, again=again, causes=causes)
    return decisions_now(held, accepted)


def keep(
    held: Held,
    drafts: Iterable[Draft],
    *,
    taken: Taken | None = None,
    again: Sequence[Again] = (),
    causes: Iterable[Draft] = (),
) -> None:
    """Freeze drafts in the ledger."""
    parts, now = held.parts, held.parts.clock()
    parts.ledger.decisions.freeze(
        held.claim, held.sha256, held.loaded.target, drafts, now, taken=taken, again=again, causes=causes
    )


def decisions_now(held: Held, accepted: pl.DataFrame) -> pl.DataFrame:
    """Return what the ledger holds about every accepted row: rows of the table `decisions`."""
    subjects = [subject(i) for i in accepted["identity"]]
    kinds = _kinds(held, accepted["row_number"].to_list(), subjects)
    return _decisions(held, accepted, subjects, kinds)


def would_freeze(
    held: Held, accepted: pl.DataFrame, drafts: Iterable[Draft]
) -> tuple[pl.DataFrame, Counter[PostingKind]]:
    """Return rows of the table `decisions` as `freeze` would, and how many requests of each kind it would freeze."""
    subjects = [subject(i) for i in accepted["identity"]]
    numbers = accepted["row_number"].to_list()
    before = _kinds(held, numbers, subjects)
    known = held.parts.ledger.decisions.decided(held.feed, subjects)
    owners: dict[str, int] = {}
    for name, number in zip(subjects, numbers, strict=True):
        owners.setdefault(name, number)
    would: dict[str, str] = {}
    requests: Counter[PostingKind] = Counter()
    for draft in drafts:
        if draft.repeated:
            would[draft.subject] = REPEATED
        elif draft.subject not in known and owners.get(draft.subject) == draft.row_number:
            would.setdefault(draft.subject, draft.kind.value)
            requests[draft.kind] += 1
    kinds = [
        kind if name in known else (would.get(name, SKIPPED) if owners[name] == number else REPEATED)
        for kind, name, number in zip(before, subjects, numbers, strict=True)
    ]
    return _decisions(held, accepted, subjects, kinds), requests


def would_decide(held: Held, accepted: pl.DataFrame, drafts: Iterable[Draft], again: Sequence[Again] = ()) -> Facts:
    """Write what would be frozen as tables of a dry run, and tell it: `decisions`, and `WOULD_POST` by kind."""
    decisions, requests = would_freeze(held, accepted, drafts)
    requests.update(draft.kind for one in again for draft in one.drafts)
    held.parts.tables.write(held.feed, DECISIONS, held.sha256, decisions)
    counted = pl.DataFrame(
        {"kind": [k.value for k in requests], "requests": list(requests.values())},
        schema={"kind": pl.String, "requests": pl.Int64},
    )
    held.parts.tables.write(held.feed, WOULD_POST, held.sha256, counted)
    facts: dict[str, int | str] = dict(decisions.group_by("kind").len().sort("kind").iter_rows())
    return facts | {"would post": requests.total() + waiting(held).total()}


def waiting(held: Held) -> Counter[PostingKind]:
    """Count by kind the rows and payments of a file that are frozen, and still wait to be sent."""
    found: Counter[PostingKind] = Counter()
    for (kind, state), count in held.parts.ledger.postings.subjects(held.feed, held.sha256).items():
        if state is PostingState.READY:
            found[kind] += count
    return found


def _decisions(held: Held, accepted: pl.DataFrame, subjects: list[str], kinds: list[str]) -> pl.DataFrame:
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
