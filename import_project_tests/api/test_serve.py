"""`import-project serve` as people run it: a server and a worker of its own, a real instance; killed at bad moments."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from import_project.demo import files
from import_project_tests.api.serving import COMMAND, Serving, open_serving
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation, dagster_instance, environment


@pytest.fixture
def serving(installation: Installation, api: ApiPeer) -> Iterator[Serving]:
    made = open_serving(installation)
    yield made
    made.end()


def test_file_is_imported_at_once_and_recorded_in_dagster(serving: Serving, api: ApiPeer) -> None:
    job = serving.hand_in(files.orders_csv(), files.ORDERS_NAME)
    serving.until(lambda: serving.job(job["job_id"])["status"] == "completed", 120)
    done = serving.job(job["job_id"])
    assert (
        done["created_at"] <= done["started_at"] <= done["completed_at"]
    )  # how soon is measured in benchmarks/desk.py
    assert len(api.effects) == 5
    with dagster_instance(serving.environ["DAGSTER_HOME"]) as instance:
        serving.until(lambda: instance.get_runs()[0].status is dg.DagsterRunStatus.SUCCESS, 120)
        (run,) = instance.get_runs()
        assert run.tags["file"] == files.ORDERS_NAME


def test_worker_that_is_killed_loses_no_job_and_leaves_none_running(serving: Serving, api: ApiPeer) -> None:
    api.delay = 1.0
    jobs = [
        serving.hand_in(files.orders_csv().replace(b"AB-", b"%c%c-" % (75 + n, 75)), f"orders_{n}.csv")
        for n in range(2)
    ]
    serving.until(lambda: len(api.calls) > 0, 120)
    (worker,) = serving.workers()
    os.kill(worker, signal.SIGKILL)
    api.delay = 0.002
    for job in jobs:
        serving.until(lambda job=job: serving.job(job["job_id"])["status"] == "completed", 120)  # type: ignore[misc]
    assert set(api.times().values()) == {1}
    assert len(api.effects) == 10
    assert serving.workers() != [worker]


def test_server_that_is_killed_comes_back_with_all_its_jobs(serving: Serving, api: ApiPeer) -> None:
    api.delay = 1.0
    job = serving.hand_in(files.orders_csv(), files.ORDERS_NAME)
    serving.until(lambda: len(api.calls) > 0, 120)
    (worker,) = serving.workers()
    serving.child.kill()
    serving.child.wait()
    api.delay = 0.002
    serving.until(lambda: not Path(f"/proc/{worker}").exists(), 60)
    serving.start()
    serving.until(lambda: serving.job(job["job_id"])["status"] == "completed", 120)
    assert set(api.times().values()) == {1}


def test_tokens_are_made_listed_and_withdrawn(installation: Installation) -> None:
    def tokens(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, "tokens", *arguments], env=environment(installation), capture_output=True, text=True, check=False
        )

    shown = tokens("create", "--workspace", "finance", "--name", "erp").stdout.strip()
    assert re.fullmatch(r"ipd_[0-9a-f]{12}_\S{43}", shown)
    assert tokens("create", "--workspace", "finance", "--name", "erp").returncode == 1
    assert tokens("create", "--workspace", "nobody", "--name", "erp").returncode == 1
    listed = tokens("list", "--json").stdout
    assert shown.split("_", 2)[2] not in listed
    assert tokens("revoke", shown.split("_")[1]).returncode == 0
    assert tokens("revoke", shown.split("_")[1]).returncode == 1
