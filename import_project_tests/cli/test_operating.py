"""Commands for those who run it: `watch`, `report`, `files --open`, `alerts watch`."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from import_project.demo import files
from import_project.errors import ImportProjectError, SourceError
from import_project.pipeline.alive import beat
from import_project.pipeline.parts import Parts
from import_project_tests.cli.test_inspect import command
from import_project_tests.http_servers import ApiPeer, webhook_peer
from import_project_tests.installation import Installation, environment
from import_project_tests.servers import SftpPeer

COMMAND = [str(Path(sys.executable).with_name("import-project"))]


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
    return command(*arguments, environ=environment(installation))


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
    assert "failed" in failed.stdout
    assert "error: " in failed.stdout
    assert "waits for its run" in run(troubled, "report", "orders_3.csv").stdout
    unknown = run(troubled, "report", "nothing")
    do = "see `import-project files`; a run is named by 6 or more characters of its id"
    assert (unknown.returncode, unknown.stderr) == (1, f"error: no run and no file is called nothing ({do})\n")


def test_tables_fit_a_narrow_terminal_and_their_errors_stand_below(troubled: Installation) -> None:
    for arguments in (("files",), ("files", "--open"), ("report", "orders_2.csv"), ("watch", "--once")):
        shown = command(*arguments, environ={**environment(troubled), "COLUMNS": "80"}).stdout.splitlines()
        tables = [line for line in shown if not line.startswith(("error: ", "orders_2.csv: "))]
        assert max(len(line) for line in tables) <= 80, arguments
    listed = command("files", "--open", environ={**environment(troubled), "COLUMNS": "80"}).stdout
    assert "orders_2.csv: " in listed


def test_a_feed_that_nobody_knows_is_an_error(troubled: Installation) -> None:
    unknown = run(troubled, "files", "--feed", "nofeed")
    assert (unknown.returncode, unknown.stderr) == (1, "error: no feed nofeed\n")


def test_feed_that_cannot_be_polled_is_shown_with_why(troubled: Installation, parts: Parts, sftp: SftpPeer) -> None:
    with pytest.raises(SourceError):
        troubled.poll(parts, troubled.changed("bankgiro", source={"port": 1}))
    whole = run(troubled, "watch", "--once").stdout
    assert "bankgiro cannot be polled: feed bankgiro" in whole
    assert "bankgiro: no file yet | cannot be polled" in run(troubled, "watch", "--once", "--compact").stdout
    told = json.loads(run(troubled, "watch", "--json").stdout)
    assert next(f["error"] for f in told["feeds"] if f["feed"] == "bankgiro").startswith("feed bankgiro")
    troubled.poll(parts, "bankgiro")
    assert "cannot be polled" not in run(troubled, "watch", "--once").stdout


def test_watcher_goes_on_while_the_ledger_is_down_and_tells_it_once(installation: Installation) -> None:
    with webhook_peer() as webhook:
        environ = {**environment(installation), "IMPORT_PROJECT_ALERT_WEBHOOK": webhook.url}
        environ["IMPORT_PROJECT_LEDGER"] = "postgresql://nobody@127.0.0.1:1/none"
        child = subprocess.Popen(
            [*COMMAND, "alerts", "watch", "--every", "1"], env=environ, stderr=subprocess.PIPE, text=True
        )
        try:
            assert child.stderr is not None
            lines = [child.stderr.readline() for _ in range(3)]
            assert child.poll() is None
        finally:
            child.kill()
            child.communicate()
        assert all("ledger" in line for line in lines), lines
        (told,) = webhook.received
        assert "whether the feeds are evaluated cannot be seen" in told["text"]


def test_next_sign_of_life_is_waited_for_until_it_is_due(installation: Installation, parts: Parts) -> None:
    old = parts.clock() - timedelta(minutes=20)
    for minutes, code in ((18, 0), (5, 1)):
        parts.ledger.heartbeats.beat("feeds evaluated", old, due_at=old + timedelta(minutes=minutes))
        assert run(installation, "alerts", "watch", "--after", "5").returncode == code


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
