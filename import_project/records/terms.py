"""On which terms an API is posted to: how long it knows a key, how long to wait, when to leave it in peace."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Seconds: the first wait, the longest, how long to go on without progress, the longest Retry-After obeyed."""

    first: float
    longest: float
    budget: float = 0
    retry_after: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaking:
    """After how many failures in a row an API is left in peace, and for how long."""

    failures: int
    waits: Waits


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms of one API. `rate` is in requests a second; a `probe` has its answer within that time. After
    `settling` an API that was cut off has ended what it was at: only then a look-up is believed.

    Without a `key_window` keys are known for ever.
    """

    api: str
    key_window: timedelta | None
    rate: float | None
    probe: timedelta
    settling: timedelta
    waits: Waits
    breaking: Breaking
