"""One step of one file, held under a claim: a lease that is renewed while the step works, what its failure means for
the file, and who is told. The steps themselves are elsewhere."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from import_project.config.load import LoadedFeed
from import_project.errors import (
    ClaimLost,
    FileCancelled,
    FileRefused,
    ImportProjectError,
    StoreDamaged,
    StoreError,
    TooManyQuarantined,
)
from import_project.frames import DECISIONS
from import_project.pipeline.aside import try_move_aside
from import_project.pipeline.lease import Lease
from import_project.pipeline.parts import Parts
from import_project.pipeline.tell import tell, tell_step
from import_project.records.files import Arrival, ArrivalState, Claim
from import_project.records.outcomes import Counts
from import_project.records.steps import FileEvent, Happening, StepState
from import_project.traces import span

Facts = Mapping[str, int | str | float | Decimal]
LONGEST_RETRY = timedelta(hours=1)
#: The names of the steps a file's run begins and ends with.
FIRST, LAST = "receive", "conclude"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A file that this run may act on, as long as its `lease` holds. `arrival` is as it stood when the step began."""

    parts: Parts
    loaded: LoadedFeed
    arrival: Arrival
    claim: Claim
    lease: Lease

    @property
    def feed(self) -> str:
        """The feed's name."""
        return self.loaded.name

    @property
    def retired(self) -> bool:
        """Whether the file is done and its tables were let go: what is frozen of it can still be sent, no more."""
        return let_go(self.parts, self.arrival)

    @property
    def sha256(self) -> str:
        """The file's id. Raises StoreDamaged when its bytes have not been received."""
        if self.arrival.sha256 is None:
            raise StoreDamaged("the file has not been received yet", do="run the step `file` first")
        return self.arrival.sha256


def let_go(parts: Parts, arrival: Arrival) -> bool:
    """Whether a file is done and its tables have been let go."""
    if arrival.state is not ArrivalState.DONE or arrival.sha256 is None:
        return False
    return not parts.tables.has(arrival.feed, DECISIONS, arrival.sha256)


#: A step returns facts for the run's metadata (counts and sums, never customer rows); None: nothing more is to be done.
Step = Callable[[Held], Awaitable[Facts | None]]


def run_step(parts: Parts, loaded: LoadedFeed, partition: str, *, owner: str, step: Step) -> Facts | None:
    """Claim the file for `owner`, run one step, and let the ledger, the log and the feed's hooks know how it went.

    A FileRefused ends the file: outcome `failed`, the sender's copy to `.failed/`. After any other error the file is
    due again later, the first time after `parts.retry`, then after twice as long each time, at most an hour.
    """
    held = _claimed(parts, loaded, partition, owner, step.__name__)
    noted = _Noted()
    try:
        with _renewed(held), _noted(held, step.__name__, noted):
            noted.facts = asyncio.run(_awaited(step, held))
            if noted.facts is None:
                noted.then = Happening.SKIP
            elif step.__name__ == LAST:
                noted.then = Happening.SUCCESS
    finally:
        if noted.then is not None:  # the file is let go by now: a hook may take its time
            _tell(held, step.__name__, noted.then, noted.error)
    return noted.facts


def _claimed(parts: Parts, loaded: LoadedFeed, partition: str, owner: str, step: str) -> Held:
    arrivals, now, lease = parts.ledger.arrivals, parts.clock(), Lease(parts.lease)
    try:
        arrival, claim = arrivals.claim(loaded.name, partition, owner=owner, now=now, lease=parts.lease)
    except ClaimLost as lost:
        with suppress(StoreError):
            known = arrivals.of(loaded.name, partition).id
            attempt = parts.ledger.steps.begin(known, owner, step, now, holds=False)
            parts.ledger.steps.end(attempt, StepState.CUT_OFF, parts.clock(), error=str(lost))
        raise
    return Held(parts=parts, loaded=loaded, arrival=arrival, claim=claim, lease=lease)


@dataclass(slots=True)
class _Noted:
    then: Happening | None = None
    facts: Facts | None = None
    error: str | None = None


@contextmanager
def _noted(held: Held, step: str, noted: _Noted) -> Iterator[None]:
    """Note an attempt at a step while it is made, trace it, and see what its error means for the file."""
    parts, run = held.parts, held.claim.owner
    where = {"feed": held.feed, "file": held.arrival.name, "partition": held.claim.partition, "run": run}
    if step == FIRST:
        _tell(held, step, Happening.START, None)
    began, attempt, state = parts.clock(), None, StepState.DONE
    with suppress(StoreError):  # the step will meet the same trouble and say so
        attempt = parts.ledger.steps.begin(held.arrival.id, run, step, began)
    try:
        with span(step, run, feed=held.feed, file=held.arrival.name, partition=held.claim.partition):
            yield
    except BaseException as error:
        state = StepState.CUT_OFF if isinstance(error, (ClaimLost, *parts.interrupts)) else StepState.FAILED
        noted.error = _failed(held, error, noted)
        raise
    finally:
        now = parts.clock()
        if attempt is not None:
            with suppress(StoreError):  # what the ledger cannot be told now must not hide how the step went
                parts.ledger.steps.end(attempt, state, now, error=noted.error, facts=noted.facts)
        tell_step(where, step, (now - began).total_seconds(), noted.error)


