"""A launcher's hold on one warm process: started, asked to fork, listened to, let go. What goes on in it is `forks`."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from dagster._core.errors import DagsterLaunchFailedError

_READY_WITHIN = 120.0  # it imports what the definitions import
_FORKED_WITHIN = 60.0


class NotForked(Exception):
    """Nothing was forked: the run can be started in another way."""


class Stale(NotForked):
    """The process would load something else today than what it has loaded."""


class WarmProcess:
    """A process that has loaded the definitions of a code location, and forks runs from it.

    `ended` is called, in a thread, with the id of each run whose process has ended, and its exit code; a negative one
    is the signal that ended it.
    """

    def __init__(self, origin: str, ended: Callable[[str, int], None]) -> None:
        self._ended = ended
        self._answers = queue.SimpleQueue[dict[str, Any] | None]()
        self._ready = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "import_project.defs.forks"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,  # an interrupt at the terminal is for the launcher's process
        )
        self._reader = threading.Thread(target=self._read, name="warm process", daemon=True)
        self._reader.start()
        self._tell({"load": origin})

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    @property
    def lives(self) -> bool:
        """Whether there is still a process."""
        return self._process.poll() is None

    def fork(self, run_id: str, instance: str, origin: str) -> int:
        """Fork a run. Returns the id of its process.

        Raises NotForked where none was forked; DagsterLaunchFailedError where nobody can tell, so that no run is
        started twice.
        """
        if not self._ready:
            self._await_ready()
        self._tell({"fork": run_id, "instance": instance, "origin": origin})
        answer = self._next(_FORKED_WITHIN)
        if answer is None:
            self._process.kill()
            told = "the warm process did not tell whether it forked the run"
            raise DagsterLaunchFailedError(told)  # type: ignore[no-untyped-call]
        if "stale" in answer:
            raise Stale(answer["stale"])
        if "pid" not in answer:
            raise NotForked(answer["refused"])
        return int(answer["pid"])

    def leave(self) -> None:
        """Let the process go; it stays until its runs have ended, to tell how."""
        with suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()

    def join(self, seconds: float) -> None:
        """Let it go, and wait until its runs have ended."""
        self.leave()
        self._process.wait(seconds)
        self._reader.join(seconds)

    def _await_ready(self) -> None:
        answer = self._next(_READY_WITHIN)
        if answer is None or "ready" not in answer:
            self._process.kill()
            raise NotForked((answer or {}).get("refused", "the warm process did not come up"))
        self._ready = True

    def _tell(self, message: dict[str, str]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise NotForked(f"the warm process is gone: {error}") from error

    def _next(self, within: float) -> dict[str, Any] | None:
        """Return its next answer; None when there is none in time, or it is gone."""
        try:
            return self._answers.get(timeout=within)
        except queue.Empty:
            return None

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                told = json.loads(line)
                if "ended" in told:
                    self._ended(told["ended"], told["status"])
                else:
                    self._answers.put(told)
        self._answers.put(None)
        self._process.wait()
