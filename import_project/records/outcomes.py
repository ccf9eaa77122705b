"""The result of one file: the counts and sums of everything that was done with its rows."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Rows of one file. rows = accepted + quarantined; accepted = posted + repeated + rejected + dead + skipped once
    all is sent.

    `matched` and `unmatched` count payments (both None for a rows feed); `repeated` rows were posted for an earlier
    file; `posted` counts rows or payments whose every posting has a receipt; `rejected` those the API refused;
    `dead` are those of which nobody can tell but a person; `skipped` those the feed leaves out. `replayed` rows were
    quarantined first; they are among the accepted.
    """

    rows: int = 0
    accepted: int = 0
    quarantined: int = 0
    matched: int | None = None
    unmatched: int | None = None
    repeated: int = 0
    posted: int = 0
    rejected: int = 0
    skipped: int = 0
    replayed: int = 0
    dead: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One file's result. Times are aware UTC; `sums` is the signed sum of all its rows per currency."""

    feed: str
    name: str
    partition: str
    state: str
    sha256: str | None
    counts: Counts
    sums: dict[str, Decimal]
    error: str | None
    started_at: datetime
    finished_at: datetime

    @property
    def seconds(self) -> float:
        """From first claim to the end, in seconds."""
        return (self.finished_at - self.started_at).total_seconds()
