"""A file that is done and whose tables were let go: what is frozen of it can still be sent, and its outcome follows."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from import_project.errors import StoreDamaged
from import_project.pipeline.hold import Facts, Held
from import_project.records.outcomes import Counts, Outcome
from import_project.records.postings import PostingKind, PostingState


def as_it_was(held: Held) -> Facts:
    """Return what a step that would read the file again tells instead: the counts of its outcome."""
    counts = outcome_of(held).counts
    told = {"rows": counts.rows, "accepted": counts.accepted, "quarantined": counts.quarantined}
    return {**told, "warnings": 0, "let go": "its tables, after the days they are kept"}


def outcome_of(held: Held) -> Outcome:
    """Return the outcome it had. Raises StoreDamaged when there is none."""
    found = held.parts.ledger.outcomes.of(held.feed, held.claim.partition)
    if found is None:
        raise StoreDamaged("the file is done, but has no outcome", do="restore the ledger from a backup")
    return found


def counts_now(held: Held, subjects: Mapping[tuple[PostingKind, PostingState], int]) -> Counts:
    """Return the counts it had, with how its postings stand now."""
    kinds, ended = Counter[PostingKind](), Counter[PostingState]()
    for (kind, state), count in subjects.items():
        kinds[kind] += count
        ended[state] += count
    counts = replace(
        outcome_of(held).counts,
        posted=ended[PostingState.DONE],
        rejected=ended[PostingState.REJECTED],
        dead=ended[PostingState.DEAD],
    )
    if held.loaded.feed.kind != "payments":
        return counts
    return replace(counts, matched=kinds[PostingKind.MATCHED], unmatched=kinds[PostingKind.UNMATCHED])
