"""Sending what the ledger has frozen: marked before it leaves, answered before the next, tried again in time. What each
answer means is judged in `answers`.

Nothing is held in memory but one chunk of postings, whatever waits.
"""

import asyncio
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from import_project.errors import ApiRefusesUs, ApiUnavailable, ConfigError, ImportProjectError
from import_project.posting.answers import Judged, Reply, Verdict, judge
from import_project.posting.chunks import answer_of, held_together, planned
from import_project.posting.dispatch import Client, dispatch, requests_of
from import_project.posting.health import after_chunk, longest_peace
from import_project.posting.look_ups import Asked
from import_project.posting.waits import Time, jittered
from import_project.records.endpoints import Endpoint
from import_project.records.files import Claim
from import_project.records.postings import UNSENT, Answer, Health, Posting, PostingKind, PostingState
from import_project.records.terms import Terms

_CHUNK_PER_SLOT = 8
_MOST_AT_ONCE = 4_000
_SECONDS_OF_A_CHUNK = 10
_FRESH, _AGAIN = (PostingState.READY,), (PostingState.SENDING, PostingState.UNKNOWN)


class Box(Protocol):
    """Where frozen postings wait: the ledger's `Postings`."""

    def unsent(
        self,
        feed: str,
        file: str,
        kinds: Iterable[PostingKind],
        *,
        after: int,
        limit: int,
        states: Collection[PostingState],
    ) -> list[Posting]:
        """Return the next postings in these states."""

    def least_tried(self, feed: str, file: str, kinds: Iterable[PostingKind]) -> Posting | None:
        """Return the posting to try an API with."""

    def sending(self, claim: Claim, file: str, some: Sequence[Posting], now: datetime) -> set[int]:
        """Mark postings as on their way; returns which. Raises ClaimLost when another run has taken over."""

    def answered(
        self,
        claim: Claim,
        file: str,
        answers: Sequence[Answer],
        now: datetime,
        api: str,
        change: Callable[[Health], Health],
    ) -> Health:
        """Store what the API said, and how it has been answering; returns that."""


class Gate(Protocol):
    """How the API has been answering all runs: the ledger's `Apis`."""

    def health(self, api: str) -> Health:
        """Return it."""

    def probe(self, health: Health, until: datetime) -> bool:
        """Take the right to try first after an outage."""

    def pace(self, api: str, count: int, rate: float, now: datetime) -> datetime:
        """Reserve time for requests at a rate. Returns when the first may leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How many postings ended how; `unknown` still have no answer."""

    done: int = 0
    rejected: int = 0
    dead: int = 0
    unknown: int = 0

    def __add__(self, other: "Sent") -> "Sent":
        return Sent(
            done=self.done + other.done,
            rejected=self.rejected + other.rejected,
            dead=self.dead + other.dead,
            unknown=other.unknown,
        )

    @property
    def ended(self) -> int:
        """How many came to an end."""
        return self.done + self.rejected + self.dead


