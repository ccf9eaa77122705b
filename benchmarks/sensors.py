"""Ten sensors, each over an inbox of a hundred thousand files that were imported long ago: how long the slowest of a
thousand ticks takes, and whether memory grows. Ticks are evaluated as Dagster's code server does, in one process."""

import asyncio
import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import sqlalchemy as sa
import yaml

from benchmarks.figure import Figure
from benchmarks.launcher import ROOT
from import_project.pipeline.compare import partition_key
from import_project.pipeline.parts import Parts
from import_project.records.files import ArrivalState
from import_project.store.ledger.tables import arrivals
from import_project_tests.installation import Installation, environment

SENSORS, KNOWN, TICKS = 10, 100_000, 1_000
#: By then every cache is filled.
WARM = 100


def run() -> list[Figure]:
    with TemporaryDirectory(prefix="sensors-bench-") as folder:
        home = Path(folder)
        environ = _installation(home)
        (home / "dagster").mkdir()
        (home / "dagster" / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text("utf-8"), "utf-8")
        environ |= {"DAGSTER_HOME": str(home / "dagster")}
        command = [sys.executable, "-m", "benchmarks.sensors"]
        told = json.loads(subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout)
    slowest, grown = max(told["seconds"]), told["last_mb"] / told["warm_mb"]
    what = f"{SENSORS} sensors over {KNOWN:,} known files each"
    return [
        Figure(
            what=f"{what}, ticks in the time of the slowest, a second",
            ours=1 / slowest,
            peer=1 / 5,
            peer_name="5 s",
            goal="every tick < 5 s",
            met=slowest < 5,
            told=f"slowest {slowest:.2f} s, median {median(told['seconds']):.2f} s of {TICKS:,} ticks",
        ),
        Figure(
            what=f"{what}, memory after {WARM} ticks by that after {TICKS:,}",
            ours=told["warm_mb"],
            peer=told["last_mb"],
            peer_name="the memory at the end",
            goal="flat: grown by less than 5 %",
            met=grown < 1.05,
            told=f"{told['warm_mb']:.0f} MB, then {told['last_mb']:.0f} MB",
        ),
    ]


def versions() -> dict[str, str]:
    return {"dagster": version("dagster")}


def _installation(home: Path) -> dict[str, str]:
    """Make feeds whose files stay where they are, and let the ledger know all of them as done."""
    state = {"IMPORT_PROJECT_HOME": str(home / "state"), "IMPORT_PROJECT_FEEDS": str(ROOT / "feeds")}
    nowhere = {"ERP_URL": "http://127.0.0.1:1", "ERP_TOKEN": "none", "ORDERS_INBOX": str(home)}
    made = Installation(home=home, environ={**state, **nowhere}).rewrite("orders")
    folder = Path(made.environ["IMPORT_PROJECT_FEEDS"])
    feed: dict[str, Any] = yaml.safe_load((folder / "orders.yaml").read_text("utf-8"))
    for path in folder.glob("*.yaml"):
        path.unlink()
    for number in range(SENSORS):
        inbox = home / f"inbox{number}"
        inbox.mkdir()
        for n in range(KNOWN):
            (inbox / f"orders-{n:06}.csv").touch()
        source = {"kind": "local_fs", "path": str(inbox), "read_only": True}
        one = feed | {"feed": f"feed{number}", "source": source}
        (folder / f"feed{number}.yaml").write_text(yaml.safe_dump(one), "utf-8")
    parts = made.parts()
    for number in range(SENSORS):
        _know(parts, made, f"feed{number}")
    parts.close()
    return environment(made)


def _know(parts: Parts, made: Installation, feed: str) -> None:
    loaded, now = made.feed(feed), datetime.now(UTC) - timedelta(days=1)

    async def files() -> list[Any]:
        async with parts.open_source(loaded) as source:
            return list((await source.list(lambda _: True)).files)

    found = asyncio.run(files())
    parts.ledger.sightings.see(feed, [(f, 0, partition_key(f, now)) for f in found], now)
    with parts.ledger.database.write() as connection:
        connection.execute(sa.update(arrivals).values(state=ArrivalState.DONE, looked_at=now))


def _ticks() -> None:
    """Evaluate the ticks in turns; print what each took, and the memory."""
    import dagster as dg
    from dagster._core.definitions.sensor_definition import SensorEvaluationContext

    from import_project.definitions import definitions

    repository = definitions().get_repository_def()
    instance = dg.DagsterInstance.get().get_ref()
    process, seconds, warm = psutil.Process(), list[float](), 0.0
    for number in range(TICKS):
        name = f"feed{number % SENSORS}_sensor"
        sensor, began = repository.get_sensor_def(name), time.perf_counter()
        with SensorEvaluationContext(
            instance,
            last_tick_completion_time=None,
            last_run_key=None,
            cursor=None,
            log_key=None,
            repository_name=repository.name,
            repository_def=repository,
            sensor_name=name,
            resources=repository.get_top_level_resources(),
        ) as context:
            told = sensor.evaluate_tick(context)
        assert "nothing new; 0 files" in (told.skip_message or ""), told
        seconds.append(time.perf_counter() - began)
        if number + 1 == WARM:
            warm = process.memory_info().rss / 1e6
    print(json.dumps({"seconds": seconds, "warm_mb": warm, "last_mb": process.memory_info().rss / 1e6}))


if __name__ == "__main__":
    _ticks()
