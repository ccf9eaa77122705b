"""Step 10: prove that nothing is lost, write the outcome, then set the sender's copy aside; in this order."""

from decimal import Decimal

import polars as pl

from import_project.errors import ApiUnavailable, NotConserved
from import_project.pipeline.aside import try_move_aside
from import_project.pipeline.freeze import REPEATED
from import_project.pipeline.hold import Facts, Held
from import_project.records.files import ArrivalState
from import_project.records.outcomes import Counts
from import_project.records.postings import PostingKind


async def conclude(held: Held) -> Facts:
    """End the file as `done`.

    Raises NotConserved when rows or money do not add up, and ApiUnavailable when postings still wait.
    """
    parts = held.parts
    read = {t: parts.tables.read(held.feed, t, held.sha256) for t in ("parsed", "accepted", "quarantined", "decisions")}
    counts = _counts(held, read)
    amounts = _sums(held, read)
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


def _counts(held: Held, read: dict[str, pl.DataFrame]) -> Counts:
    """Count, and prove rows = accepted + quarantined and accepted = posted + rejected + repeated."""
    subjects = held.parts.ledger.postings.subjects(held.feed, held.sha256)
    kinds = read["decisions"]["kind"]
    waiting = sum(n for (_, done, rejected), n in subjects.items() if not done and not rejected)
    if waiting:
        raise ApiUnavailable(f"{waiting} rows still wait to be posted", do="run the posting step first")
    payments = held.loaded.feed.kind == "payments"
    counts = Counts(
        rows=read["parsed"].height,
        accepted=read["accepted"].height,
        quarantined=read["quarantined"].height,
        matched=int((kinds == PostingKind.MATCHED.value).sum()) if payments else None,
        unmatched=int((kinds == PostingKind.UNMATCHED.value).sum()) if payments else None,
        repeated=int((kinds == REPEATED).sum()),
        posted=sum(n for (_, done, _), n in subjects.items() if done),
        rejected=sum(n for (_, _, rejected), n in subjects.items() if rejected),
    )
    if counts.rows != counts.accepted + counts.quarantined:
        raise NotConserved(f"{counts.rows} rows, {counts.accepted} accepted, {counts.quarantined} quarantined")
    if counts.accepted != counts.posted + counts.rejected + counts.repeated:
        told = f"{counts.posted} posted, {counts.rejected} rejected, {counts.repeated} repeated"
        raise NotConserved(f"{counts.accepted} rows accepted, but {told}")
    return counts


def _sums(held: Held, read: dict[str, pl.DataFrame]) -> dict[str, Decimal]:
    """Return the signed sum per currency of a bank file, and prove that decided and quarantined money make it up."""
    if held.loaded.feed.kind != "payments":
        return {}
    whole = _by_currency(read["parsed"])
    parts = [_by_currency(read["decisions"]), _by_currency(read["quarantined"])]
    for currency, amount in whole.items():
        found = sum((p.get(currency, Decimal(0)) for p in parts), Decimal(0))
        if found != amount:
            raise NotConserved(f"the file holds {amount} {currency}, decided and quarantined are {found}")
    return whole


def _by_currency(frame: pl.DataFrame) -> dict[str, Decimal]:
    sums = frame.group_by("currency", maintain_order=True).agg(pl.col("amount").sum())
    return {currency: amount for currency, amount in sums.iter_rows() if currency is not None}
