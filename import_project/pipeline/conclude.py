"""Step 10: prove that nothing is lost, write the outcome, then set the sender's copy aside; in this order."""

from collections import Counter
from decimal import Decimal

from import_project.errors import ApiUnavailable, NotConserved
from import_project.pipeline.aside import try_move_aside
from import_project.pipeline.conserve import conservation
from import_project.pipeline.freeze import REPEATED, SKIPPED
from import_project.pipeline.hold import Facts, Held
from import_project.pipeline.quarantine import replayed_rows
from import_project.pipeline.read import rows_parsed
from import_project.records.files import ArrivalState
from import_project.records.outcomes import Counts
from import_project.records.postings import PostingKind


async def conclude(held: Held) -> Facts:
    """End the file as `done`.

    Raises NotConserved when rows or money do not add up, and ApiUnavailable when postings still wait.
    """
    parts = held.parts
    counts = _counts(held)
    amounts = _sums(held)
    if held.arrival.state is not ArrivalState.DUPLICATE:
        parts.ledger.outcomes.conclude(held.claim, ArrivalState.DONE, counts, amounts, parts.clock())
    aside = await try_move_aside(parts, held.loaded, held.claim.partition)
    parts.ledger.arrivals.release(held.claim)
    facts: dict[str, int | str] = {name: n for name, n in _named(counts).items() if n is not None}
    facts |= {f"sum {currency}": f"{amount:.2f}" for currency, amount in amounts.items()}
    facts |= {"set aside": aside.place}
    return facts if aside.problem is None else facts | {"problem": aside.problem}


def _named(counts: Counts) -> dict[str, int | None]:
    return {name: getattr(counts, name) for name in Counts.__slots__}


def _counts(held: Held) -> Counts:
    """Count, and prove rows = accepted + quarantined and accepted = posted + rejected + repeated + skipped."""
    subjects = held.parts.ledger.postings.subjects(held.feed, held.sha256)
    kinds = _kinds(held)
    waiting = sum(n for (_, done, rejected), n in subjects.items() if not done and not rejected)
    if waiting:
        raise ApiUnavailable(f"{waiting} rows still wait to be posted", do="run the posting step first")
    payments = held.loaded.feed.kind == "payments"
    replayed = replayed_rows(held).height
    counts = Counts(
        rows=rows_parsed(held),
        accepted=_rows(held, "accepted") + replayed,
        quarantined=_rows(held, "quarantined") - replayed,
        matched=kinds[PostingKind.MATCHED] if payments else None,
        unmatched=kinds[PostingKind.UNMATCHED] if payments else None,
        repeated=kinds[REPEATED],
        posted=sum(n for (_, done, _), n in subjects.items() if done),
        rejected=sum(n for (_, _, rejected), n in subjects.items() if rejected),
        skipped=kinds[SKIPPED],
        replayed=replayed,
    )
    if counts.rows != counts.accepted + counts.quarantined:
        raise NotConserved(f"{counts.rows} rows, {counts.accepted} accepted, {counts.quarantined} quarantined")
    if counts.accepted != counts.posted + counts.rejected + counts.repeated + counts.skipped:
        told = (
            f"{counts.posted} posted, {counts.rejected} rejected, {counts.repeated} repeated, {counts.skipped} skipped"
        )
        raise NotConserved(f"{counts.accepted} rows accepted, but {told}")
    return counts


def _kinds(held: Held) -> Counter[str]:
    found: Counter[str] = Counter()
    for frame in held.parts.tables.batches(held.feed, "decisions", held.sha256, columns=["kind"]):
        found.update(frame["kind"].to_list())
    return found


def _rows(held: Held, table: str) -> int:
    return held.parts.tables.rows(held.feed, table, held.sha256)


def _sums(held: Held) -> dict[str, Decimal]:
    """Return the signed sum per currency of a bank file, and prove that decided and quarantined money make it up."""
    if held.loaded.feed.kind != "payments":
        return {}
    found = conservation(held.parts, held.feed, held.sha256)
    if not found.holds:
        raise NotConserved(found.told)
    return {row["currency"]: row["file"] for row in found.money.iter_rows(named=True) if row["currency"] != "?"}
