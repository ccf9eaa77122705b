"""One step of one file, held under a claim: a lease that is renewed while the step works, and what its failure means
for the file. The steps themselves are elsewhere."""

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
    FileRefused,
    ImportProjectError,
    LedgerUnavailable,
    StoreDamaged,
    StoreError,
    TooManyQuarantined,
)
from import_project.pipeline.aside import try_move_aside
from import_project.pipeline.parts import Parts
from import_project.records.files import Arrival, ArrivalState, Claim
from import_project.records.outcomes import Counts

Facts = Mapping[str, int | str | float | Decimal]
LONGEST_RETRY = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A file that this run may act on. `arrival` is as it stood when the step began."""

    parts: Parts
    loaded: LoadedFeed
    arrival: Arrival
    claim: Claim

    @property
    def feed(self) -> str:
        """The feed's name."""
        return self.loaded.name

    @property
    def sha256(self) -> str:
        """The file's id. Raises StoreDamaged when its bytes have not been received."""
        if self.arrival.sha256 is None:
            raise StoreDamaged("the file has not been received yet", do="run the step `file` first")
        return self.arrival.sha256


#: A step returns facts for the run's metadata (counts and sums, never customer rows); None: nothing more is to be done.
Step = Callable[[Held], Awaitable[Facts | None]]


def run_step(parts: Parts, loaded: LoadedFeed, partition: str, *, owner: str, step: Step) -> Facts | None:
    """Claim the file for `owner`, run one step, and let the ledger know how it failed if it did.

    A FileRefused ends the file: outcome `failed`, the sender's copy to `.failed/`. After any other error the file is
    due again later, the first time after `parts.retry`, then after twice as long each time, at most an hour.
    """
    arrival, claim = parts.ledger.arrivals.claim(
        loaded.name, partition, owner=owner, now=parts.clock(), lease=parts.lease
    )
    held = Held(parts=parts, loaded=loaded, arrival=arrival, claim=claim)
    with _renewed(parts, claim):
        try:
            return asyncio.run(_awaited(step, held))
        except ClaimLost:
            raise
        except FileRefused as refusal:
            refusal.at(feed=loaded.name, file=arrival.name)
            if not arrival.state.ended:
                _refuse(held, refusal)
            raise
        except Exception as error:
            told = type(error).__name__  # a stranger's words may hold a customer's row
            if isinstance(error, ImportProjectError):
                told = str(error.at(feed=loaded.name, file=arrival.name))
            with suppress(StoreError):  # a ledger that fails too must not hide why: the lease lapses by itself
                _try_later(held, told)
            raise


@contextmanager
def also_held(held: Held, partition: str) -> Iterator[Held]:
    """Hold another file of the feed for a while, for the same run. Raises ClaimLost when another run holds it."""
    parts, owner = held.parts, held.claim.owner
    arrival, claim = parts.ledger.arrivals.claim(
        held.feed, partition, owner=owner, now=parts.clock(), lease=parts.lease
    )
    try:
        with _renewed(parts, claim):
            yield Held(parts=parts, loaded=held.loaded, arrival=arrival, claim=claim)
    finally:
        with suppress(StoreError):  # taken over, or a ledger that fails: the lease lapses by itself
            parts.ledger.arrivals.release(claim)


async def _awaited(step: Step, held: Held) -> Facts | None:
    return await step(held)


def _refuse(held: Held, refusal: FileRefused) -> None:
    """End the file. Its copy at the sender is moved now if that works, else by one of the next polls."""
    now, counts = held.parts.clock(), Counts()
    if isinstance(refusal, TooManyQuarantined):
        accepted = refusal.rows - refusal.quarantined
        counts = Counts(rows=refusal.rows, accepted=accepted, quarantined=refusal.quarantined)
    held.parts.ledger.outcomes.conclude(held.claim, ArrivalState.FAILED, counts, {}, now, error=refusal.what)
    asyncio.run(try_move_aside(held.parts, held.loaded, held.claim.partition))
    held.parts.ledger.arrivals.release(held.claim)


def _try_later(held: Held, error: str) -> None:
    parts = held.parts
    failures = parts.ledger.arrivals.failures(held.claim)
    wait = min(parts.retry * 2 ** min(failures, 20), LONGEST_RETRY)
    parts.ledger.arrivals.try_later(held.claim, error=error, retry_at=parts.clock() + wait)


@contextmanager
def _renewed(parts: Parts, claim: Claim) -> Iterator[None]:
    """Renew the lease three times in its life, from a thread, until the block ends."""
    done = threading.Event()

    def keep() -> None:
        while not done.wait(parts.lease.total_seconds() / 3):
            try:
                parts.ledger.arrivals.renew(claim, until=parts.clock() + parts.lease)
            except LedgerUnavailable:
                continue  # the step itself will meet the same trouble and say so
            except ImportProjectError:
                return  # taken over: the step's next write is refused

    thread = threading.Thread(target=keep, name=f"lease of {claim.partition}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
