"""How long a claim surely holds, as this process can tell without asking: it may have been stopped, and overtaken."""

import time
from datetime import timedelta


class Lease:
    """A lease that begins now, on the machine's own time: that of the day may be set."""

    def __init__(self, length: timedelta) -> None:
        self._seconds = length.total_seconds()
        self._until = self.from_now()

    def from_now(self) -> float:
        """Return when a lease that is taken or renewed now ends."""
        return _now() + self._seconds

    def renewed(self, until: float) -> None:
        """Let it go on until then: what `from_now` said before the ledger was asked."""
        self._until = until

    @property
    def over(self) -> bool:
        """Whether another run may hold the file by now."""
        return _now() >= self._until


def _now() -> float:
    """Seconds that go on while the process is stopped and, where the system tells, while the machine sleeps."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)
