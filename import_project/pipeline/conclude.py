"""Step 10: prove that nothing is lost, write the outcome, then set the sender's copy aside; in this order."""

from collections import Counter
from decimal import Decimal

from import_project.errors import ApiUnavailable, NotConserved, one_line
from import_project.frames import DECISIONS
from import_project.pipeline.aside import try_move_aside
from import_project.pipeline.conserve import conservation
from import_project.pipeline.freeze import REPEATED, SKIPPED
from import_project.pipeline.hold import Facts, Held
from import_project.pipeline.quarantine import replayed_rows
from import_project.pipeline.read import rows_parsed
from import_project.pipeline.retired import counts_now, outcome_of
from import_project.records.files import ArrivalState
from import_project.records.outcomes import Counts
from import_project.records.postings import PostingKind, PostingState

_WORDS = 300


async def conclude(held: Held) -> Facts:
    """End the file as `done`.

    Raises NotConserved when rows or money do not add up, and ApiUnavailable when postings still wait.
    """
    parts = held.parts
    counts = _counts(held)
    amounts = sums_of(held)
    if held.arrival.state is not ArrivalState.DUPLICATE:
        told = _told(held, counts)
        parts.ledger.outcomes.conclude(held.claim, ArrivalState.DONE, counts, amounts, parts.clock(), error=told)
    aside = await try_move_aside(parts, held.loaded, held.claim.partition)
    parts.ledger.arrivals.release(held.claim)
    facts: dict[str, int | str] = {name: n for name, n in _named(counts).items() if n is not None}
    facts |= {f"sum {currency}": f"{amount:.2f}" for currency, amount in amounts.items()}
    facts |= {"set aside": aside.place}
    return facts if aside.problem is None else facts | {"problem": aside.problem}


def _told(held: Held, counts: Counts) -> str | None:
    """What a file that is done all the same needs a person for, with the API's own words for the first row."""
    needs = {PostingState.REJECTED: counts.rejected, PostingState.DEAD: counts.dead}
    if not any(needs.values()):
        return None
    kept = held.parts.ledger.dead_letters.kept(states=tuple(needs), feed=held.feed, file=held.sha256)
    first = next(kept)
    counted = ", ".join(f"{n} {state}" for state, n in needs.items() if n)
    return f"{counted}; row {first.row_number}: {one_line(first.receipt or '')[:_WORDS]}"


def _named(counts: Counts) -> dict[str, int | None]:
    return {name: getattr(counts, name) for name in Counts.__slots__}


def _counts(held: Held) -> Counts:
    """Count, and prove rows = accepted + quarantined and accepted = posted + rejected + dead + repeated +
    skipped."""
    subjects = held.parts.ledger.postings.subjects(held.feed, held.sha256)
    ended = Counter[PostingState]()
    for (_, state), n in subjects.items():
        ended[state] += n
    if waiting := ended[PostingState.READY]:
        told = "run the posting step; `import-project postings list` shows what others wait for"
        raise ApiUnavailable(f"{waiting} rows still wait to be posted", do=told)
    counts = counts_now(held, subjects) if held.retired else _counted(held, ended)
    if counts.rows != counts.accepted + counts.quarantined:
        raise NotConserved(f"{counts.rows} rows, {counts.accepted} accepted, {counts.quarantined} quarantined")
    names = ("posted", "rejected", "dead", "repeated", "skipped")
    if counts.accepted != sum(getattr(counts, name) for name in names):
        told = ", ".join(f"{getattr(counts, name)} {name}" for name in names)
        raise NotConserved(f"{counts.accepted} rows accepted, but {told}")
    return counts


def _counted(held: Held, ended: Counter[PostingState]) -> Counts:
    payments = held.loaded.feed.kind == "payments"
    kinds, replayed = kinds_of(held), replayed_rows(held).height
    return Counts(
        rows=rows_parsed(held),
        accepted=_rows(held, "accepted") + replayed,
        quarantined=_rows(held, "quarantined") - replayed,
        matched=kinds[PostingKind.MATCHED] if payments else None,
        unmatched=kinds[PostingKind.UNMATCHED] if payments else None,
        repeated=kinds[REPEATED],
        posted=ended[PostingState.DONE],
        rejected=ended[PostingState.REJECTED],
        dead=ended[PostingState.DEAD],
        skipped=kinds[SKIPPED],
        replayed=replayed,
    )


def kinds_of(held: Held) -> Counter[str]:
    """Count the rows of the table `decisions` by kind."""
    return Counter(held.parts.tables.counts(held.feed, DECISIONS, held.sha256, "kind"))


def _rows(held: Held, table: str) -> int:
    return held.parts.tables.rows(held.feed, table, held.sha256)


def sums_of(held: Held) -> dict[str, Decimal]:
    """Return the signed sum per currency of a bank file, and prove that decided and quarantined money make it up."""
    if held.loaded.feed.kind != "payments":
        return {}
    if held.retired:
        return dict(outcome_of(held).sums)
    found = conservation(held.parts, held.feed, held.sha256)
    if not found.holds:
        raise NotConserved(found.told)
    return {row["currency"]: row["file"] for row in found.money.iter_rows(named=True) if row["currency"] != "?"}
