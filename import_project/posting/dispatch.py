"""One chunk of postings on its way: so many requests at once, at a pace, and no more once the API fails in a row."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from import_project.posting.answers import Judged, Reply, Stop, Verdict, slow_down
from import_project.posting.batches import content_of, replies_of
from import_project.posting.waits import Time
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
    over: Callable[[], bool]
    row: int = 0
    held: bool = False
    judged: list[Judged] = field(default_factory=list)

    @property
    def stopped(self) -> bool:
        return self.held or self.row >= self.most or self.over()

    def take_in(self, posting: Posting, reply: Reply, verdict: Verdict) -> None:
        self.row = self.row + 1 if verdict.fault else 0
        self.held |= slow_down(reply.status) or (reply.retry_after is not None and verdict.fault)
        self.held |= verdict.stop in {Stop.REFUSED, Stop.UNUSABLE}
        self.judged.append(Judged(posting=posting, reply=reply, verdict=verdict))


#: Postings that go in one request, and how, if they are several.
Request = tuple[Batch | None, list[Posting]]


async def dispatch(
    client: Client,
    requests: Sequence[Request],
    judge: Callable[[Posting, Reply], Verdict],
    *,
    most_failures: int,
    slots: Iterator[datetime] | None = None,
    time: Time,
) -> list[Judged]:
    """Send requests. After `most_failures` in a row, when the API refuses us or asks for peace, or once time is over,
    the rest is not tried.

    `slots` are the moments at which requests may leave, one each. The result is in the order of the postings.
    """
    flight = _Flight(most=most_failures, over=time.over)
    groups = iter(requests)

    async def worker() -> None:
        for batch, some in groups:
            if slots is not None and not flight.stopped:
                early = (next(slots) - time.clock()).total_seconds()
                if early > 0:
                    await time.sleep(early)
            if flight.stopped:
                flight.judged += [Judged(posting=p, reply=None, verdict=None) for p in some]
                continue
            await _send(client, batch, some, flight, judge)

    await asyncio.gather(*(worker() for _ in range(client.concurrency)))
    return sorted(flight.judged, key=lambda one: one.posting.id)


def requests_of(chunk: Sequence[Posting], routes: Mapping[PostingKind, Endpoint]) -> Iterator[Request]:
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
        if batch is None or not posting.body.startswith("{"):  # frozen before there were batches
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
        reply = await _answer(client.deliver(posting))
        flight.take_in(posting, reply, judge(posting, reply))
        return
    content, key = content_of(batch, some)
    several: BatchClient = client  # type: ignore[assignment]  # only endpoints of an API have batches
    whole = await _answer(several.send(some[0].method, some[0].path, content, key))
    replies = replies_of(batch, some, whole)
    if replies is None:
        half = len(some) // 2
        for part in (some[:half], some[half:]):
            if flight.stopped:
                flight.judged += [Judged(posting=p, reply=None, verdict=None) for p in part]
            else:
                await _send(client, batch, part, flight, judge)
        return
    before = flight.row
    for posting, reply in zip(some, replies, strict=True):
        flight.take_in(posting, reply, judge(posting, reply))
    if flight.row == before + len(some):  # one request that failed is one failure
        flight.row = before + 1


async def _answer(trying: Awaitable[Reply]) -> Reply:
    """A try that breaks in a way nobody foresaw may have taken effect like any other without an answer."""
    try:
        return await trying
    except Exception as error:  # noqa: BLE001 - the posting must not stay `sending`, nor its file be stuck
        return Reply(status=None, text=f"{type(error).__name__}: {error}"[:200])
