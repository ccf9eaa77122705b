"""Step 9: send what is frozen. For row feeds, freezing comes first: each accepted row is one posting, unless the feed
leaves it out."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal

import polars as pl

from import_project.errors import ClaimLost
from import_project.frames import DECISIONS, IDENTITY, ROW_NUMBER
from import_project.pipeline.freeze import freeze
from import_project.pipeline.hold import Facts, Held, also_held
from import_project.pipeline.identity import subject
from import_project.pipeline.older_ledger import box_of
from import_project.pipeline.quarantine import IDENTITY_NOW
from import_project.pipeline.requests import request_of
from import_project.pipeline.skip import left_out
from import_project.posting.callback import CallbackClient, CellType, match_of, row_of
from import_project.posting.client import ImportApiClient
from import_project.posting.outbox import Outbox
from import_project.posting.waits import Time
from import_project.records.postings import Draft, PostingKind
from import_project.validation.schema import RowSchema


async def post_rows(held: Held) -> Facts:
    """Freeze and send every accepted row of a row file, and those of its quarantined rows that were replayed."""
    if held.retired:
        return await _send(held, PostingKind.ROW)
    kinds: Counter[str] = Counter()
    with held.parts.tables.writing(held.feed, held.sha256, DECISIONS) as tables:
        for accepted in accepted_rows(held):
            decisions = freeze(held, accepted, drafts_of(held, _undecided(held, accepted)))
            tables[DECISIONS].append(decisions)
            kinds.update(decisions["kind"].to_list())
    return {**dict(sorted(kinds.items())), **await _send(held, PostingKind.ROW)}


def _undecided(held: Held, accepted: pl.DataFrame) -> pl.DataFrame:
    """Leave out what an earlier try has frozen, so that a long outage does not cost each try a request of every row.
    Replayed rows stay: what else they are known as is kept with them."""
    decisions = held.parts.ledger.decisions
    if IDENTITY_NOW in accepted.columns or not decisions.any_decided(held.feed, held.sha256):
        return accepted
    subjects = [subject(identity) for identity in accepted[IDENTITY]]
    known = decisions.decided(held.feed, subjects)
    return accepted.filter(pl.Series([name not in known for name in subjects], dtype=pl.Boolean))


def accepted_rows(held: Held) -> Iterator[pl.DataFrame]:
    """Yield the accepted rows of a row file, then those that were replayed, some at a time."""
    yield from held.parts.tables.batches(held.feed, "accepted", held.sha256)
    if held.parts.tables.has(held.feed, "replayed", held.sha256):
        yield held.parts.tables.read(held.feed, "replayed", held.sha256)


async def post_matched(held: Held) -> Facts:
    """Send the matched payments of a bank file with what is left over of them; and those of earlier files that were
    decided again with them."""
    facts = await _send(held, PostingKind.MATCHED, PostingKind.CREDIT)
    return facts | await _send_again(held)


async def post_unmatched(held: Held) -> Facts:
    """Send the unmatched payments of a bank file, each with its reason."""
    return await _send(held, PostingKind.UNMATCHED)


async def _send_again(held: Held) -> dict[str, int]:
    """One that another run holds is sent by that, or by a later poll's."""
    parts, sent = held.parts, 0
    for file in parts.ledger.postings.decided_again(held.feed, other_than=held.sha256):
        partition = parts.ledger.arrivals.bringer(held.feed, file).partition or ""
        with suppress(ClaimLost), also_held(held, partition) as other:
            for kinds in ((PostingKind.MATCHED, PostingKind.CREDIT), (PostingKind.UNMATCHED,)):
                sent += (await _send(other, *kinds))["sent"]
    return {"sent of earlier files": sent} if sent else {}


async def _send(held: Held, *kinds: PostingKind) -> dict[str, int]:
    parts = held.parts
    async with _client(held, kinds[0]) as client:
        outbox = Outbox(
            client,
            box_of(parts),
            parts.ledger.apis,
            held.claim,
            held.sha256,
            target=held.loaded.target,
            terms=held.loaded.terms,
            routes=held.loaded.routes,
            time=Time(clock=parts.clock, sleep=parts.sleep, chance=parts.chance, over=lambda: held.lease.over),
        )
        sent = await outbox.send(kinds)
    return {"sent": sent.done, "rejected": sent.rejected, **({"dead": sent.dead} if sent.dead else {})}


def _client(held: Held, kind: PostingKind) -> ImportApiClient | CallbackClient:
    calls = held.loaded.callbacks
    if kind is PostingKind.ROW and calls.on_row is not None:
        cells = cell_types(held.loaded.schema)
        return CallbackClient(calls.on_row, "on_row", lambda posting: row_of(posting, held.feed, cells))
    name = "on_unmatched" if kind is PostingKind.UNMATCHED else "on_matched"
    call = getattr(calls, name)
    if kind is not PostingKind.ROW and call is not None:
        return CallbackClient(call, name, lambda posting: match_of(posting, held.feed))
    return held.parts.open_api(held.loaded)


def cell_types(schema: RowSchema | None) -> Mapping[str, CellType]:
    """Return how the values of a frozen row are read back, by column."""
    known: Mapping[str, CellType] = {
        "decimal": Decimal,
        "date": date.fromisoformat,
        "datetime": datetime.fromisoformat,
    }
    return {c.name: known[c.type] for c in (schema.columns if schema else ()) if c.type in known}


def drafts_of(held: Held, accepted: pl.DataFrame) -> Iterator[Draft]:
    """Yield a posting for each row that the feed does not leave out."""
    rows = held.loaded.feed.post.rows
    endpoint = rows.endpoint if rows is not None else None
    left = left_out(held.loaded, accepted)
    for row, out in zip(accepted.iter_rows(named=True), left, strict=True):
        if out:
            continue
        number, identity, now = row.pop(ROW_NUMBER), row.pop(IDENTITY), row.pop(IDENTITY_NOW, None)
        yield Draft(
            subject=subject(identity),
            part=0,
            kind=PostingKind.ROW,
            row_number=number,
            **request_of(endpoint, row),
            also=subject(now) if now is not None and now != identity else None,
        )
