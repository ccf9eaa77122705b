"""Which process works on a run: written into the run's tags, so that any process of the machine can find or end it."""

import os
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

#: Hidden in the UI, as Dagster's own tags of workers are.
TAG = ".dagster/warm_worker"


@dataclass(frozen=True, slots=True)
class Worker:
    """A process, by its host, its id, and the clock tick since boot at which it began: ids are used again."""

    run: str
    host: str
    pid: int
    began: str

    @classmethod
    def me(cls, run: str) -> "Worker":
        """Return this process, as the one that works on a run."""
        return cls(run, socket.gethostname(), os.getpid(), _began(os.getpid()) or "")

    @classmethod
    def of(cls, run: dg.DagsterRun) -> "Worker | None":
        """Return the process that works on a run. A run that repeats another brings that one's tag along: it is not
        meant."""
        parts = run.tags.get(TAG, "").rsplit(" ", 3)
        if len(parts) != 4 or parts[0] != run.run_id or not parts[2].isdecimal():
            return None
        return cls(parts[0], parts[1], int(parts[2]), parts[3])

    @property
    def tags(self) -> dict[str, str]:
        """The tag of the run."""
        return {TAG: f"{self.run} {self.host} {self.pid} {self.began}"}

    @property
    def here(self) -> bool:
        """Whether it is a process of this machine."""
        return self.host == socket.gethostname()

    @property
    def alive(self) -> bool:
        """Whether the process runs on this machine."""
        return self.here and _began(self.pid) == self.began

    def terminate(self) -> bool:
        """Tell the process to end its run. Returns whether there was one."""
        if not self.alive:
            return False
        try:
            os.kill(self.pid, signal.SIGTERM)
        except ProcessLookupError:
            return False
        return True


def report_end(instance: dg.DagsterInstance, run_id: str, status: int) -> None:
    """Record the end of a run whose process has ended without saying so; `status` is its exit code, or minus the signal
    that ended it."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return
    if run.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run)
        return
    how = f"signal {-status}" if status < 0 else f"exit code {status}"
    instance.report_run_failed(run, message=f"the run's process ended unexpectedly: {how}")


def _began(pid: int) -> str | None:
    """Return when a process began (proc(5): field 22 of `stat`); None for one that is gone, or only not yet waited
    for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in {"Z", "X"} else fields[19]
