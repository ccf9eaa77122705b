"""A chunk of postings before and after it is sent: what is settled without sending, what the ledger is told, and why
nothing more is sent. How it is sent is `dispatch`'s."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from import_project.errors import ApiAnswerUnusable, ApiKeyReused, ApiRefusesUs, ApiUnavailable, ImportProjectError
from import_project.posting.answers import (
    Judged,
    Next,
    Reply,
    Stop,
    Verdict,
    clean,
    key_known,
    next_of,
    nowhere,
    untouched,
)
from import_project.posting.look_ups import Asked, found_out, look_up
from import_project.records.endpoints import Endpoint, LookUp
from import_project.records.postings import Answer, Posting, PostingKind, PostingState
from import_project.records.terms import Terms

#: At which try a 404 is about the row, where all that was tried with it got one too.
_BELIEVED_AT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A chunk in parts: `settled` without sending, `ready` to be sent; what is in neither stays as it is. `heard`: the
    API has answered a look-up; `failed`: it did not, and is asked no more; `vain` is why one posting cannot be
    looked up."""

    settled: tuple[Judged, ...]
    ready: tuple[Posting, ...]
    failed: ApiUnavailable | ApiRefusesUs | None
    heard: bool
    vain: str


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
        elif step is Next.SEND:
            ready.append(posting)
    slots = asyncio.Semaphore(places)

    failures, vain = list[ApiUnavailable | ApiRefusesUs](), list[str]()

    async def ask(posting: Posting, how: LookUp) -> None:
        async with slots:
            if failures:
                return
            try:
                found = found_out(await look_up(client, how, posting))
            except (ApiUnavailable, ApiRefusesUs) as error:
                failures.append(error)
                return
            except ImportProjectError as error:  # about this posting alone: the others go on
                vain.append(error.what)
                if key_known(posting, terms, now):
                    return
                found = _parked(posting, error.line)
            if found is None:  # it is not there, so all that was said to it is void
                ready.append(replace(posting, state=PostingState.READY))
            else:
                settled.append(Judged(posting=posting, reply=None, verdict=found))

    before = len(ready), len(settled)
    await asyncio.gather(*(ask(*one) for one in asked))
    heard, failed = (len(ready), len(settled)) != before, failures[0] if failures else None
    ordered = tuple(sorted(ready, key=lambda p: p.id))
    return Plan(settled=tuple(settled), ready=ordered, failed=failed, heard=heard, vain=next(iter(vain), ""))


def _parked(posting: Posting, look_up: str | None = None) -> Verdict:
    first = (
        "sent first at" if posting.attempts else "the ledger is older than what was done, it may have been sent since"
    )
    told = f"{first} {posting.sent_at:%Y-%m-%d %H:%M} UTC, and the API no longer knows its key for certain; "
    told += f"it cannot be looked up: {look_up}; " if look_up else ""
    told += f"the last answer: {posting.receipt or 'none'}"
    return Verdict(state=PostingState.DEAD, told=clean(told), repeats=posting.repeats)


def held_together(judged: Sequence[Judged], *, probe: bool) -> tuple[list[Judged], ImportProjectError | None]:
    """Return what came of a chunk as a whole, and why nothing more is sent, if so.

    Where all postings found nobody there, the address may be wrong, not the rows: only at the third try they are
    believed. The one that tries an API after an outage tells nothing by it.
    """
    replies = [j.reply for j in judged if j.reply is not None]
    tries = min((j.posting.attempts + 1 for j in judged if j.reply is not None), default=0)
    nobody = bool(replies) and all(nowhere(r.status) and not r.item for r in replies)
    if nobody and (probe or tries < _BELIEVED_AT):
        judged = [_unsettled(j, probe=probe) for j in judged]
    stops = [(j.verdict.stop, j.reply) for j in judged if j.verdict is not None and j.verdict.stop is not None]
    return list(judged), _error(*stops[0]) if stops else None


def _unsettled(judged: Judged, *, probe: bool) -> Judged:
    if judged.verdict is None or judged.reply is None:
        return judged
    state, stop = untouched(judged.posting), None if probe else Stop.UNUSABLE
    return replace(judged, verdict=replace(judged.verdict, state=state, stop=stop, fault=probe))


def answer_of(judged: Judged, now: datetime) -> Answer:
    """Return what the ledger keeps of one try."""
    posting, verdict, reply = judged.posting, judged.verdict, judged.reply
    if verdict is None:
        return Answer(
            posting_id=posting.id,
            key=posting.key,
            state=untouched(posting),
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


def _error(stop: Stop, reply: Reply | None) -> ImportProjectError:
    told = f"the API takes no posting: {'it cannot be asked' if reply is None else reply.reason}"
    words = "its words are in `import-project postings list`"
    if stop is Stop.REFUSED:
        return ApiRefusesUs(told, do=f"check the API's token and its rights; {words}")
    if stop is Stop.KEY_REUSED:
        return ApiKeyReused(told, do=f"{words}; does another system use the same keys?")
    return ApiAnswerUnusable(told, do=f"check the API's address and the feed's paths; {words}")
