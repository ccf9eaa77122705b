"""How long a claim surely holds, as this process can tell without asking: it may have been stopped, and overtaken."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta


class Lease:
    """A lease that begins now. `clock` gives aware UTC; the machine's own time counts too, for clocks are set."""

    def __init__(self, length: timedelta, clock: Callable[[], datetime]) -> None:
        self._length, self._clock = length, clock
        self._until = self.from_now()

    def from_now(self) -> tuple[datetime, float]:
        """Return when a lease that is taken or renewed now ends, by both times."""
        return self._clock() + self._length, time.monotonic() + self._length.total_seconds()

    def renewed(self, until: tuple[datetime, float]) -> None:
        """Let it go on until then: what `from_now` said before the ledger was asked."""
        self._until = until

    @property
    def over(self) -> bool:
        """Whether another run may hold the file by now."""
        at, monotonic = self._until
        return self._clock() >= at or time.monotonic() >= monotonic
