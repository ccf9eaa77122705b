"""How a process ends that has threads of another language. Nothing of what they do."""

import atexit
import sys
import threading
import time

#: Seconds that the end of a process waits at most.
_LEAVES = 1.0


def let_threads_leave() -> None:
    """Let this process end only after threads that are not Python's own have left Python, or a second later.

    Such a thread brings an answer to an event loop and may still be on its way out when all work is done. When it finds
    the interpreter ending, PyO3 aborts the process: a command that did all it should would exit with -6.
    """
    atexit.unregister(_wait)
    atexit.register(_wait)


def _wait() -> None:
    ours = {thread.ident for thread in threading.enumerate() if not thread.name.startswith("Dummy-")}
    until = time.monotonic() + _LEAVES
    while sys._current_frames().keys() - ours and time.monotonic() < until:  # noqa: SLF001 - documented
        time.sleep(0.001)
