"""A whole installation with its Dagster UI, and what the instance and the receiving API hold of what was clicked there."""

import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.execution.backfill import PartitionBackfill
from dagster._core.scheduler.instigation import InstigatorTick, TickStatus

from import_project.demo import files
from import_project.demo.installation import Installation
from import_project_tests.demo.test_demo import free_port
from import_project_tests.installation import dagster_instance

PROJECT = Path(__file__).parents[2]
#: Long, for a busy machine with two cores; nothing waits longer than it must.
PATIENCE_SECONDS = 90.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The installation, its instance opened beside the daemon, the folder of its feeds, and the address of its UI."""

    installation: Installation
    instance: dg.DagsterInstance
    feeds: Path
    url: str

    def until(self, look: Callable[[], T | None], what: str) -> T:
        """Wait until `look` returns something true, and return it."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not (found := look()):
            log = (self.installation.home / "daemon.log").read_text("utf-8")[-3000:]
            assert time.monotonic() < end, f"not in {PATIENCE_SECONDS:.0f} seconds: {what}\n{log}"
            time.sleep(0.3)
        return found

    def partition(self, feed: str, file: str) -> str:
        """The partition of a file."""
        (key,) = (k for k in self.instance.get_dynamic_partitions(f"{feed}_files") if k.startswith(f"{file}~"))
        return key

    def drop_orders(self, number: int) -> None:
        """Drop another file of orders, with numbers of its own."""
        content = files.orders_csv().replace(b"AB-", b"%02d-" % number)
        (self.installation.inboxes["orders"] / f"orders_202611{number}.csv").write_bytes(content)

    def imported(self, feed: str) -> set[str]:
        """The partitions of a feed whose runs have ended well."""
        runs = self.runs(dg.RunsFilter(job_name=f"{feed}_job", statuses=[dg.DagsterRunStatus.SUCCESS]))
        return {run.tags["dagster/partition"] for run in runs}

    def runs(self, wanted: dg.RunsFilter) -> Sequence[dg.DagsterRun]:
        """Runs, the newest first."""
        return self.instance.get_runs(wanted)

    def succeeded(self, run_id: str) -> dg.DagsterRun:
        """Wait for the end of a run, which must be a good one."""
        self.until(lambda: self._run(run_id).is_finished, f"the end of run {run_id}")
        run = self._run(run_id)
        assert run.status is dg.DagsterRunStatus.SUCCESS, run.status
        return run

    def _run(self, run_id: str) -> dg.DagsterRun:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None, run_id
        return run

    def backfill(self, backfill_id: str) -> PartitionBackfill:
        """Wait for the end of a backfill."""

        def ended() -> PartitionBackfill | None:
            found = self.instance.get_backfill(backfill_id)
            return found if found is not None and found.backfill_end_timestamp is not None else None

        return self.until(ended, f"the end of backfill {backfill_id}")

    def metadata(self, key: dg.AssetKey, partition: str) -> dict[str, str]:
        """What the last materialization of an asset's partition tells."""
        (record,) = self.instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=key, asset_partitions=[partition]), limit=1
        ).records
        assert record.asset_materialization is not None
        return {name: str(value.value) for name, value in record.asset_materialization.metadata.items()}

    def ticks(self, sensor: str, status: TickStatus, after: float = 0.0) -> Sequence[InstigatorTick]:
        """The ticks of a sensor that ended so, the newest first."""
        (state,) = (
            s
            for s in self.instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
            if s.instigator_name == sensor
        )
        origin, selector = state.instigator_origin_id, state.selector_id
        return self.instance.get_ticks(origin, selector, after=after, statuses=[status])


@contextmanager
def open_house(home: Path, feeds: Path) -> Iterator[House]:
    """Start servers, daemon and UI, and wait until the demo's files are imported and the UI answers."""
    installation = Installation(home, project=PROJECT)
    port = free_port()
    with installation.running() as own:
        environ = {**own, "IMPORT_PROJECT_FEEDS": str(feeds)}
        # The instance first: daemon and UI fail when both make its databases at the same time.
        with (
            dagster_instance(environ["DAGSTER_HOME"]) as instance,
            installation.daemon(environ),
            installation.webserver(environ, port),
        ):
            house = House(installation=installation, instance=instance, feeds=feeds, url=f"http://127.0.0.1:{port}")
            house.until(lambda: _answers(house.url), "an answer of the UI")
            house.until(lambda: house.imported("orders") and house.imported("bankgiro"), "the demo's files")
            yield house


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/server_info", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
