"""Commands for those who run it: `watch`, `report`, `files --open`, `alerts watch`."""

import json
import subprocess
from collections.abc import Iterator

import pytest

from import_project.demo import files
from import_project.errors import ImportProjectError
from import_project.pipeline.alive import beat
from import_project.pipeline.parts import Parts
from import_project_tests.cli.test_inspect import command
from import_project_tests.http_servers import ApiPeer, webhook_peer
from import_project_tests.installation import Installation, environment


@pytest.fixture
def parts(installation: Installation) -> Iterator[Parts]:
    made = installation.parts()
    yield made
    made.close()


@pytest.fixture
def troubled(installation: Installation, parts: Parts, api: ApiPeer) -> Installation:
    """One file done, one that the API refuses for now, one just seen."""
    (installation.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    installation.run(parts, "orders", installation.poll_until_ready(parts, "orders"), owner="run-done")
    (installation.inbox / "orders_2.csv").write_bytes(files.orders_csv().replace(b"AB-", b"CD-"))
    request = installation.poll_until_ready(parts, "orders")
    api.mode = "refuse_us"
    with pytest.raises(ImportProjectError):
        installation.run(parts, "orders", request, owner="run-troubled")
    (installation.inbox / "orders_3.csv").write_bytes(files.orders_csv().replace(b"AB-", b"EF-"))
    installation.poll(parts, "orders")
    return installation


def run(installation: Installation, *arguments: str) -> subprocess.CompletedProcess[str]:
    return command(*arguments, environ={**environment(installation), "COLUMNS": "160"})


def test_watch_shows_feeds_states_and_errors(troubled: Installation) -> None:
    whole = run(troubled, "watch", "--once").stdout
    assert "orders_20261120.csv" in whole
    assert "erp" in whole
    assert "orders: orders_2.csv is tried again" in whole
    compact = run(troubled, "watch", "--once", "--compact").stdout.splitlines()
    assert compact[1] == "bankgiro: no file yet"
    assert compact[2] == "orders: seen 1 landed 1 done 1"
    told = json.loads(run(troubled, "watch", "--json").stdout)
    assert told["files_ended"] == 1
    assert {f["feed"]: f["states"] for f in told["feeds"]}["orders"] == {"done": 1, "landed": 1, "seen": 1}


def test_files_that_have_not_ended_are_listed_with_why_and_when(troubled: Installation) -> None:
    listed = json.loads(run(troubled, "files", "--open", "--json").stdout)
    assert [(f["file"], f["state"]) for f in listed] == [("orders_2.csv", "landed"), ("orders_3.csv", "seen")]
    assert "401" in listed[0]["error"] or "refuses" in listed[0]["error"]
    assert listed[0]["next_try_at"] > listed[0]["first_seen_at"]
    assert "orders_2.csv" in run(troubled, "files", "--open").stdout


def test_report_is_for_people_and_for_machines(troubled: Installation) -> None:
    told = json.loads(run(troubled, "report", "run-done", "--json").stdout)
    names = "pipeline file source started completed total processed matched unmatched errors dry_run success steps"
    assert set(names.split()) <= set(told)
    assert (told["total"], told["processed"], told["success"], told["dry_run"]) == (10, 10, True, False)
    assert told["errors"] == {"count": 0, "texts": []}
    assert set(told["steps"][0]) >= {"step", "status", "attempt", "started", "completed", "error"}
    failed = run(troubled, "report", "orders_2.csv")
    assert failed.returncode == 0
    assert "not succeeded" in failed.stdout
    assert "error: " in failed.stdout
    unknown = run(troubled, "report", "nothing")
    assert (unknown.returncode, unknown.stderr.splitlines()) == (
        1,
        ["error: no run and no file is called nothing (see `import-project files`)"],
    )


def test_silence_is_told_from_outside_of_the_daemon(installation: Installation, parts: Parts) -> None:
    beat(parts)  # the test's clock stands at the time of the machine
    with webhook_peer() as webhook:
        alerted = {**installation.environ, "IMPORT_PROJECT_ALERT_WEBHOOK": webhook.url}
        changed = Installation(home=installation.home, environ=alerted)
        assert run(changed, "alerts", "watch").returncode == 0
        parts.ledger.heartbeats.beat("feeds evaluated", parts.clock().replace(year=2025))
        for _ in range(2):
            silent = run(changed, "alerts", "watch")
            assert silent.returncode == 1
            assert "is dagster-daemon running?" in silent.stderr
        beat(parts)
        assert run(changed, "alerts", "watch").returncode == 0
        assert [m["text"].split(" since")[0] for m in webhook.received] == [
            "nothing has evaluated the feeds",
            "the feeds are evaluated again",
        ]
