"""Step 9: send what is frozen. For row feeds, freezing comes first: each accepted row is one posting."""

from collections.abc import Iterator

import polars as pl

from import_project.pipeline.freeze import as_json, freeze
from import_project.pipeline.hold import Facts, Held
from import_project.pipeline.identity import subject
from import_project.posting import outbox
from import_project.records.postings import Draft, PostingKind


async def post_rows(held: Held) -> Facts:
    """Freeze and send every accepted row of a row file."""
    accepted = held.parts.tables.read(held.feed, "accepted", held.sha256)
    frozen = freeze(held, accepted, _drafts(held, accepted))
    return {**frozen, **await _send(held, PostingKind.ROW)}


async def post_matched(held: Held) -> Facts:
    """Send the matched payments of a bank file."""
    return await _send(held, PostingKind.MATCHED)


async def post_unmatched(held: Held) -> Facts:
    """Send the unmatched payments of a bank file, each with its reason."""
    return await _send(held, PostingKind.UNMATCHED)


async def _send(held: Held, kind: PostingKind) -> Facts:
    parts, api = held.parts, held.loaded.api
    async with parts.open_api(held.loaded) as client:
        sent = await outbox.send(
            client,
            parts.ledger.postings,
            held.claim,
            held.sha256,
            [kind],
            api=api.api,
            key_header=api.key_header,
            clock=parts.clock,
        )
    return {"sent": sent.done, "rejected": sent.rejected}


def _drafts(held: Held, accepted: pl.DataFrame) -> Iterator[Draft]:
    path = held.loaded.feed.post.rows or ""
    for row in accepted.iter_rows(named=True):
        number, identity = row.pop("row_number"), row.pop("identity")
        yield Draft(
            subject=subject(identity), part=0, kind=PostingKind.ROW, row_number=number, path=path, body=as_json(row)
        )
