"""One chunk of postings on its way: so many requests at once, at a pace, and no more once the API fails in a row."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from import_project.posting.answers import Judged, Reply, Stop, Verdict, slow_down
from import_project.posting.batches import content_of, replies_of
from import_project.records.endpoints import Batch, Endpoint
from import_project.records.postings import Posting, PostingKind


class Client(Protocol):
    """What takes postings: an API, or Python of the user's own. `concurrency` bounds those under way."""

    concurrency: int

    async def deliver(self, posting: Posting) -> Reply:
        """Hand one over. Returns the reply, or why none came."""


class BatchClient(Client, Protocol):
    """What takes several postings in one request: an API."""

    async def send(self, method: str, path: str, content: str, key: str) -> Reply:
        """Send JSON under a key. Returns the reply, or why none came."""


@dataclass(slots=True)
class _Flight:
    """`row`: failures in a row; `held`: the API wants no more now."""

    most: int
    row: int = 0
    held: bool = False
    judged: list[Judged] = field(default_factory=list)

    @property
    def stopped(self) -> bool:
        return self.held or self.row >= self.most

    def take_in(self, posting: Posting, reply: Reply, verdict: Verdict) -> None:
        self.row = self.row + 1 if verdict.fault else 0
        self.held |= slow_down(reply.status) or (reply.retry_after is not None and verdict.fault)
        self.held |= verdict.stop in {Stop.REFUSED, Stop.KEY_REUSED}
        self.judged.append(Judged(posting=posting, reply=reply, verdict=verdict))


async def dispatch(
    client: Client,
    chunk: Sequence[Posting],
    routes: Mapping[PostingKind, Endpoint],
    judge: Callable[[Posting, Reply], Verdict],
    *,
    most_failures: int,
    slots: Iterator[datetime] | None = None,
    clock: Callable[[], datetime],
    sleep: Callable[[float], Awaitable[object]],
) -> list[Judged]:
    """Send a chunk. After `most_failures` in a row, when the API refuses us or asks for peace, the rest is not tried.

    `slots` are the moments at which requests may leave, one each. The order of the result is the chunk's.
    """
    flight = _Flight(most=most_failures)
    groups = _groups(chunk, routes)

    async def worker() -> None:
        for batch, some in groups:
            if slots is not None and not flight.stopped:
                early = (next(slots) - clock()).total_seconds()
                if early > 0:
                    await sleep(early)
            if flight.stopped:
                flight.judged += [Judged(posting=p, reply=None, verdict=None) for p in some]
                continue
            await _send(client, batch, some, flight, judge)

    await asyncio.gather(*(worker() for _ in range(client.concurrency)))
    place = {p.id: n for n, p in enumerate(chunk)}
    return sorted(flight.judged, key=lambda one: place[one.posting.id])


def _groups(
    chunk: Sequence[Posting], routes: Mapping[PostingKind, Endpoint]
) -> Iterator[tuple[Batch | None, list[Posting]]]:
    """Yield each posting by itself, or with those that go into the same batch."""
    waiting: list[Posting] = []
    for posting in chunk:
        batch = routes[posting.kind].batch if posting.kind in routes else None
        alike = waiting and (waiting[0].kind, waiting[0].method, waiting[0].path) == (
            posting.kind,
            posting.method,
            posting.path,
        )
        if waiting and not (alike and batch is not None and len(waiting) < batch.size):
            yield routes[waiting[0].kind].batch, waiting
            waiting = []
        if batch is None:
            yield None, [posting]
        else:
            waiting.append(posting)
    if waiting:
        yield routes[waiting[0].kind].batch, waiting


async def _send(
    client: Client,
    batch: Batch | None,
    some: Sequence[Posting],
    flight: _Flight,
    judge: Callable[[Posting, Reply], Verdict],
) -> None:
    if batch is None:
        (posting,) = some
        reply = await client.deliver(posting)
        flight.take_in(posting, reply, judge(posting, reply))
        return
    content, key = content_of(batch, some)
    several: BatchClient = client  # type: ignore[assignment]  # only endpoints of an API have batches
    whole = await several.send(some[0].method, some[0].path, content, key)
    replies = replies_of(batch, some, whole)
    if replies is None:
        half = len(some) // 2
        await _send(client, batch, some[:half], flight, judge)
        await _send(client, batch, some[half:], flight, judge)
        return
    before = flight.row
    for posting, reply in zip(some, replies, strict=True):
        flight.take_in(posting, reply, judge(posting, reply))
    if flight.row == before + len(some):  # one request that failed is one failure
        flight.row = before + 1
