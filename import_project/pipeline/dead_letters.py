"""Postings that need a person: found, explained, sent again with their keys, or settled by a person's word."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from import_project.config.load import LoadedFeed
from import_project.errors import ApiUnavailable, ConfigError
from import_project.frames import ROW_NUMBER
from import_project.pipeline.conclude import conclude
from import_project.pipeline.hold import Facts, Held, run_step
from import_project.pipeline.parts import Parts
from import_project.pipeline.post import post_matched, post_rows, post_unmatched
from import_project.records.postings import KeptPosting, PostingState

#: Under which rule a row stands in the quarantine that the API did not want.
REJECTED_BY_API = "rejected_by_api"

#: What becomes of a posting in each state.
EXPLAINED = {
    PostingState.READY: "it is sent with the next run of its file, or waits for an earlier one of the same invoice",
    PostingState.SENDING: "it is on its way; if its run was cut off, the next one treats it as unknown",
    PostingState.UNKNOWN: "it may have taken effect; the next run looks it up, or sends it again with the same key",
    PostingState.DONE: "the API has it; this is its receipt",
    PostingState.REJECTED: "the API does not want it; mend what it says and replay it, or have it sent again right",
    PostingState.DEAD: "nobody can tell whether it took effect: look at the API, then replay it, or settle it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """Who says something of a posting, and why."""

    by: str
    note: str = ""


def find_posting(parts: Parts, name: str) -> KeptPosting:
    """Return the one posting with this number or beginning of a key. Raises ConfigError for none or several."""
    found = parts.ledger.dead_letters.called(name) if name else []
    if not found:
        raise ConfigError(f"no posting {name}", do="see `import-project postings list`")
    if len(found) > 1:
        raise ConfigError(f"several keys begin with {name}", do="write more of it")
    return found[0]


def shown(parts: Parts, one: KeptPosting) -> dict[str, Any]:
    """Return everything about a posting: plain values, its file, and what becomes of it."""
    arrival = parts.ledger.arrivals.bringer(one.feed, one.sha256)
    told = {name: getattr(one, name) for name in KeptPosting.__slots__}
    times = {n: None if told[n] is None else told[n].isoformat(timespec="seconds") for n in _TIMES}
    amount = None if one.amount is None else str(one.amount)
    return told | times | {"amount": amount, "file": arrival.name, "explained": EXPLAINED[one.state]}


def rejected_rows(parts: Parts, feed: str, sha256: str) -> list[dict[str, Any]]:
    """Return what the API rejected of a file, as quarantined rows are told: `row_number`, `cells` as they were posted,
    and one of `issues` with the API's words and the posting's number."""
    kept = parts.ledger.dead_letters.kept(states=(PostingState.REJECTED,), feed=feed, file=sha256)
    return [_as_quarantined(one) for one in kept]


def _as_quarantined(one: KeptPosting) -> dict[str, Any]:
    body = json.loads(one.body)
    issue = {"rule": REJECTED_BY_API, "message": one.receipt or "", "severity": "error", "posting": one.id}
    return {ROW_NUMBER: one.row_number, "cells": body if isinstance(body, dict) else {"": body}, "issues": [issue]}


_TIMES = ("frozen_at", "sent_at", "changed_at")


def replay_postings(
    parts: Parts, loaded: LoadedFeed, some: Sequence[KeptPosting], word: Word, *, owner: str, lost: bool = False
) -> tuple[list[KeptPosting], list[str]]:
    """Let dead or rejected postings of one file be sent again, with their keys, and send them; or those that were done,
    and that the API has `lost`. These are looked up first, where that can be.

    Returns how they stand then, and why some were not replayed. Raises ConfigError when none was.
    """
    again, refused = set[int](), list[ConfigError]()

    async def decide(held: Held) -> Facts:
        replay = held.parts.ledger.dead_letters.replay
        for one in sorted(some, key=lambda p: p.id):
            if one.id in again:  # what takes another back goes with that one
                continue
            try:
                now = held.parts.clock()
                again.update(p.id for p in replay(held.claim, one, word.by, word.note, now, lost=lost))
            except ConfigError as error:
                refused.append(error)
        if not again and refused:
            raise refused[0]
        return {"replayed": len(again)}

    sending = (post_rows,) if loaded.feed.kind == "rows" else (post_matched, post_unmatched)
    for step in (decide, *sending, conclude):
        run_step(parts, loaded, _partition(parts, some[0]), owner=owner, step=step)
    return _standing(parts, [one for one in some if one.id in again]), [error.line for error in refused]


def settle_posting(
    parts: Parts, loaded: LoadedFeed, one: KeptPosting, state: PostingState, word: Word, *, owner: str
) -> KeptPosting:
    """Take a person's word that the API has a posting (`done`), or never will (`rejected`). Returns how it stands.

    Nothing is sent; what waited for it is, by the next poll's run.
    """

    async def decide(held: Held) -> Facts:
        held.parts.ledger.dead_letters.settle(held.claim, one, state, word.by, word.note, held.parts.clock())
        return {"settled": 1}

    partition = _partition(parts, one)
    run_step(parts, loaded, partition, owner=owner, step=decide)
    with suppress(ApiUnavailable):  # others of the file still wait: its next run concludes it
        run_step(parts, loaded, partition, owner=owner, step=conclude)
    return _standing(parts, [one])[0]


def _partition(parts: Parts, one: KeptPosting) -> str:
    return parts.ledger.arrivals.bringer(one.feed, one.sha256).partition or ""


def _standing(parts: Parts, some: Sequence[KeptPosting]) -> list[KeptPosting]:
    return [parts.ledger.dead_letters.called(str(one.id))[0] for one in some]
