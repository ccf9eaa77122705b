"""Many small files at once, daemon and sensors running: how many a minute are imported with the launcher of
`dagster.yaml`, and how many with Dagster's default one; and how soon one small file is posted."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks.posting import server
from import_project.pipeline.parts import Parts
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation, environment
from import_project_tests.servers import sftp_peer

ROOT = Path(__file__).parents[1]
FILES, ROWS = 200, 10
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


if __name__ == "__main__":
    kind, many = sys.argv[1], int(sys.argv[2])
    feed = {"run": {"files_per_run": int(sys.argv[3])}} if len(sys.argv) > 3 else {}
    print(burst(many, default_launcher if kind == "default" else lambda _: None, **feed))
