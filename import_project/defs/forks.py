"""The warm process: loads the definitions once, then forks a run each time it is asked. Started by `warm`, which it
talks to over its input and output, a JSON object a line.

A lock that another thread holds at the fork stays locked in the child for ever. So it never works with Polars, whose
threads begin with the first frame, and opens no instance: each run does that itself. It forks only while it has no
thread but those that begin when Polars and numpy are imported: idle ones, of allocators, which are made for forks.
"""

import gc
import json
import os
import selectors
import signal
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from dagster._cli.api import _execute_run_command_body
from dagster._core.execution import api as _execution  # noqa: F401 - what every run imports
from dagster._core.instance import DagsterInstance, InstanceRef
from dagster._core.origin import JobPythonOrigin
from dagster._core.storage.dagster_run import DagsterRunStatus
from dagster._serdes import deserialize_value
from dagster._utils.hosted_user_process import recon_job_from_origin
from dagster._utils.interrupts import capture_interrupts, setup_interrupt_handlers

from import_project.config.load import stamp_of
from import_project.config.settings import Settings
from import_project.defs.worker import Worker
from import_project.errors import one_line
from import_project.validation.columns import TRY_OUT

#: What runs import while they work.
_MOST_RUNS_NEED = (
    "dagster._core.executor.in_process",
    "dagster._core.storage.local_compute_log_manager",
    "import_project.formats.delimited",
    "import_project.sources.local",
    "pandera.polars",
    "pandera.backends.polars.container",
    "pandera.backends.polars.builtin_checks",
    "pyarrow.compute",
    "pyarrow.parquet",
    "pyreqwest.compatibility.httpx",
)


def _threads() -> set[tuple[str, str]]:
    """Return ids and names of this process's threads, but the allocator's, which come and go."""
    found = {(task.name, (task / "comm").read_text().strip()) for task in Path("/proc/self/task").iterdir()}
    return {(task, name) for task, name in found if not name.startswith("jemalloc")}


class _Launcher:
    """The process that asks: lines of it, and the ends of children, as they come."""

    def __init__(self) -> None:
        self._answers = os.dup(1)
        os.dup2(2, 1)  # what a run prints must not look like an answer
        self._woken, waker = os.pipe()
        for fd in (self._woken, waker):
            os.set_blocking(fd, False)
        self._fds = (self._answers, self._woken, waker)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # at a terminal, it is meant for the launcher
        self._asked = b""
        self.listening = True

    def answer(self, **told: object) -> None:
        with suppress(BrokenPipeError):  # nobody asks any more; the runs go on
            os.write(self._answers, (json.dumps(told) + "\n").encode())

    def lines(self) -> Iterator[bytes | None]:
        """Give each line that is asked; None when a child may have ended."""
        with selectors.DefaultSelector() as selector:
            selector.register(0, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fd == self._woken:
                        os.read(self._woken, 4096)
                        yield None
                        continue
                    piece = os.read(0, 1 << 16)
                    if not piece:
                        selector.unregister(0)
                        self.listening = False
                        yield None
                    *whole, self._asked = (self._asked + piece).split(b"\n")
                    yield from whole

    def close_in_child(self) -> None:
        """Leave nothing of the conversation in a run: its process has its own signals, and reads nothing."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        for fd in self._fds:
            os.close(fd)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)


class _Loaded:
    """The definitions, and what tells whether they would be the same if they were loaded now."""

    def __init__(self, origin: str) -> None:
        self._feeds = Settings.read(os.environ).feeds
        feeds = stamp_of(self._feeds)  # before they are read
        TRY_OUT.set(False)  # the code location has tried them
        for name in _MOST_RUNS_NEED:
            import_module(name)
        idle = _threads()
        self.job(origin)
        self._idle = idle
        self._code = tuple(_code())
        self._stamp = (feeds, _stamp(self._code))

    def job(self, origin: str) -> None:
        """Load a job; `definitions` keeps what it has loaded."""
        recon_job_from_origin(deserialize_value(origin, JobPythonOrigin)).get_definition()

    @property
    def working(self) -> list[str]:
        """The names of threads that may hold a lock."""
        return sorted(name for _, name in _threads() - self._idle)

    @property
    def stale(self) -> bool:
        """Whether a feed, code of ours, or what is installed has changed."""
        return (stamp_of(self._feeds), _stamp(self._code)) != self._stamp


def _code() -> Iterator[Path]:
    """Give the files of loaded code that is not installed, and the folders of what is: those change with each package
    that comes, goes, or is upgraded."""
    installed = {folder for p in sys.path if (folder := Path(p)).name in {"site-packages", "dist-packages"}}
    yield from sorted(installed)
    strange = {*installed, Path(sysconfig.get_path("stdlib"))}
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and not strange & set(Path(file).parents):
            yield Path(file)


def _stamp(paths: tuple[Path, ...]) -> tuple[int, ...]:
    return tuple(p.stat().st_mtime_ns if p.exists() else 0 for p in paths)


def main() -> int:
    """Serve one launcher. Returns the exit code, in the warm process and in each run that it forks."""
    launcher, runs = _Launcher(), dict[int, str]()
    loaded: _Loaded | None = None
    for line in launcher.lines():
        if line is None:
            _tell_ended(launcher, runs)
            if not launcher.listening and not runs:
                return 0
            continue
        asked: dict[str, Any] = json.loads(line)
        try:
            if loaded is None:
                loaded = _Loaded(asked["load"])
                gc.collect()
                gc.freeze()  # memory that no collection touches stays shared
                launcher.answer(ready=True)
                continue
            if loaded.stale:
                launcher.answer(stale="feeds or code have changed")
                continue
            loaded.job(asked["origin"])
            working = loaded.working
        except Exception as error:  # noqa: BLE001 - the run starts cold, and meets it there
            launcher.answer(refused=f"{type(error).__name__}: {one_line(str(error))}")
            continue
        if working:
            launcher.answer(refused=f"the warm process has threads: {', '.join(working)}")
            continue
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # Python counts the idle ones too
            pid = os.fork()
        if pid == 0:
            launcher.close_in_child()
            TRY_OUT.set(True)
            return _run(asked["fork"], asked["instance"])
        runs[pid] = asked["fork"]
        launcher.answer(pid=pid)
    return 0


def _tell_ended(launcher: _Launcher, runs: dict[int, str]) -> None:
    while runs:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        if pid in runs:
            launcher.answer(ended=runs.pop(pid), status=os.waitstatus_to_exitcode(status))


def _run(run_id: str, instance_ref: str) -> int:
    """Execute a run, as Dagster's own `execute_run` command does."""
    os.setsid()
    setup_interrupt_handlers()
    with capture_interrupts(), DagsterInstance.from_ref(deserialize_value(instance_ref, InstanceRef)) as instance:
        instance.add_run_tags(run_id, Worker.me(run_id).tags)  # before it counts as started
        run = instance.get_run_by_id(run_id)
        if run is not None and run.status is DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run)
            return 0
        # A connection for each event costs PostgreSQL more than the event; SQLite has no pool.
        instance.optimize_for_webserver(statement_timeout=30_000, pool_recycle=3600, max_overflow=4)
        return _execute_run_command_body(run_id, instance, lambda _: None, set_exit_code_on_failure=True)


if __name__ == "__main__":
    sys.exit(main())
