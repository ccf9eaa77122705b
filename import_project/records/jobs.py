"""What is handed in at the front desk: a job for each file, and who may do what. No HTTP, no storing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from import_project.records.files import Arrival, ArrivalState


class JobState(StrEnum):
    """Where a job stands. It follows from its file, so that no job hangs: a killed run's lease lapses, and the file
    waits again."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether it stays so."""
        return self not in {JobState.PENDING, JobState.RUNNING}


class Role(StrEnum):
    """What a token allows; each allows what those before it do."""

    UPLOAD = "upload"  # hand in files, and see what became of them
    REVIEW = "review"  # decide about payments and dead postings
    ADMIN = "admin"  # see who did what, and withdraw tokens

    def allows(self, wanted: "Role") -> bool:
        """Whether this role may do what another one may."""
        order = list(Role)
        return order.index(self) >= order.index(wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as the ledger knows it: never itself. `name` says whose it is."""

    id: str
    workspace: str
    name: str
    role: Role
    created_at: datetime
    created_by: str
    revoked_at: datetime | None = None

    @property
    def person(self) -> str:
        """How the audit log names its holder."""
        return f"{self.workspace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A file that was handed in. Times are aware UTC; `completed_at` is when it last ended.

    Of an archive, `members_open` of the files in it have not ended, and `members_failed` were refused.
    """

    number: int
    id: str
    workspace: str
    handed_in_by: str
    created_at: datetime
    arrival: Arrival
    started_at: datetime | None
    completed_at: datetime | None
    members_open: int = 0
    members_failed: int = 0

    def state(self, now: datetime) -> JobState:
        """Say where it stands."""
        match self.arrival.state:
            case ArrivalState.CANCELLED:
                return JobState.CANCELLED
            case ArrivalState.FAILED | ArrivalState.VANISHED:
                return JobState.FAILED
            case ArrivalState.UNPACKED if self.members_open:
                return JobState.RUNNING
            case ArrivalState.UNPACKED if self.members_failed:
                return JobState.FAILED
        if self.arrival.state.ended:
            return JobState.COMPLETED
        return JobState.RUNNING if self.arrival.held(now) else JobState.PENDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a job is, in rows or payments: `processed` are those whose end is known. `sums` are of a bank file."""

    total: int = 0
    processed: int = 0
    accepted: int = 0
    quarantined: int = 0
    posted: int = 0
    matched: int | None = None
    unmatched: int | None = None
    sums: Mapping[str, Decimal]

    @property
    def percentage(self) -> float:
        """How far, from 0 to 100; 0 while the total is 0."""
        return round(100 * self.processed / self.total, 1) if self.total else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HandIn:
    """A file whose bytes have landed, before it has a job. `key` is the caller's own, by which a repeat is known."""

    job_id: str
    workspace: str
    feed: str
    name: str
    sha256: str
    size: int
    packed: bool
    by: str
    key: str | None
    hook: bool
    most_waiting: int
    most_a_minute: int
