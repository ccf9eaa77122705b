"""`poll --once` on many small files: against Dagster's default launcher with daemon and sensors, and against runners
that a small team writes, which check nothing and remember nothing."""

import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.launcher import OF_DEFAULT, ROOT, ROWS, burst, default_launcher, orders
from benchmarks.peers import PeerMissing, run_peer
from benchmarks.posting import server
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation, environment
from import_project_tests.servers import sftp_peer

FILES, OF_PEERS = 1_000, 60
PEERS = ROOT / ".venv-peers" / "bin" / "python"


def versions() -> dict[str, str]:
    if not PEERS.exists():
        raise PeerMissing("the peers' environment is missing: make .venv-peers/done")
    listed = run_peer([str(PEERS), "-m", "pip", "--disable-pip-version-check", "list", "--format", "freeze"])
    found = dict(line.split("==") for line in listed.splitlines() if "==" in line)
    return {name: found[name] for name in ("AntFlow", "httpx")} | {"dagster": version("dagster")}


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="poll-bench-", ignore_cleanup_errors=True) as home:
        ours = _poll(Path(home))
        plain, antflow = (_peer(Path(home) / name, name) for name in ("plain", "antflow"))
    default = burst(OF_DEFAULT, default_launcher, run={"files_per_run": 1})
    return [
        _figure(ours, default.files / default.seconds, "Dagster's default launcher", 20.0),
        _figure(ours, plain, "a plain asyncio runner", 0.25),
        _figure(ours, antflow, "AntFlow, one client for all", None),
    ]


def _figure(ours: float, peer: float, name: str, at_least: float | None) -> Figure:
    return Figure(
        what=f"{FILES:,} files of {ROWS} rows, files a minute",
        ours=ours * 60,
        peer=peer * 60,
        peer_name=name,
        goal="" if at_least is None else f">= {at_least:g}x",
        met=None if at_least is None else ours >= at_least * peer,
        told=f"ours {1 / ours:.3f} s a file, peer {1 / peer:.3f} s",
    )


def _poll(home: Path) -> float:
    """Return files a second of one pass, from the command's start to its end."""
    with ExitStack() as stack:
        sftp, url = stack.enter_context(sftp_peer(home / "sftp")), stack.enter_context(server())
        made = Installation.make(home / "home", sftp, ApiPeer(url=url))
        made = made.rewrite("orders", files={"looks": 1, "min_age_seconds": 0})
        (Path(made.environ["IMPORT_PROJECT_FEEDS"]) / "bankgiro.yaml").unlink()
        instance = home / "dagster"
        instance.mkdir()
        (instance / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text("utf-8"), "utf-8")
        fill(made.inbox, FILES)
        command = [str(Path(sys.executable).with_name("import-project")), "poll", "--once"]
        start = time.perf_counter()
        environ = environment(made) | {"DAGSTER_HOME": str(instance)}
        subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        taken = time.perf_counter() - start
        parts = made.parts()
        assert sum(one.state == "done" for one in parts.ledger.outcomes.all()) == FILES
        parts.close()
    return FILES / taken


def _peer(home: Path, name: str) -> float:
    home.mkdir()
    fill(home, OF_PEERS)
    with server() as url:
        start = time.perf_counter()
        run_peer([str(PEERS), str(Path(__file__).with_name("small_runners.py")), name, str(home), url])
        return OF_PEERS / (time.perf_counter() - start)


def fill(inbox: Path, many: int) -> None:
    for number in range(many):
        (inbox / f"orders_{number:06}.csv").write_bytes(orders(number))