class Outbox:
    """Sends one file's postings over one client. `target` is what they were frozen for."""

    def __init__(
        self,
        client: Client,
        box: Box,
        gate: Gate,
        claim: Claim,
        file: str,
        *,
        target: str,
        terms: Terms,
        routes: Mapping[PostingKind, Endpoint],
        time: Time,
    ) -> None:
        self._client, self._box, self._gate, self._claim, self._file = client, box, gate, claim, file
        self._target, self._terms, self._routes, self._time = target, terms, routes, time
        batches = [e.batch.size for e in routes.values() if e.batch is not None]
        self._most = min(client.concurrency * max([_CHUNK_PER_SLOT, *batches]), _MOST_AT_ONCE)
        if terms.rate is not None:  # so that a chunk is soon through, and what was planned still holds
            self._most = max(min(self._most, int(terms.rate * _SECONDS_OF_A_CHUNK) * max([1, *batches])), 1)
        self._size = min(client.concurrency * max([1, *batches]), self._most)
        self._progress = time.clock()
        self._lost = ""
        self._failing = set[int]()

    async def send(self, kinds: Sequence[PostingKind]) -> Sent:
        """Send all postings of the kinds, some at a time: those that were never taken in the order they were frozen,
        then those without an answer.

        Raises ApiUnavailable when some stay without an answer, ApiRefusesUs when the API does not accept us,
        ApiKeyReused when it says that a key has had another body, ApiAnswerUnusable when it redirects, answers with a
        web page or nobody is there, and ConfigError for postings frozen for another API.
        """
        total, failures = Sent(), 0
        while True:
            self._lost = ""
            seen, passed = 0, Sent()
            for states in (_FRESH, _AGAIN):
                more, ended = await self._pass(kinds, states)
                seen, passed = seen + more, passed + replace(ended, unknown=passed.unknown + ended.unknown)
            total += passed
            if not seen:
                return total
            if not passed.unknown:
                continue  # what waited for others of this pass
            failures = 1 if passed.ended else failures + 1
            await self._wait(jittered(self._terms.waits, failures, self._time.chance()), passed.unknown, total.done)

    async def _wait(self, seconds: float, unknown: int, done: int) -> None:
        if not self._patient(seconds):
            told = f"{unknown} postings have no final answer, {done} are done: {self._lost[:200]}"
            raise ApiUnavailable(told, do="the next try goes on with the same keys")
        await self._time.sleep(seconds)

    async def _pass(self, kinds: Sequence[PostingKind], states: Sequence[PostingState]) -> tuple[int, Sent]:
        """Go once through all that is to be sent. Returns how many were looked at, and how they ended."""
        after, seen, total = 0, 0, Sent()
        feed, box = self._claim.feed, self._box
        while True:
            chunk = await asyncio.to_thread(
                box.unsent, feed, self._file, kinds, after=after, limit=self._size, states=states
            )
            if not chunk:
                return seen, total
            if strange := next((p.api for p in chunk if p.api != self._target), None):
                told = f"postings of this file are frozen for the API {strange}, the feed now names {self._target}"
                raise ConfigError(told, do=f"set post.api back to {strange} until they are sent")
            health, probe = await self._admitted()
            if probe:  # with the one that was tried the least: one that fails for ever keeps no API closed
                one = await asyncio.to_thread(box.least_tried, feed, self._file, kinds)
                chunk = [] if one is None else [one]
            judged, stop = await self._sent(chunk, health, probe=probe)
            ended = _ended(judged)
            untried = [j.posting.id for j in judged if j.verdict is None]
            seen += len(chunk) - len(untried)
            if ended.ended:
                self._progress = self._time.clock()
            if stop is not None:
                raise stop
            if probe:
                total += replace(ended, unknown=total.unknown)
                if not judged:  # nothing of it could be tried yet
                    await self._wait(self._terms.waits.first, len(chunk), total.done)
                continue
            total += replace(ended, unknown=total.unknown + len(chunk) - len(untried) - ended.ended)
            after = min(untried) - 1 if untried else chunk[-1].id  # those come first when the API is back

    async def _admitted(self) -> tuple[Health, bool]:
        """Wait until the API may be asked. Returns its health, and whether this is the one try after an outage."""
        while True:
            health = await asyncio.to_thread(self._gate.health, self._terms.api)
            if health.closed_until is None:
                return health, False
            now = self._time.clock()
            left = health.closed_until - now
            if timedelta(0) < left <= longest_peace(self._terms):
                if health.refused or not self._patient(left.total_seconds()):
                    raise _resting(health)
                await self._time.sleep(left.total_seconds())
                continue
            until = now + self._terms.probe
            if await asyncio.to_thread(self._gate.probe, health, until):
                return replace(health, closed_until=until), True

    def _patient(self, wait: float) -> bool:
        gone = self._time.clock() - self._progress
        return gone + timedelta(seconds=wait) <= timedelta(seconds=self._terms.waits.budget)

    async def _sent(
        self, chunk: Sequence[Posting], health: Health, *, probe: bool
    ) -> tuple[list[Judged], ImportProjectError | None]:
        """Look up what may be there, send the rest of a chunk, and store what came of it."""
        asked: Asked = self._client  # type: ignore[assignment]  # only endpoints of an API have look-ups
        plan = await planned(chunk, asked, self._client.concurrency, self._terms, self._routes, self._time.clock())
        judged = [*plan.settled, *await self._dispatched(plan.ready, health, probe=probe)]
        judged, stop = held_together(judged, probe=probe)
        if isinstance(plan.failed, ApiRefusesUs):
            stop = stop or plan.failed
        now, chance = self._time.clock(), self._time.chance()
        failing = {j.posting.id for j in judged if j.verdict is not None and j.verdict.fault}
        change = partial(
            after_chunk,
            seen=health.closed_until,
            judged=judged,
            now=now,
            terms=self._terms,
            chance=chance,
            probe=probe,
            known=frozenset(self._failing),
            look_up=plan.failed or plan.heard,
        )
        answers = [answer_of(j, now) for j in judged]
        after = await asyncio.to_thread(
            self._box.answered, self._claim, self._file, answers, now, self._terms.api, change
        )
        if len(failing) < sum(j.reply is not None for j in judged):
            self._failing.clear()
        self._failing.update(itertools.islice(failing, self._terms.breaking.failures))
        well = after.closed_until is None and not failing and plan.failed is None
        self._size = min((1 if probe else self._size) * 2, self._most) if well else 1
        lost = [j.reply.reason for j, a in zip(judged, answers, strict=True) if j.reply and a.state in UNSENT]
        self._lost = self._lost or plan.vain or next(iter(lost), plan.failed.what if plan.failed else "")
        return judged, stop

    async def _dispatched(self, ready: Sequence[Posting], health: Health, *, probe: bool) -> list[Judged]:
        if self._time.over():  # the next write tells whether another run has the file
            self._lost, ready = "the lease of the file is over", []
        if not ready:
            return []
        marked = await asyncio.to_thread(self._box.sending, self._claim, self._file, ready, self._time.clock())
        requests = list(requests_of([p for p in ready if p.id in marked], self._routes))
        return await dispatch(
            self._client,
            requests,
            self._judge(health),
            most_failures=1 if probe else self._terms.breaking.failures,
            slots=await self._slots(len(requests)),
            time=self._time,
        )

    def _judge(self, health: Health) -> Callable[[Posting, Reply], Verdict]:
        receipts = {kind: endpoint.receipt for kind, endpoint in self._routes.items()}
        return lambda posting, reply: judge(posting, reply, took_at=health.took_at, receipt=receipts.get(posting.kind))

    async def _slots(self, count: int) -> Iterator[datetime] | None:
        rate = self._terms.rate
        if rate is None:
            return None
        now = self._time.clock()
        first = await asyncio.to_thread(self._gate.pace, self._terms.api, count, rate, now)
        return (first + timedelta(seconds=n / rate) for n in itertools.count())


def _ended(judged: Sequence[Judged]) -> Sent:
    states = [j.verdict.state for j in judged if j.verdict is not None]
    return Sent(
        done=states.count(PostingState.DONE),
        rejected=states.count(PostingState.REJECTED),
        dead=states.count(PostingState.DEAD),
    )


def _resting(health: Health) -> ImportProjectError:
    until = health.closed_until
    told = f"the API {health.api} is left in peace until {until:%H:%M:%S} UTC: {health.reason}"
    if health.refused:
        return ApiRefusesUs(told, do="check the API's token and its rights")
    return ApiUnavailable(told, do="the next try goes on with the same keys")
