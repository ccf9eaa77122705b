"""`import-project poll` as cron runs it: a process of its own, a real instance, real peers."""

import asyncio
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from import_project.defs.file_run import jobs_of, run_here
from import_project.demo import files
from import_project.pipeline.see import see
from import_project.store.ledger.operating_tables import polls
from import_project_tests.http_servers import ApiPeer, webhook_peer
from import_project_tests.installation import FEEDS, Installation, dagster_instance, environment, rewrite_feed
from import_project_tests.servers import SftpPeer

COMMAND = [str(Path(sys.executable).with_name("import-project")), "poll", "--json"]


@pytest.fixture
def polled(installation: Installation) -> Installation:
    """Both feeds with one look each, so that one pass imports; and an instance of its own."""
    home = installation.home / "dagster"
    home.mkdir()
    shutil.copy(FEEDS.parent / "dagster.yaml", home / "dagster.yaml")
    made = installation.rewrite("bankgiro", files={"looks": 1, "min_age_seconds": 0})
    made = made.rewrite("orders", files={"looks": 1, "min_age_seconds": 0}, poll={"every_seconds": 1})
    return replace(made, environ={**made.environ, "DAGSTER_HOME": str(home)})


def told(done: subprocess.CompletedProcess[str]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {"feed": [], "file": []}
    for line in done.stdout.splitlines():
        one = json.loads(line)
        found[one["told"]].append(one)
    return found


def once(installation: Installation) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "--once"],
        env=environment(installation),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def runs(installation: Installation) -> list[dg.DagsterRun]:
    with dagster_instance(installation.environ["DAGSTER_HOME"]) as instance:
        return list(instance.get_runs())


