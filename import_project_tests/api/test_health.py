"""How the installation is, for probes and Prometheus."""

import time
from collections.abc import Callable
from pathlib import Path

from import_project.api.health import engine
from import_project.demo import files
from import_project.pipeline.alive import DESK_WORKER
from import_project_tests.api.conftest import Front


def test_each_part_is_told(front: Front) -> None:
    failing = front.client.get("/health")
    assert failing.status_code == 503
    assert "no worker" in failing.json()["dagster"]
    front.parts.ledger.heartbeats.beat(DESK_WORKER, front.parts.clock())
    well = front.client.get("/health")
    assert (well.status_code, well.json()["status"]) == (200, "ok")
    assert {k: v for k, v in well.json().items() if k not in {"status", "version"}} == {
        "database": "ok",
        "landing": "ok",
        "dagster": "ok",
        "feeds": "ok",
        "engine": "healthy",
    }
    folder = Path(front.installation.environ["IMPORT_PROJECT_FEEDS"])
    (folder / "broken.yaml").write_text("feed: [")
    time.sleep(0.6)  # files are looked at twice a second
    assert "cannot be used" in front.client.get("/health").json()["feeds"]
    assert front.client.get("/health").status_code == 200, "other feeds go on"


def test_landing_that_cannot_be_written_is_told(front: Front) -> None:
    front.parts.ledger.heartbeats.beat(DESK_WORKER, front.parts.clock())
    landing = front.parts.landing.root
    landing.parent.mkdir(parents=True, exist_ok=True)
    if landing.exists():
        for path in sorted(landing.rglob("*"), reverse=True):
            path.rmdir()
        landing.rmdir()
    landing.write_text("in the way")
    told = front.client.get("/health")
    assert told.status_code == 503
    assert told.json()["landing"] != "ok"


def test_engine_computes() -> None:
    assert engine() in {"healthy", "fallback"}


def test_numbers_for_prometheus(front: Front) -> None:
    front.hand_in(files.orders_csv(), files.ORDERS_NAME, front.token())
    answer = front.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert 'import_project_jobs{state="pending"} 1' in lines
    assert "import_project_postings_dead 0" in lines
    assert all(line.startswith("#") or len(line.split()) == 2 for line in lines)
    assert "finance" not in answer.text


def test_every_setting_of_the_desk_is_read(open_desk: Callable[..., Front]) -> None:
    front = open_desk(IMPORT_PROJECT_HOOK_HOSTS="hooks.example")
    assert front.client.get("/health").json()["version"]
