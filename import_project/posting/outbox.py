"""Sending what the ledger has frozen: marked before it leaves, answered before the next. Nothing is decided here.

A posting whose answer never came stays `unknown` and is sent again with the same key, which is the API's to recognise.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from import_project.errors import ApiAnswerUnusable, ApiRefusesUs, ApiUnavailable, ConfigError
from import_project.posting.client import refuses_us, try_later
from import_project.records.files import Claim
from import_project.records.postings import Answer, Posting, PostingKind, PostingState

_CHUNK_PER_SLOT = 8
_RECEIPT_LENGTH = 2_000


class Client(Protocol):
    """What takes postings: an API, or Python of the user's own. `concurrency` bounds those under way."""

    concurrency: int

    async def post(self, posting: Posting) -> tuple[int, str]:
        """Hand one over. Returns status and answer. Raises ApiUnavailable when no answer came."""


class Box(Protocol):
    """Where frozen postings wait: the ledger's `Postings`."""

    def unsent(self, feed: str, file: str, kinds: Iterable[PostingKind], *, after: int, limit: int) -> list[Posting]:
        """Return the next postings without a final answer."""

    def sending(self, claim: Claim, ids: Sequence[int], now: datetime) -> None:
        """Mark postings as on their way. Raises ClaimLost when another run has taken over."""

    def answered(self, claim: Claim, answers: Iterable[Answer], now: datetime) -> None:
        """Store what the API said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How many postings of one pass ended how."""

    done: int = 0
    rejected: int = 0
    unknown: int = 0


async def send(
    client: Client,
    box: Box,
    claim: Claim,
    file: str,
    kinds: Iterable[PostingKind],
    *,
    api: str,
    clock: Callable[[], datetime],
) -> Sent:
    """Send all unsent postings of a file once, a bounded number at a time, in row order; those for one invoice one
    after the other.

    One that fails does not hold back the others; when a whole chunk gets no answer, the API is taken to be down.
    Raises ApiUnavailable when some stay unknown, ApiRefusesUs when the API does not accept us, ApiAnswerUnusable when
    it redirects or nobody is there, and ConfigError for postings frozen for another API.
    """
    wanted, total, after = list(kinds), Sent(), 0
    refused: Answer | None = None
    lost, tried, anything = "", set[int](), False
    while True:
        chunk = await asyncio.to_thread(
            box.unsent, claim.feed, file, wanted, after=after, limit=client.concurrency * _CHUNK_PER_SLOT
        )
        if not chunk and not anything:
            break
        if not chunk:  # once more from the start: some may have waited for others of this pass
            after, anything = 0, False
            continue
        after = chunk[-1].id
        chunk = [p for p in chunk if p.id not in tried]
        if not chunk:
            continue
        tried.update(p.id for p in chunk)
        anything = True
        if strange := next((p.api for p in chunk if p.api != api), None):
            told = f"postings of this file are frozen for the API {strange}, the feed now names {api}"
            raise ConfigError(told, do=f"set post.api back to {strange} until they are sent")
        await asyncio.to_thread(box.sending, claim, [p.id for p in chunk], clock())
        answers = await _send_chunk(client, chunk)
        if _nowhere(answers):
            answers = [replace(a, state=PostingState.READY) for a in answers]
        await asyncio.to_thread(box.answered, claim, answers, clock())
        total = _counted(total, answers)
        lost = lost or next((a.receipt for a in answers if a.state is PostingState.UNKNOWN), "")
        refused = next((a for a in answers if a.state is PostingState.READY), None)
        if refused is not None or all(a.state is PostingState.UNKNOWN for a in answers):
            break
    if refused is not None:
        told = f"the API answered: {refused.receipt[:200]}"
        if refused.status is not None and refuses_us(refused.status):
            raise ApiRefusesUs(told, do="check the API's token and its rights")
        raise ApiAnswerUnusable(told, do="check the API's address and the feed's paths; nothing is given up")
    if total.unknown:
        told = f"{total.unknown} postings have no final answer, {total.done} are done: {lost[:200]}"
        raise ApiUnavailable(told, do="the next try sends them again with the same keys")
    return total


async def _send_chunk(client: Client, chunk: Sequence[Posting]) -> list[Answer]:
    slots = asyncio.Semaphore(client.concurrency)

    async def one(posting: Posting) -> Answer:
        async with slots:
            try:
                status, text = await client.post(posting)
            except ApiUnavailable as error:
                return Answer(posting_id=posting.id, state=PostingState.UNKNOWN, status=None, receipt=error.what)
        said = text.replace("\x00", "")  # which PostgreSQL cannot hold
        state = _state(status)
        receipt = said if state is PostingState.DONE else f"{status} {said}"
        return Answer(posting_id=posting.id, state=state, status=status, receipt=receipt[:_RECEIPT_LENGTH])

    return list(await asyncio.gather(*(one(p) for p in chunk)))


def _state(status: int) -> PostingState:
    """What an answer makes of a posting. Only a 2xx ends it well, only a 4xx about the request itself ends it badly."""
    if 200 <= status < 300:
        return PostingState.DONE
    if try_later(status):
        return PostingState.UNKNOWN
    if refuses_us(status) or not 400 <= status < 500:
        return PostingState.READY
    return PostingState.REJECTED


def _nowhere(answers: Sequence[Answer]) -> bool:
    """Whether every posting of several found nobody there: a wrong address, not wrong rows."""
    return len(answers) > 1 and all(a.status in {404, 405} for a in answers)


def _counted(total: Sent, answers: Iterable[Answer]) -> Sent:
    states = [a.state for a in answers]
    return Sent(
        done=total.done + states.count(PostingState.DONE),
        rejected=total.rejected + states.count(PostingState.REJECTED),
        unknown=total.unknown + states.count(PostingState.UNKNOWN),
    )
