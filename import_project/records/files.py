"""Files as senders show them and as we hold them. No reading, no storing."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class ArrivalState(StrEnum):
    """Where an arrival stands. From `done` on they are ends, after which no run is needed."""

    SEEN = "seen"  # listed, perhaps still growing
    READY = "ready"  # stable: a run may claim it
    CLAIMED = "claimed"  # a run holds it; in `.processing/` at the sender
    LANDED = "landed"  # its bytes are in landing
    DONE = "done"
    FAILED = "failed"  # refused, with a reason
    CANCELLED = "cancelled"  # who handed it in took it back before anything was decided of it
    UNPACKED = "unpacked"  # it held files, which are arrivals of their own now
    DUPLICATE = "duplicate"  # bytes the feed has had before, or another feed of which this one knows
    SKIPPED = "skipped"  # new bytes under a known name, which the feed does not want
    VANISHED = "vanished"  # gone before a run claimed it

    @property
    def ended(self) -> bool:
        """Whether no run is needed any more."""
        return self in ENDED


ENDED = frozenset(ArrivalState) - {ArrivalState.SEEN, ArrivalState.READY, ArrivalState.CLAIMED, ArrivalState.LANDED}


class Listed(NamedTuple):
    """One regular file in an inbox: its name, size in bytes, and mtime (aware UTC, whole seconds).

    `version` is the store's own word for these bytes (an ETag), where it has one. A plain tuple, for an inbox may hold
    a hundred thousand.
    """

    name: str
    size: int
    mtime: datetime
    version: str | None = None

    @property
    def facts(self) -> tuple[int, datetime, str | None]:
        """What tells these bytes from other bytes under the same name, without reading them."""
        return self.size, self.mtime, self.version


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """How often a sender refused our login since it last let us in, and when last (aware UTC), with what `error`.

    `tried_with` changes with what the login was tried with, and tells nothing of it.
    """

    count: int
    last_at: datetime
    tried_with: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A file in a claim's hands: its name in the inbox, its version if it has one, and the path it is held under.

    Where the sender lets us move nothing it is held where it lies: `held_as` is its name.
    """

    name: str
    held_as: str
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A listed file as the ledger knows it. Times are aware UTC.

    `partition` is its key in Dagster, given when it is ready. `claimed_as` and `set_aside_to` are paths at the sender.
    `token` grows with each claim: an action with an older token is refused. `looks` counts the listings that showed it
    unchanged, the last of them at `looked_at`; `missing` those in a row that did not show it. `container` is the
    arrival of the archive that it came in, `packed_sha256` its own bytes as they came, where they are packed.
    `cancelled_by` asked to take it back.
    """

    id: int
    feed: str
    name: str
    size: int
    mtime: datetime
    state: ArrivalState
    looks: int
    occurrence: int
    partition: str | None
    sha256: str | None
    token: int
    owner: str | None
    lease_until: datetime | None
    requests: int
    retry_at: datetime | None
    claimed_as: str | None
    set_aside_to: str | None
    set_aside_at: datetime | None
    error: str | None
    first_seen_at: datetime
    version: str | None = None
    looked_at: datetime | None = None
    missing: int = 0
    container: int | None = None
    packed_sha256: str | None = None
    cancelled_by: str | None = None

    @property
    def facts(self) -> tuple[int, datetime, str | None]:
        """What the last listing said of its bytes; compares with `Listed.facts`."""
        return self.size, self.mtime, self.version

    def staged(self, held_as: str) -> Staged:
        """Return it as a source knows it under a claim."""
        return Staged(name=self.name, held_as=held_as, version=self.version)

    def held(self, now: datetime) -> bool:
        """Whether a run's lease on it is still good at `now`."""
        return self.lease_until is not None and self.lease_until > now

    def due(self, now: datetime) -> bool:
        """Whether a run should be asked for now, if it is open: none holds it, and none is waited for."""
        return not self.held(now) and (self.retry_at is None or self.retry_at <= now)

    @property
    def stray(self) -> bool:
        """Whether it was found claimed at the sender, by nobody we know, and is not ours yet."""
        return self.state is ArrivalState.SEEN and self.claimed_as is not None

    @property
    def aside_due(self) -> bool:
        """Whether it has ended but its copy at the sender still waits to be moved."""
        moved = self.claimed_as is not None and self.set_aside_at is None
        return moved and self.state.ended and self.state is not ArrivalState.VANISHED


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A run's right to act on an arrival, as long as `token` is the newest."""

    arrival_id: int
    feed: str
    partition: str
    owner: str
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """Bytes in landing: their sha256 (hex) and size."""

    sha256: str
    size: int
