"""A box and a gate in memory that stand for the ledger, and time that passes at once when somebody waits."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from import_project.posting.waits import Time
from import_project.records.files import Claim
from import_project.records.postings import UNSENT, Answer, Health, Posting, PostingKind, PostingState
from import_project.records.terms import Breaking, Terms, Waits

CLAIM = Claim(arrival_id=1, feed="f", partition="p", owner="r", token=1)
TERMS = Terms(
    api="erp",
    key_window=timedelta(hours=24),
    rate=None,
    probe=timedelta(seconds=40),
    settling=timedelta(seconds=30),
    waits=Waits(first=0.5, longest=30, budget=120, retry_after=3600),
    breaking=Breaking(failures=5, waits=Waits(first=5, longest=300)),
)


@dataclass
class Clock:
    now: datetime = datetime(2026, 11, 25, 12, tzinfo=UTC)
    slept: list[float] = field(default_factory=list)
    chance: float = 0.5
    tick: timedelta = timedelta()

    def __call__(self) -> datetime:
        self.now += self.tick
        return self.now

    @property
    def time(self) -> Time:
        return Time(clock=self, sleep=self.sleep, chance=lambda: self.chance)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


class MemoryBox:
    """Postings `n` = 1 … count to /orders, with the body `{"n": n}`."""

    def __init__(self, count: int, **facts: object) -> None:
        self.postings = {n: replace(_posting(n), **facts) for n in range(1, count + 1)}  # type: ignore[arg-type]
        self.chunks: list[list[int]] = []
        self.most_loaded = 0
        self.health = Health(api="erp")

    def unsent(
        self,
        feed: str,
        file: str,
        kinds: Iterable[PostingKind],
        *,
        after: int,
        limit: int,
        states: Collection[PostingState] = UNSENT,
    ) -> list[Posting]:
        found = [p for n, p in sorted(self.postings.items()) if n > after and p.state in states][:limit]
        self.most_loaded = max(self.most_loaded, len(found))
        return found

    def least_tried(self, feed: str, file: str, kinds: Iterable[PostingKind]) -> Posting | None:
        waiting = [p for p in self.postings.values() if p.state in UNSENT]
        return min(waiting, key=lambda p: (p.attempts, p.id), default=None)

    def sending(self, claim: Claim, file: str, some: Sequence[Posting], now: datetime) -> set[int]:
        self.chunks.append([p.id for p in some])
        for p in some:
            facts = {"attempts": p.attempts + 1, "sent_at": self.postings[p.id].sent_at or now, "changed_at": now}
            self.postings[p.id] = replace(self.postings[p.id], state=PostingState.SENDING, **facts)  # type: ignore[arg-type]
        return {p.id for p in some}

    def answered(
        self,
        claim: Claim,
        file: str,
        answers: Sequence[Answer],
        now: datetime,
        api: str,
        change: Callable[[Health], Health],
    ) -> Health:
        for a in answers:
            facts = {n: getattr(a, n) for n in ("state", "status", "receipt", "sent_at", "repeats")}
            before = self.postings[a.posting_id]
            attempts = before.attempts - int(not a.tried)
            self.postings[a.posting_id] = replace(before, **facts, changed_at=now, attempts=attempts)
        self.health = change(self.health)
        return self.health

    def states(self) -> dict[PostingState, int]:
        states = [p.state for p in self.postings.values()]
        return {s: states.count(s) for s in set(states)}


class MemoryGate:
    """The health is the box's, as in the ledger."""

    def __init__(self, box: MemoryBox) -> None:
        self._box = box
        self.paced: list[tuple[int, float]] = []
        self.paced_until = datetime(1, 1, 1, tzinfo=UTC)
        self.other_probes = 0

    @property
    def known(self) -> Health:
        return self._box.health

    @known.setter
    def known(self, health: Health) -> None:
        self._box.health = health

    def health(self, api: str) -> Health:
        return self.known

    def probe(self, health: Health, until: datetime) -> bool:
        self.known = replace(self.known, closed_until=until)
        if self.other_probes:
            self.other_probes -= 1
            return False
        return True

    def pace(self, api: str, count: int, rate: float, now: datetime) -> datetime:
        begins = max(now, self.paced_until)
        self.paced_until = begins + timedelta(seconds=count / rate)
        self.paced.append((count, rate))
        return begins


def _posting(number: int) -> Posting:
    return Posting(
        id=number,
        kind=PostingKind.ROW,
        key=f"key-{number}",
        api="erp",
        method="POST",
        path="/orders",
        body=f'{{"n": {number}}}',
        row_number=number,
        state=PostingState.READY,
    )
