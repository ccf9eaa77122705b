"""Runs launched as the daemon launches them: a real instance, a real code server, real processes."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.launcher.base import WorkerStatus
from dagster._core.storage.dagster_run import DagsterRun
from dagster._core.test_utils import create_run_for_test
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import PythonFileTarget

from import_project.defs.launcher import WarmRunLauncher
from import_project.defs.worker import TAG, Worker

_MANY, _AT_ONCE = 2_000, 4
LAUNCHER = {"run_launcher": {"module": "import_project.defs.launcher", "class": "WarmRunLauncher"}}


class Launched:
    """A workspace with an instance, as the daemon holds them."""

    def __init__(self, instance: dg.DagsterInstance, context: WorkspaceProcessContext) -> None:
        assert isinstance(instance.run_launcher, WarmRunLauncher)
        self.instance, self.launcher, self._context = instance, instance.run_launcher, context

    def launch(self, job: str, tags: dict[str, str] | None = None) -> str:
        workspace = self._context.create_request_context()
        (location,) = workspace.code_locations
        (repository,) = location.get_repositories().values()
        remote = repository.get_full_job(job)
        run = create_run_for_test(
            self.instance,
            job_name=job,
            tags=tags,
            remote_job_origin=remote.get_remote_origin(),
            job_code_origin=remote.get_python_origin(),
        )
        self.instance.launch_run(run.run_id, workspace)
        return str(run.run_id)

    def known(self, run_id: str) -> DagsterRun:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run

    def ended(self, run_id: str) -> DagsterRun:
        until(lambda: self.known(run_id).is_finished)
        return self.known(run_id)

    def counted(self) -> dict[str, Any]:
        """Run the job that tells about its process. Returns what it told, and what Dagster told of the launch."""
        run = self.ended(self.launch("count"))
        assert run.status is dg.DagsterRunStatus.SUCCESS
        told: dict[str, Any] = {"forked": Worker.of(run) is not None, "engine": []}
        for entry in self.instance.all_logs(run.run_id):
            event = entry.dagster_event
            if event is not None and event.event_type is dg.DagsterEventType.STEP_OUTPUT:
                told |= {name: value.value for name, value in event.step_output_data.metadata.items()}
            elif event is not None and event.event_type is dg.DagsterEventType.ENGINE_EVENT:
                told["engine"].append(event.message)
        return told

    def parent(self, run_id: str) -> int:
        """The warm process that a run was forked from, as the run told it."""
        told = [entry.dagster_event for entry in self.instance.all_logs(run_id, dg.DagsterEventType.STEP_OUTPUT)]
        return int(told[0].step_output_data.metadata["parent"].value)  # type: ignore[union-attr,arg-type]

    def messages(self, run_id: str) -> str:
        return "\n".join(entry.message for entry in self.instance.all_logs(run_id))


def until(true: Callable[[], object], seconds: float = 60) -> None:
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < seconds
        time.sleep(0.02)


@contextmanager
def workspace(monkeypatch: pytest.MonkeyPatch, feeds: Path) -> Iterator[Launched]:
    monkeypatch.setenv("IMPORT_PROJECT_FEEDS", str(feeds))
    location = PythonFileTarget(
        python_file=str(Path(__file__).with_name("launched.py")),
        attribute=None,
        working_directory=str(Path(__file__).parents[2]),
        location_name=None,
    )
    with (
        dg.instance_for_test(overrides=LAUNCHER) as instance,
        WorkspaceProcessContext(instance, location) as context,
    ):
        yield Launched(instance, context)


def test_runs_are_forked_ended_and_told_of_as_in_dagsters_own_launcher(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    feeds = tmp_path / "feeds"
    feeds.mkdir()
    with workspace(monkeypatch, feeds) as made:
        first, second = made.counted(), made.counted()
        assert first["forked"]
        assert (first["rows"], first["tried"]) == (7, True)
        assert first["pid"] != second["pid"], "each run is a process"
        assert first["parent"] == second["parent"] != os.getpid(), "of one warm process"

        hung = made.launch("hang")
        until(lambda: made.known(hung).status is dg.DagsterRunStatus.STARTED)
        worker = Worker.of(made.known(hung))
        assert worker is not None
        assert os.getsid(worker.pid) == worker.pid, "a terminal's interrupt does not reach it"
        assert made.launcher.check_run_worker_health(made.known(hung)).status is WorkerStatus.RUNNING
        assert made.launcher.terminate(hung)
        assert made.ended(hung).status is dg.DagsterRunStatus.CANCELED
        until(lambda: not worker.alive)
        assert not made.launcher.terminate(hung), "it has ended"

        killed = made.ended(made.launch("die"))
        assert killed.status is dg.DagsterRunStatus.FAILURE
        assert "the run's process ended unexpectedly: signal 9" in made.messages(killed.run_id)
        assert made.launcher.check_run_worker_health(killed).status is WorkerStatus.FAILED

        (feeds / "new.yaml").write_text("feed: new\n", "utf-8")
        third = made.counted()
        assert third["forked"]
        assert third["parent"] != first["parent"], "a feed has changed: another warm process takes over"
        until(lambda: not Path(f"/proc/{first['parent']}").exists())

        os.kill(third["parent"], signal.SIGKILL)
        until(lambda: not Path(f"/proc/{third['parent']}/exe").exists())
        assert made.counted()["forked"], "a warm process that was killed is replaced"


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_thousands_of_runs_are_forked_from_one_process_and_none_hangs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each works with Polars on all its threads, a few at a time: a lock that was held at a fork would hang it."""
    with workspace(monkeypatch, tmp_path) as made:
        runs, under_way = list[str](), list[str]()
        while len(runs) < _MANY or under_way:
            while len(runs) < _MANY and len(under_way) < _AT_ONCE:
                runs.append(made.launch("count"))
                under_way.append(runs[-1])
            made.ended(under_way.pop(0))
        assert {made.known(run).status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
        assert len({made.parent(run) for run in runs}) == 1
        assert all(Worker.of(made.known(run)) for run in runs)


def test_code_that_starts_threads_when_it_is_loaded_is_not_forked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WORKS_AT_IMPORT", "1")
    with workspace(monkeypatch, tmp_path) as made:
        told = made.counted()
    assert not told["forked"]
    assert any("Not forked, but started cold: the warm process has threads: polars-0" in m for m in told["engine"])


def test_run_is_not_taken_for_another_that_had_its_process() -> None:
    run = DagsterRun(job_name="a", run_id="12345678-0000-0000-0000-000000000000")
    me = Worker.me(run.run_id)
    mine = run.with_tags(me.tags)
    assert Worker.of(mine) == me
    assert me.alive
    assert Worker.of(DagsterRun(job_name="a", run_id="other", tags=mine.tags)) is None, "a run that repeats it"
    assert Worker.of(run) is None
    again = run.with_tags({TAG: f"{run.run_id} {me.host} {me.pid} 1"})
    worker = Worker.of(again)
    assert worker is not None
    assert not worker.alive, "the id was given to another process"
    assert not worker.terminate()
    elsewhere = Worker.of(run.with_tags({TAG: f"{run.run_id} elsewhere {me.pid} {me.began}"}))
    assert elsewhere is not None
    assert not elsewhere.here
    assert not elsewhere.terminate()