def test_one_pass_runs_every_new_file_and_is_recorded_in_the_instance(
    polled: Installation, sftp: SftpPeer, api: ApiPeer
) -> None:
    api.invoices = files.invoices()
    (sftp.root / "out" / files.BGMAX_NAME).write_bytes(files.bgmax())
    (polled.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    done = once(polled)
    assert done.returncode == 0, done.stderr
    assert {(f["file"], f["state"], f["success"]) for f in told(done)["file"]} == {
        (files.BGMAX_NAME, "done", True),
        (files.ORDERS_NAME, "done", True),
    }
    assert len(api.effects) == 15
    kept = runs(polled)
    assert {r.job_name for r in kept} == {"bankgiro_job", "orders_job"}
    assert all(r.status is dg.DagsterRunStatus.SUCCESS for r in kept)
    assert all(r.remote_job_origin and r.tags["dagster/partition"] for r in kept)
    again = once(polled)
    assert (again.returncode, told(again)["file"]) == (0, [])
    assert len(api.effects) == 15


def test_exit_code_tells_a_failed_file_from_a_feed_that_cannot_be_polled(
    polled: Installation, sftp: SftpPeer, api: ApiPeer
) -> None:
    (sftp.root / "out" / files.BGMAX_NAME).write_bytes(files.bgmax().replace(b"7000000009", b"7000000008"))
    failed = once(polled)
    assert failed.returncode == 1, failed.stderr
    (one,) = told(failed)["file"]
    assert "C6: the end record declares 8 payments" in one["error"]
    (polled.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    with webhook_peer() as webhook:
        alerted = {**polled.environ, "IMPORT_PROJECT_ALERT_WEBHOOK": webhook.url}
        unreachable = replace(polled, environ={**alerted, "BANK_PORT": "1"})
        for _ in range(2):
            broken = once(unreachable)
            assert broken.returncode == 2, broken.stderr
        assert next(f["error"] for f in told(broken)["feed"] if f["feed"] == "bankgiro").startswith("feed bankgiro")
        assert len(api.effects) == 5, "a feed that fails disturbs no other"
        assert once(replace(polled, environ=alerted)).returncode == 0
        texts = [m["text"] for m in webhook.received if "polled" in m["text"]]
    assert len(texts) == 2
    assert "bankgiro cannot be polled" in texts[0]
    assert texts[1] == "bankgiro can be polled again"


def test_a_broken_feed_file_is_told_and_the_others_go_on(polled: Installation, api: ApiPeer) -> None:
    folder = Path(polled.environ["IMPORT_PROJECT_FEEDS"])
    (folder / "bankgiro.yaml").write_text("feed: bankgiro\nkind: nonsense\n")
    (polled.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    done = once(polled)
    assert done.returncode == 2
    assert len(api.effects) == 5


def test_term_lets_the_file_in_hand_end_and_configuration_is_read_again_each_cycle(
    polled: Installation, api: ApiPeer
) -> None:
    folder = Path(polled.environ["IMPORT_PROJECT_FEEDS"])
    rewrite_feed(folder / "orders.yaml", files={"pattern": {"glob": "nothing*.csv"}})
    for n in range(2):
        (polled.inbox / f"orders_2026112{n}.csv").write_bytes(files.orders_csv().replace(b"AB-", b"X%c-" % (65 + n)))
    api.delay = 3.0
    child = subprocess.Popen(
        [*COMMAND, "--every", "1"], env=environment(polled), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        while json.loads(child.stdout.readline())["feed"] != "orders":
            continue
        rewrite_feed(folder / "orders.yaml", files={"pattern": {"glob": "orders*.csv"}})
        deadline = time.monotonic() + 90
        while not api.calls and time.monotonic() < deadline:
            time.sleep(0.1)
        assert api.calls, "the first file is being posted"
        os.kill(child.pid, signal.SIGTERM)
        out, err = child.communicate(timeout=90)
    finally:
        child.kill()
    assert child.returncode == 0, err
    assert "ending after the run in hand" in err
    ended = [json.loads(line) for line in out.splitlines() if '"file"' in line]
    done = [one for one in ended if one["told"] == "file"]
    assert [one["state"] for one in done] == ["done"]
    assert [r.status for r in runs(polled)] == [dg.DagsterRunStatus.SUCCESS]
    assert [json.loads(line)["left"] for line in out.splitlines() if '"left": 1' in line] == [1]
    api.delay = 0.002
    after = once(polled)
    assert [f["state"] for f in told(after)["file"]] == ["done"], "it is not waited for"


def test_channel_that_is_down_fails_no_pass(polled: Installation, api: ApiPeer) -> None:
    (polled.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    deaf = replace(polled, environ={**polled.environ, "IMPORT_PROJECT_ALERT_WEBHOOK": "http://127.0.0.1:1/hook"})
    done = once(deaf)
    assert done.returncode == 0, done.stderr
    assert "left for the next pass" in done.stderr
    assert len(api.effects) == 5


def test_no_dagster_home_is_said_in_one_line(polled: Installation) -> None:
    environ = {k: v for k, v in polled.environ.items() if k != "DAGSTER_HOME"}
    done = once(replace(polled, environ=environ))
    assert done.returncode == 2
    assert done.stderr.startswith("error: DAGSTER_HOME is not set")


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"IMPORT_PROJECT_LEDGER": "postgresql://nobody@127.0.0.1:1/none"}, "ledger"),
        ({"IMPORT_PROJECT_FEEDS": "nowhere"}, "no feeds folder nowhere"),
        ({"IMPORT_PROJECT_KEEP_RUN_DAYS": "9999999"}, "IMPORT_PROJECT_KEEP_RUN_DAYS: must be less than"),
    ],
)
def test_what_keeps_a_pass_from_polling_is_told_and_no_file_failed_for_it(
    polled: Installation, setting: dict[str, str], told: str
) -> None:
    done = once(replace(polled, environ={**polled.environ, **setting}))
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert told in done.stderr


def test_a_folder_without_feeds_is_no_success(polled: Installation) -> None:
    empty = polled.home / "no_feeds"
    empty.mkdir()
    done = once(replace(polled, environ={**polled.environ, "IMPORT_PROJECT_FEEDS": str(empty)}))
    assert done.returncode == 2
    assert "there is no feed in" in done.stderr


def test_missing_alert_setting_fails_no_file(polled: Installation, api: ApiPeer) -> None:
    (polled.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv().replace(b"SEK", b"XXX", 1))
    (polled.inbox / "orders_\x1b.csv").write_bytes(b"x")
    wrong = {**polled.environ, "IMPORT_PROJECT_ALERT_CALLBACK": "no_such_module.py:tell"}
    done = once(replace(polled, environ=wrong))
    assert done.returncode == 0, done.stderr
    assert "left for the next pass" in done.stderr
    assert [f["state"] for f in told(done)["file"]] == ["done"]


def test_missed_file_fails_one_pass(polled: Installation) -> None:
    expect = {"cron": "* * * * *", "max_retries": 0, "on_miss": "fail"}
    late = polled.rewrite("orders", files={"expect": expect, "looks": 1, "min_age_seconds": 0})
    assert once(late).returncode == 0
    parts = late.parts()
    with parts.ledger.database.write() as connection:  # as if it had been watched for ten minutes
        connection.execute(sa.update(polls).values(first_polled_at=parts.clock() - timedelta(minutes=10)))
    parts.close()
    done = once(late)
    assert done.returncode == 1, done.stderr
    missed = [f for f in told(done)["file"] if f["state"] == "missed"]
    assert "orders" in missed[0]["error"]


def test_file_that_another_run_holds_is_left_to_it(polled: Installation, api: ApiPeer) -> None:
    (polled.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    parts = polled.parts()
    (request,) = asyncio.run(see(parts, polled.feed("orders"))).requests
    with dagster_instance(polled.environ["DAGSTER_HOME"]) as instance:
        parts.ledger.arrivals.claim("orders", request.partition, owner="another", now=parts.clock(), lease=parts.lease)
        feed = polled.feed("orders")
        (told,) = run_here(instance, parts, feed, jobs_of(feed), [request])
    parts.close()
    assert (told.success, told.note, told.run) == (True, "by another run", "another")
    assert runs(polled) == []


def test_traces_of_a_run_reach_a_collector_as_one_trace(polled: Installation, api: ApiPeer) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    (polled.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    with collector() as (url, bodies):
        done = once(replace(polled, environ={**polled.environ, "IMPORT_PROJECT_TRACES": url}))
    assert done.returncode == 0, done.stderr
    spans = [
        span
        for body in bodies
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert [s.name for s in spans] == ["receive", "parse_file", "validate_rows", "post_rows", "conclude"]
    assert len({s.trace_id for s in spans}) == 1
    facts = {a.key: a.value.string_value for a in spans[0].attributes}
    assert (facts["feed"], facts["file"]) == ("orders", files.ORDERS_NAME)
    assert facts["run"] == runs(polled)[0].run_id


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """A server that keeps what is posted to it."""
    bodies: list[bytes] = []

    class Keeping(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            bodies.append(gzip.decompress(raw) if self.headers.get("content-encoding") == "gzip" else raw)
            self.send_response(200)
            self.end_headers()

        def log_request(self, *_args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Keeping) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", bodies
        server.shutdown()


def flood(polled: Installation, many: int) -> None:
    for number in range(many):
        content = files.orders_csv().replace(b"AB-", b"A" + bytes([65 + number]) + b"-")
        (polled.inbox / f"orders_{number:02}.csv").write_bytes(content)


def test_flood_of_small_files_shares_runs_that_go_on_side_by_side(polled: Installation, api: ApiPeer) -> None:
    flood(polled, 12)
    (polled.inbox / "orders_07.csv").write_bytes(b"\x00\x01 no rows at all")
    done = once(polled)
    assert done.returncode == 1, done.stderr
    ended = {f["file"]: f for f in told(done)["file"]}
    assert len(ended) == 12
    bad = ended.pop("orders_07.csv")
    assert (bad["state"], bad["success"]) == ("failed", False)
    assert "holds '\\x00'" in bad["error"]
    assert {(f["state"], f["success"], f["error"]) for f in ended.values()} == {("done", True, None)}
    assert len(api.times()) == 5 * 11
    assert max(api.times().values()) == 1
    found = runs(polled)
    assert [r.job_name for r in found] == ["orders_files_job"] * 3
    assert sorted(r.status.value for r in found) == ["FAILURE", "SUCCESS", "SUCCESS"]
    assert all(".dagster/warm_worker" in r.tags for r in found), "each in a process of its own"


def test_one_pass_takes_all_that_a_limit_or_an_order_holds_back(polled: Installation, api: ApiPeer) -> None:
    flood(polled, 5)
    limited = polled.rewrite("orders", files={"limit_per_poll": 2})
    done = once(limited)
    assert done.returncode == 0, done.stderr
    assert sorted(f["file"] for f in told(done)["file"]) == [f"orders_{n:02}.csv" for n in range(5)]
    assert max(api.times().values()) == 1
