"""A chunk of postings before and after it is sent: what is settled without sending, what the ledger is told, and why
nothing more is sent. How it is sent is `dispatch`'s."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from import_project.errors import ApiAnswerUnusable, ApiKeyReused, ApiRefusesUs, ImportProjectError
from import_project.posting.answers import RECEIPT_LENGTH, Judged, Next, Stop, Verdict, next_of, nowhere
from import_project.posting.look_ups import Asked, found_out, look_up
from import_project.records.endpoints import Endpoint, LookUp
from import_project.records.postings import Answer, Posting, PostingKind, PostingState
from import_project.records.terms import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A chunk in parts: `settled` without sending, `ready` to be sent; and why look-ups failed, if they did: what was
    looked up in vain stays as it is. `heard`: the API has answered a look-up."""

    settled: tuple[Judged, ...]
    ready: tuple[Posting, ...]
    failed: ImportProjectError | None
    heard: bool


async def planned(
    chunk: Sequence[Posting],
    client: Asked,
    places: int,
    terms: Terms,
    routes: Mapping[PostingKind, Endpoint],
    now: datetime,
) -> Plan:
    """Look up what may have taken effect, park what nobody can tell of, and let the rest be sent. At most so many
    look-ups as there are `places` run at once."""
    settled, ready, asked = list[Judged](), list[Posting](), list[tuple[Posting, LookUp]]()
    for posting in chunk:
        how = routes[posting.kind].look_up if posting.kind in routes else None
        step = next_of(posting, terms, now, look_up=how is not None)
        if step is Next.PARK:
            settled.append(Judged(posting=posting, reply=None, verdict=_parked(posting)))
        elif step is Next.LOOK_UP and how is not None:
            asked.append((posting, how))
        else:
            ready.append(posting)
    slots = asyncio.Semaphore(places)

    async def ask(posting: Posting, how: LookUp) -> Verdict | ImportProjectError | None:
        async with slots:
            try:
                return found_out(await look_up(client, how, posting))
            except ImportProjectError as error:
                return error

    found = await asyncio.gather(*(ask(*one) for one in asked))
    for (posting, _), one in zip(asked, found, strict=True):
        if one is None:  # proof that it is not there: its key counts as new
            ready.append(replace(posting, sent_at=None))
        elif isinstance(one, Verdict):
            settled.append(Judged(posting=posting, reply=None, verdict=one))
    failed = next((f for f in found if isinstance(f, ImportProjectError)), None)
    heard = any(not isinstance(f, ImportProjectError) for f in found)
    ordered = tuple(sorted(ready, key=lambda p: p.id))
    return Plan(settled=tuple(settled), ready=ordered, failed=failed, heard=heard)


def _parked(posting: Posting) -> Verdict:
    told = f"sent first at {posting.sent_at:%Y-%m-%d %H:%M} UTC, and the API no longer knows its key for certain; "
    told += f"the last answer: {posting.receipt or 'none'}"
    return Verdict(state=PostingState.DEAD, told=told[:RECEIPT_LENGTH], repeats=posting.repeats)


def held_together(judged: Sequence[Judged], *, probe: bool) -> tuple[list[Judged], ImportProjectError | None]:
    """Return what came of a chunk as a whole, and why nothing more is sent, if so.

    Where every posting of several found nobody there, or the one that tried an API after an outage, the address is
    wrong, not the rows.
    """
    replies = [j.reply for j in judged if j.reply is not None]
    if replies and all(nowhere(r.status) for r in replies) and (len(replies) > 1 or probe):
        judged = [_unsettled(j) for j in judged]
    stops = [j.verdict for j in judged if j.verdict is not None and j.verdict.stop is not None]
    return list(judged), _error(stops[0]) if stops else None


def _unsettled(judged: Judged) -> Judged:
    if judged.verdict is None or judged.reply is None:
        return judged
    verdict = replace(judged.verdict, state=_before(judged.posting), stop=Stop.UNUSABLE)
    return replace(judged, verdict=verdict)


def _before(posting: Posting) -> PostingState:
    return PostingState.READY if posting.state is PostingState.READY else PostingState.UNKNOWN


def answer_of(judged: Judged, now: datetime) -> Answer:
    """Return what the ledger keeps of one try."""
    posting, verdict, reply = judged.posting, judged.verdict, judged.reply
    if verdict is None:
        return Answer(
            posting_id=posting.id,
            key=posting.key,
            state=_before(posting),
            status=posting.status,
            receipt=posting.receipt,
            sent_at=posting.sent_at,
            repeats=posting.repeats,
            tried=False,
        )
    return Answer(
        posting_id=posting.id,
        key=posting.key,
        state=verdict.state,
        status=posting.status if reply is None else reply.status,
        receipt=verdict.told,
        sent_at=None if verdict.state is PostingState.READY else posting.sent_at or now,
        repeats=verdict.repeats,
    )


def _error(verdict: Verdict) -> ImportProjectError:
    told = f"the API answered: {verdict.told[:200]}"
    if verdict.stop is Stop.REFUSED:
        return ApiRefusesUs(told, do="check the API's token and its rights")
    if verdict.stop is Stop.KEY_REUSED:
        return ApiKeyReused(told, do="see `import-project postings list`; does another system use the same keys?")
    return ApiAnswerUnusable(told, do="check the API's address and the feed's paths; nothing is given up")
