"""Many small files at once, daemon and sensors running: how many a minute are imported with the launcher of
`dagster.yaml`, and how many with Dagster's default one; and how soon one small file is posted."""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks.figure import Figure
from benchmarks.posting import server
from import_project.pipeline.parts import Parts
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation, environment
from import_project_tests.servers import sftp_peer

ROOT = Path(__file__).parents[1]
FILES, ROWS = 200, 10
#: So many files tell a rate that does not depend on their number; 200 would take the default launcher eight minutes.
OF_DEFAULT, OF_FORKED, ONE_BY_ONE = 40, 80, 8
_PATIENCE = 1800.0


def versions() -> dict[str, str]:
    return {name: version(name) for name in ("dagster",)}


def orders(number: int, rows: int = ROWS) -> bytes:
    """A small file, all of its rows good, and no row in two files."""
    lines = ["order_id;customer;ordered_on;amount;currency;items"]
    lines += [f"AB-{number * rows + i:06};Olles Färg AB;2026-11-19;{100 + i},50;SEK;3" for i in range(rows)]
    return ("\r\n".join(lines) + "\r\n").encode()


@dataclass(frozen=True, slots=True)
class Running:
    """An installation whose daemon runs."""

    installation: Installation
    parts: Parts
    daemon: psutil.Process

    def drop(self, numbers: range) -> None:
        for number in numbers:
            partial = self.installation.home / "partial"
            partial.write_bytes(orders(number))
            partial.rename(self.installation.inbox / f"orders_{number:06}.csv")

    def ended(self) -> int:
        return sum(one.state == "done" for one in self.parts.ledger.outcomes.all())

    def wait(self, many: int) -> None:
        until(lambda: self.ended() >= many)

    def cpu(self) -> float:
        """CPU seconds of the daemon and all that it started, ended ones too."""
        total = 0.0
        for process in [self.daemon, *self.daemon.children(recursive=True)]:
            try:
                spent = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += spent.user + spent.system + spent.children_user + spent.children_system
        return total


def until(true: Callable[[], bool]) -> float:
    started = time.perf_counter()
    while not true():
        if time.perf_counter() - started > _PATIENCE:
            raise TimeoutError(f"not within {_PATIENCE:.0f} s")
        time.sleep(0.05)
    return time.perf_counter() - started


@contextmanager
def running(change: Callable[[dict[str, Any]], object] = lambda _: None, **feed: Any) -> Iterator[Running]:
    """Run a daemon with the project's `dagster.yaml`, changed so, until its first file has come through."""
    with ExitStack() as stack:
        home = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="launcher-bench-", ignore_cleanup_errors=True))
        )
        sftp, url = stack.enter_context(sftp_peer(home / "sftp")), stack.enter_context(server())
        installation = Installation.make(home / "home", sftp, ApiPeer(url=url)).rewrite("orders", **feed)
        for other in Path(installation.environ["IMPORT_PROJECT_FEEDS"]).glob("*.yaml"):
            if other.stem != "orders":
                other.unlink()
        instance = home / "dagster"
        instance.mkdir()
        settings = yaml.safe_load((ROOT / "dagster.yaml").read_text("utf-8"))
        change(settings)
        (instance / "dagster.yaml").write_text(yaml.safe_dump(settings), "utf-8")
        command = [str(Path(sys.executable).with_name("dagster-daemon")), "run", "-w", str(ROOT / "workspace.yaml")]
        environ = environment(installation) | {"DAGSTER_HOME": str(instance)}
        log = stack.enter_context((home / "daemon.log").open("wb"))
        child = subprocess.Popen(command, env=environ, stdout=log, stderr=log, start_new_session=True)
        stack.callback(_end, child)
        parts = installation.parts()
        stack.callback(parts.close)
        made = Running(installation, parts, psutil.Process(child.pid))
        made.drop(range(1))
        made.wait(1)
        yield made


def _end(child: subprocess.Popen[bytes]) -> None:
    os.killpg(child.pid, signal.SIGTERM)
    try:
        child.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)


def default_launcher(settings: dict[str, Any]) -> None:
    del settings["run_launcher"]


@dataclass(frozen=True, slots=True)
class Burst:
    """What `files` at once took: seconds by the clock, CPU seconds."""

    files: int
    seconds: float
    cpu: float

    @property
    def a_minute(self) -> float:
        return self.files / self.seconds * 60

    def __str__(self) -> str:
        return f"{self.files} files in {self.seconds:.1f} s, {self.cpu / self.files:.2f} s of CPU a file"


def burst(files: int = FILES, change: Callable[[dict[str, Any]], object] = lambda _: None, **feed: Any) -> Burst:
    with running(change, **feed) as made:
        before, start = made.cpu(), time.perf_counter()
        made.drop(range(1, files + 1))
        made.wait(files + 1)
        return Burst(files, time.perf_counter() - start, made.cpu() - before)


def one_file() -> tuple[float, float]:
    """Return the seconds from a file's drop to its last row posted, and from the look that saw it whole; medians."""
    waits, afters = list[float](), list[float]()
    with running() as made:
        for number in range(1, ONE_BY_ONE + 1):
            dropped = datetime.now(UTC)
            made.drop(range(number, number + 1))
            made.wait(number + 1)
            (arrival,) = made.parts.ledger.arrivals.called(f"orders_{number:06}.csv", "orders")
            attempts = made.parts.ledger.steps.of_file("orders", arrival.partition or "")
            posted = next(a.finished_at for a in attempts if a.step == "post_rows")
            assert posted is not None
            waits.append((posted - dropped).total_seconds())
            assert arrival.looked_at is not None
            afters.append((posted - arrival.looked_at).total_seconds())
            time.sleep(0.7 * number % 5)  # not always at the same distance from a tick
    return statistics.median(waits), statistics.median(afters)


def run() -> list[Figure]:
    default = burst(OF_DEFAULT, default_launcher, run={"files_per_run": 1})
    forked = burst(OF_FORKED, run={"files_per_run": 1})
    ours = burst(FILES)
    posted, after = one_file()
    return [
        Figure(
            what=f"{FILES} small files at once, files a minute",
            ours=ours.a_minute,
            peer=default.a_minute,
            peer_name="Dagster's default launcher",
            goal=">= 5x",
            met=ours.a_minute >= 5 * default.a_minute,
            cpu_ratio=round(ours.cpu / ours.files / (default.cpu / default.files), 3),
            told=f"ours {ours}; peer {default}",
        ),
        Figure(
            what="the same with a run for each file",
            ours=forked.a_minute,
            peer=default.a_minute,
            peer_name="Dagster's default launcher",
            goal="",
            met=None,
            cpu_ratio=round(forked.cpu / forked.files / (default.cpu / default.files), 3),
            told=f"ours {forked}",
        ),
        _seconds("one small file, from drop to posted", posted, 8.0),
        _seconds("the same, from the look that saw it whole", after, 2.0),
    ]


def _seconds(what: str, taken: float, goal: float) -> Figure:
    return Figure(
        what=f"{what}, a second",
        ours=1 / taken,
        peer=1 / goal,
        peer_name=f"{goal:.0f} s",
        goal=f"< {goal:.0f} s",
        met=taken < goal,
        told=f"{taken:.2f} s",
    )
