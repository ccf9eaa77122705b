"""What is told of a file's runs: reports, events, hooks, logs; and of the whole installation."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from import_project.demo import files
from import_project.errors import ClaimLost, ConfigError, ImportProjectError, NotBookable
from import_project.logs import LOG, write_logs
from import_project.pipeline.alive import beat, tell_silence
from import_project.pipeline.overview import overview
from import_project.pipeline.parts import Parts
from import_project.pipeline.reports import report
from import_project.pipeline.steps import run_named
from import_project.records.alerts import Alert
from import_project.records.steps import StepState
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation
from import_project_tests.servers import SftpPeer

HOOKS = """
told = []
def note(event):
    told.append((event.what.value, event.file, event.step, event.outcome.counts.rows if event.outcome else None))
def fail(event):
    raise RuntimeError("a hook of the user's that fails")
def end(event):
    raise SystemExit(1)
def panic(event):
    raise BaseException("as a library in Rust raises it")
"""


@pytest.fixture
def parts(installation: Installation) -> Iterator[Parts]:
    made = installation.parts()
    yield made
    made.close()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    write_logs("json", stream)
    yield stream
    for handler in [h for h in LOG.handlers if h.get_name()]:
        LOG.removeHandler(handler)


def drop_orders(installation: Installation, name: str = files.ORDERS_NAME, content: bytes | None = None) -> None:
    (installation.inbox / name).write_bytes(content or files.orders_csv())


def with_hooks(installation: Installation, **hooks: str) -> tuple[Installation, Path]:
    changed = installation.rewrite("orders", hooks=hooks).rewrite("bankgiro", hooks=hooks)
    module = Path(changed.environ["IMPORT_PROJECT_FEEDS"]) / "hooks.py"
    module.write_text(HOOKS)
    return changed, module


def noted(installation: Installation, feed: str) -> list[tuple[Any, ...]]:
    hook = next(iter(installation.feed(feed).callbacks.hooks.values()))
    found: list[tuple[Any, ...]] = hook.__globals__["told"]
    return found


ALL = {f"on_{what}": "hooks.py:note" for what in ("start", "success", "failure", "retry", "skip")}


def test_report_of_a_done_file_has_its_counts_and_every_step(
    installation: Installation, parts: Parts, sftp: SftpPeer, api: ApiPeer
) -> None:
    api.invoices = files.invoices()
    (sftp.root / "out" / files.BGMAX_NAME).write_bytes(files.bgmax())
    request = installation.poll_until_ready(parts, "bankgiro")
    installation.run(parts, "bankgiro", request, owner="run-of-the-bank-file")
    found = report(parts, files.BGMAX_NAME, feeds=[installation.feed("bankgiro")])
    assert (found.pipeline, found.run, found.success, found.dry_run) == (
        "bankgiro_job",
        "run-of-the-bank-file",
        True,
        False,
    )
    assert (found.total, found.processed, found.matched, found.unmatched, found.posted) == (10, 10, 5, 3, 8)
    assert found.source == f"sftp 127.0.0.1:{sftp.port} out"
    assert found.set_aside_to is not None
    assert found.set_aside_to.startswith(".archive/")
    assert [s.step for s in found.steps] == list(run_names("payments"))
    assert all(s.state is StepState.DONE and s.attempt == 1 and s.error is None for s in found.steps)
    assert found.started is not None
    assert found.completed is not None
    assert found.started <= found.completed
    assert report(parts, "run-of").partition == request.partition


def run_names(kind: str) -> tuple[str, ...]:
    first, last = ("receive", "parse_file", "validate_rows"), ("conclude",)
    return (
        (*first, "fetch_invoices", "reconcile", "post_matched", "post_unmatched", *last)
        if kind == "payments"
        else (
            *first,
            "post_rows",
            *last,
        )
    )


def test_attempts_of_a_failing_step_are_counted_and_their_errors_told_once(
    installation: Installation, parts: Parts, api: ApiPeer
) -> None:
    drop_orders(installation)
    request = installation.poll_until_ready(parts, "orders")
    feed = installation.feed("orders")
    for step in ("receive", "parse_file", "validate_rows"):
        run_named(parts, feed, request.partition, owner="run-1", step=step)
    api.mode = "refuse_us"
    for _ in range(2):
        with pytest.raises(ImportProjectError):
            run_named(parts, feed, request.partition, owner="run-1", step="post_rows")
    found = report(parts, request.partition)
    assert [(s.step, s.attempt, s.state.value) for s in found.steps[-2:]] == [
        ("post_rows", 1, "failed"),
        ("post_rows", 2, "failed"),
    ]
    assert not found.success
    assert (found.total, found.accepted, found.quarantined) == (10, 5, 5)
    assert len(found.errors) >= 1
    assert "refuses" in " ".join(found.errors) or "401" in " ".join(found.errors)
    (trouble,) = overview(parts, ["orders"]).troubled
    assert trouble.partition == request.partition


def test_what_a_killed_run_left_running_was_cut_off(installation: Installation, parts: Parts, api: ApiPeer) -> None:
    drop_orders(installation)
    request = installation.poll_until_ready(parts, "orders")
    arrival = parts.ledger.arrivals.of("orders", request.partition)
    parts.ledger.steps.begin(arrival.id, "run-killed", "parse_file", parts.clock())
    installation.run(parts, "orders", request, owner="run-after")
    assert [s.state.value for s in report(parts, "run-killed").steps] == ["cut off"]
    assert report(parts, "run-after").success
    assert report(parts, files.ORDERS_NAME).runs == ("run-killed", "run-after")


def test_unknown_and_ambiguous_names_are_told(installation: Installation, parts: Parts) -> None:
    with pytest.raises(ConfigError, match="no run and no file is called nothing"):
        report(parts, "nothing")


def test_hooks_are_called_with_what_happened(
    installation: Installation, parts: Parts, sftp: SftpPeer, api: ApiPeer
) -> None:
    hooked, _ = with_hooks(installation, **ALL)
    drop_orders(hooked)
    request = hooked.poll_until_ready(parts, "orders")
    api.mode = "refuse_us"
    with pytest.raises(ImportProjectError):
        hooked.run(parts, "orders", request)
    api.mode = "ok"
    hooked.clock.advance(hours=2)
    hooked.run(parts, "orders", request, owner="run-2")
    drop_orders(hooked, "orders_again.csv")
    hooked.run(parts, "orders", hooked.poll_until_ready(parts, "orders"), owner="run-3")
    (sftp.root / "out" / files.BGMAX_NAME).write_bytes(files.bgmax().replace(b"7000000009", b"7000000008"))
    with pytest.raises(NotBookable):
        hooked.run(parts, "bankgiro", hooked.poll_until_ready(parts, "bankgiro"), owner="run-4")
    name = files.ORDERS_NAME
    assert [one for one in noted(hooked, "orders") if one[1] != files.BGMAX_NAME] == [
        ("start", name, "receive", None),
        ("retry", name, "post_rows", None),
        ("start", name, "receive", None),
        ("success", name, "conclude", 10),
        ("start", "orders_again.csv", "receive", None),
        ("skip", "orders_again.csv", "receive", 0),
    ]
    assert [one[0] for one in noted(hooked, "bankgiro") if one[1] == files.BGMAX_NAME] == ["start", "failure"]


@pytest.mark.parametrize(
    ("first", "told"),
    [
        ("fail", "RuntimeError: a hook of the user's that fails"),
        ("panic", "BaseException: as a library in Rust raises it"),
    ],
)
def test_hook_that_fails_is_logged_and_changes_nothing(
    installation: Installation, parts: Parts, api: ApiPeer, log: io.StringIO, first: str, told: str
) -> None:
    hooked, _ = with_hooks(installation, on_start=f"hooks.py:{first}", on_success="hooks.py:end")
    drop_orders(hooked)
    hooked.run(parts, "orders", hooked.poll_until_ready(parts, "orders"))
    assert len(api.effects) == 5
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    failed = [one for one in lines if one["event"] == "hook failed"]
    assert [one["hook"] for one in failed] == ["on_start", "on_success"]
    assert [one["error"] for one in failed] == [told, "SystemExit: 1"]


def test_every_event_is_one_line_with_feed_file_and_run(
    installation: Installation, parts: Parts, api: ApiPeer, log: io.StringIO
) -> None:
    drop_orders(installation)
    installation.run(parts, "orders", installation.poll_until_ready(parts, "orders"), owner="run-logged")
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [one["event"] for one in lines] == ["start", "step", "step", "step", "step", "step", "success"]
    assert all((one["feed"], one["file"], one["run"]) == ("orders", files.ORDERS_NAME, "run-logged") for one in lines)
    assert lines[-1]["posted"] == 5
    for customer in ("Anna", "@"):
        assert customer not in log.getvalue()


def test_text_lines_hold_odd_values_on_one_line() -> None:
    stream = io.StringIO()
    write_logs("text", stream)
    LOG.log(logging.WARNING, "retry", extra={"fields": {"file": "a b\nc=d", "error": None}})
    LOG.removeHandler(next(h for h in LOG.handlers if h.get_name()))
    (line,) = stream.getvalue().splitlines()
    assert line.endswith('warning retry file="a b c=d"')


def test_silence_is_told_once_and_its_end(installation: Installation, parts: Parts) -> None:
    told: list[str] = []

    class Noting:
        name = "noting"

        def send(self, alert: Alert) -> None:
            told.append(alert.text)

    longest = timedelta(minutes=5)
    assert tell_silence(parts, [Noting()], longest) == "nothing has evaluated the feeds yet"
    beat(parts)
    assert tell_silence(parts, [Noting()], longest) is None
    installation.clock.advance(minutes=6)
    for _ in range(2):
        assert "is dagster-daemon running?" in (tell_silence(parts, [Noting()], longest) or "")
    beat(parts)
    for _ in range(2):
        assert tell_silence(parts, [Noting()], longest) is None
    assert [text.split(" since")[0] for text in told] == [
        "nothing has evaluated the feeds",
        "the feeds are evaluated again",
    ]


def test_overview_counts_states_shows_who_works_and_what_is_paused(
    installation: Installation, parts: Parts, api: ApiPeer
) -> None:
    drop_orders(installation)
    request = installation.poll_until_ready(parts, "orders")
    installation.run(parts, "orders", request)
    drop_orders(installation, "orders_2.csv", files.orders_csv().replace(b"AB-", b"CD-"))
    second = installation.poll_until_ready(parts, "orders")
    arrival, claim = parts.ledger.arrivals.claim(
        "orders", second.partition, owner="run-2", now=parts.clock(), lease=parts.lease
    )
    parts.ledger.steps.begin(arrival.id, claim.owner, "parse_file", parts.clock())
    seen = overview(parts, ["bankgiro", "orders"])
    by_name = {f.feed: f for f in seen.feeds}
    assert by_name["orders"].states == {"claimed": 1, "done": 1}
    assert by_name["bankgiro"].states == {}
    assert [(a.file, a.step) for a in seen.working] == [("orders_2.csv", "parse_file")]
    assert (seen.files_ended, seen.rows_ended) == (1, 10)
    installation.clock.advance(minutes=5)
    assert overview(parts, []).working == (), "the lease of a dead run lapses"


def test_a_run_that_lost_its_file_was_cut_off(installation: Installation, parts: Parts) -> None:
    drop_orders(installation)
    request = installation.poll_until_ready(parts, "orders")
    feed = installation.feed("orders")
    run_named(parts, feed, request.partition, owner="run-1", step="receive")
    with pytest.raises(ClaimLost):
        run_named(parts, feed, request.partition, owner="run-2", step="parse_file")
    refused = report(parts, files.ORDERS_NAME)
    assert [(s.run, s.state.value, s.error) for s in refused.steps] == [
        ("run-2", "cut off", f"feed orders, {request.partition}: run run-1 holds this file (wait for it to end)")
    ]


def test_api_that_is_down_pauses_and_is_shown(installation: Installation, parts: Parts, api: ApiPeer) -> None:
    drop_orders(installation)
    request = installation.poll_until_ready(parts, "orders")
    api.mode = "refuse_us"
    with pytest.raises(ImportProjectError):
        installation.run(parts, "orders", request)
    (erp,) = overview(parts, []).apis
    assert (erp.api, erp.unsent, erp.health.refused) == ("erp", 5, True)