def _failed(held: Held, error: BaseException, noted: _Noted) -> str:
    """Let the ledger know what an error means for the file. Returns what may be told of it."""
    told = type(error).__name__  # a stranger's words may hold a customer's row
    if isinstance(error, ImportProjectError):
        told = str(error.at(feed=held.feed, file=held.arrival.name))
    if isinstance(error, FileRefused):
        if not held.arrival.state.ended:
            _refuse(held, error)
        noted.then = Happening.FAILURE
    elif isinstance(error, Exception) and not isinstance(error, ClaimLost):
        with suppress(StoreError):  # a ledger that fails too must not hide why: the lease lapses by itself
            _try_later(held, told)
        noted.then = Happening.RETRY
    return told


def _tell(held: Held, step: str, what: Happening, error: str | None) -> None:
    outcome = None
    if what in {Happening.SUCCESS, Happening.FAILURE, Happening.SKIP}:
        with suppress(StoreError):
            outcome = held.parts.ledger.outcomes.of(held.feed, held.claim.partition)
    event = FileEvent(
        what=what,
        feed=held.feed,
        file=held.arrival.name,
        partition=held.claim.partition,
        run=held.claim.owner,
        step=step,
        at=held.parts.clock(),
        error=error,
        outcome=outcome,
    )
    tell(held.loaded, event, held.parts.interrupts)


@contextmanager
def also_held(held: Held, partition: str) -> Iterator[Held]:
    """Hold another file of the feed for a while, for the same run. Raises ClaimLost when another run holds it."""
    parts, owner, lease = held.parts, held.claim.owner, Lease(held.parts.lease)
    arrival, claim = parts.ledger.arrivals.claim(
        held.feed, partition, owner=owner, now=parts.clock(), lease=parts.lease
    )
    other = Held(parts=parts, loaded=held.loaded, arrival=arrival, claim=claim, lease=lease)
    try:
        with _renewed(other):
            yield other
    finally:
        with suppress(StoreError):  # taken over, or a ledger that fails: the lease lapses by itself
            parts.ledger.arrivals.release(claim)


async def _awaited(step: Step, held: Held) -> Facts | None:
    arrival = held.arrival
    if arrival.cancelled_by is not None and not arrival.state.ended and not relied_on(held.parts, arrival):
        raise FileCancelled(f"taken back by {arrival.cancelled_by}")
    return await step(held)


def relied_on(parts: Parts, arrival: Arrival) -> bool:
    """Whether anything of a file is decided, or one with its bytes has ended as its duplicate: it must go on then."""
    if arrival.sha256 is None:
        return False
    decided = parts.ledger.decisions.any_decided(arrival.feed, arrival.sha256)
    return decided or parts.ledger.arrivals.relied_on(arrival.feed, arrival.sha256)


def _refuse(held: Held, refusal: FileRefused) -> None:
    """End the file. Its copy at the sender is moved now if that works, else by one of the next polls."""
    now, counts = held.parts.clock(), Counts()
    if isinstance(refusal, TooManyQuarantined):
        accepted = refusal.rows - refusal.quarantined
        counts = Counts(rows=refusal.rows, accepted=accepted, quarantined=refusal.quarantined)
    state = ArrivalState.CANCELLED if isinstance(refusal, FileCancelled) else ArrivalState.FAILED
    held.parts.ledger.outcomes.conclude(held.claim, state, counts, {}, now, error=refusal.what)
    asyncio.run(try_move_aside(held.parts, held.loaded, held.claim.partition))
    held.parts.ledger.arrivals.release(held.claim)


def _try_later(held: Held, error: str) -> None:
    parts = held.parts
    failures = parts.ledger.arrivals.failures(held.claim)
    wait = min(parts.retry * 2 ** min(failures, 20), LONGEST_RETRY)
    parts.ledger.arrivals.try_later(held.claim, error=error, retry_at=parts.clock() + wait)


@contextmanager
def _renewed(held: Held) -> Iterator[None]:
    """Renew the lease three times in its life, from a thread, until the block ends."""
    parts, claim, done = held.parts, held.claim, threading.Event()

    def keep() -> None:
        while not done.wait(parts.lease.total_seconds() / 3):
            until = held.lease.from_now()
            try:
                parts.ledger.arrivals.renew(claim, until=parts.clock() + parts.lease)
                held.lease.renewed(until)
            except ClaimLost:
                return  # taken over: the step's next write is refused
            except ImportProjectError:
                continue  # the step itself will meet the same trouble and say so

    thread = threading.Thread(target=keep, name=f"lease of {claim.partition}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
