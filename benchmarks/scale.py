"""What an installation costs while nothing comes, and what another machine brings: the daemon with fifty feeds, and
Celery workers beside each other."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import psycopg
import yaml

from benchmarks.figure import Figure
from benchmarks.launcher import ROOT, Running, orders, until
from benchmarks.posting import server
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation, environment
from import_project_tests.servers import postgres, redis, sftp_peer

FEEDS, SETTLE, IDLE, FILES = 50, 60.0, 120.0, 200
_BIN = Path(sys.executable).parent
_LOCATION = "import_project.definitions"
_DAEMON = [str(_BIN / "dagster-daemon"), "run", "-w", str(ROOT / "workspace.yaml")]


def versions() -> dict[str, str]:
    return {name: version(name) for name in ("dagster", "dagster-celery", "celery")}


def run() -> list[Figure]:
    share, beside = _idle(), _idle(code_server=True)
    one, two = _workers(1), _workers(2)
    return [
        Figure(
            what=f"feeds that a tenth of a core keeps watch over, {FEEDS} feeds idle",
            ours=FEEDS * 0.1 / share,
            peer=FEEDS,
            peer_name="the goal",
            goal="< 10 % of a core",
            met=share < 0.1,
            told=f"{share * 100:.1f} % of a core, polled every 30 s",
        ),
        Figure(
            what="the same, with a code server that runs by itself",
            ours=FEEDS * 0.1 / beside,
            peer=FEEDS,
            peer_name="the goal",
            goal="",
            met=None,
            told=f"{beside * 100:.1f} % of a core, the code server's among them",
        ),
        Figure(
            what=f"{FILES} files, two Celery workers, files a minute",
            ours=two * 60,
            peer=one * 60,
            peer_name="one worker",
            goal=">= 1.6x",
            met=two >= 1.6 * one,
        ),
    ]


@contextmanager
def _child(command: list[str], environ: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as out:
        child = subprocess.Popen(command, env=environ, stdout=out, stderr=out, start_new_session=True)
    try:
        yield child
    finally:
        os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


@contextmanager
def _installation(stack: ExitStack, instance: Path) -> Iterator[tuple[Path, Installation]]:
    """An installation without feeds, and a folder for its Dagster instance, with this `dagster.yaml`."""
    home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scale-bench-", ignore_cleanup_errors=True)))
    sftp, url = stack.enter_context(sftp_peer(home / "sftp")), stack.enter_context(server())
    made = Installation.make(home / "home", sftp, ApiPeer(url=url)).rewrite("orders")
    (home / "dagster").mkdir()
    (home / "dagster" / "dagster.yaml").write_text(instance.read_text("utf-8"), "utf-8")
    yield home, made


def _feeds(made: Installation) -> tuple[Path, dict[str, Any]]:
    """Return the folder of feeds, emptied, and the one of orders."""
    folder = Path(made.environ["IMPORT_PROJECT_FEEDS"])
    found: dict[str, Any] = yaml.safe_load((folder / "orders.yaml").read_text("utf-8"))
    for path in folder.glob("*.yaml"):
        path.unlink()
    return folder, found


def _idle(*, code_server: bool = False) -> float:
    """Return the share of a core that a daemon with many feeds takes while nothing comes, with its code server."""
    with ExitStack() as stack:
        home, made = stack.enter_context(_installation(stack, ROOT / "dagster.yaml"))
        folder, feed = _feeds(made)
        for number in range(FEEDS):
            (home / f"inbox{number}").mkdir()
            source = {"kind": "local_fs", "path": str(home / f"inbox{number}")}
            one = feed | {"feed": f"feed{number}", "source": source, "poll": {"every_seconds": 30}}
            (folder / f"feed{number}.yaml").write_text(yaml.safe_dump(one), "utf-8")
        environ = environment(made) | {"DAGSTER_HOME": str(home / "dagster")}
        parts, children = made.parts(), list[subprocess.Popen[bytes]]()
        stack.callback(parts.close)
        daemon = _DAEMON
        if code_server:
            socket, workspace = home / "code.sock", home / "workspace.yaml"
            workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": {"socket": str(socket)}}]}), "utf-8")
            serve = [
                str(_BIN / "dagster"),
                "code-server",
                "start",
                "-s",
                str(socket),
                "-m",
                "import_project.definitions",
            ]
            children.append(stack.enter_context(_child(serve, environ, home / "code.log")))
            until(socket.exists)
            daemon = [*_DAEMON[:-1], str(workspace)]
        children.append(stack.enter_context(_child(daemon, environ, home / "daemon.log")))
        running = [Running(made, parts, psutil.Process(child.pid)) for child in children]
        time.sleep(SETTLE)
        before, start = sum(one.cpu() for one in running), time.perf_counter()
        time.sleep(IDLE)
        return (sum(one.cpu() for one in running) - before) / (time.perf_counter() - start)


def _workers(many: int) -> float:
    """Return files a second with so many Celery workers of one process each, once they have come up."""
    with ExitStack() as stack:
        home, made = stack.enter_context(_installation(stack, ROOT / "deploy" / "celery" / "dagster.yaml"))
        ledger, broker = stack.enter_context(postgres(home)), stack.enter_context(redis(home))
        with psycopg.connect(ledger, autocommit=True) as connection:
            connection.execute("CREATE DATABASE dagster")
        made = Installation(made.home, {**made.environ, "IMPORT_PROJECT_LEDGER": ledger}, made.clock)
        folder, feed = _feeds(made)
        feed["files"] |= {"looks": 1, "min_age_seconds": 0}
        (folder / "orders.yaml").write_text(yaml.safe_dump(feed), "utf-8")
        environ = environment(made) | {
            "DAGSTER_HOME": str(home / "dagster"),
            "DAGSTER_POSTGRES_URL": ledger.replace("postgresql://", "postgresql+psycopg2://").replace(
                "/postgres?", "/dagster?"
            ),
            "CELERY_BROKER_URL": broker,
            "CELERY_RESULT_BACKEND": broker,
        }
        stack.enter_context(_child(_DAEMON, environ, home / "daemon.log"))
        for number in range(many):
            options = ["--concurrency", "1", "--queues", "dagster", "--loglevel", "WARNING", "-n", f"w{number}@here"]
            command = [str(_BIN / "celery"), "-A", "import_project.defs.celery_app", "worker", *options]
            stack.enter_context(_child(command, environ, home / f"worker{number}.log"))
        parts = made.parts()
        stack.callback(parts.close)

        def done() -> list[float]:
            return sorted(o.finished_at.timestamp() for o in parts.ledger.outcomes.all() if o.state == "done")

        def drop(numbers: range) -> None:
            for number in numbers:
                (made.inbox / f"orders_{number:06}.csv").write_bytes(orders(number))

        drop(range(2 * many))  # what every worker does first is not counted
        until(lambda: len(done()) == 2 * many)
        drop(range(2 * many, 2 * many + FILES))
        until(lambda: len(done()) == 2 * many + FILES)
        ends = done()[2 * many :]
        return (FILES - 1) / (ends[-1] - ends[0])
