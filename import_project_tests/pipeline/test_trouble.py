"""Trouble at the sender's, at the API and in between: a named error, and a later try that goes on."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from import_project.alerting.webhook import Webhook
from import_project.demo import files
from import_project.errors import (
    ApiAnswerUnusable,
    ApiRefusesUs,
    ApiUnavailable,
    ClaimLost,
    ConfigError,
    LoginRefused,
    NotDelivered,
    SourceDenied,
    SourceUnreachable,
)
from import_project.pipeline.alerts import send_waiting
from import_project.pipeline.hold import Facts, Held, run_step
from import_project.pipeline.see import see
from import_project.pipeline.steps import run_file, steps_of
from import_project.records.alerts import Alert
from import_project_tests.http_servers import ApiPeer, webhook_peer
from import_project_tests.installation import Installation
from import_project_tests.pipeline.drops import drop_bgmax, drop_orders, only_outcome
from import_project_tests.servers import SftpPeer


def test_api_that_fails_is_tried_again_by_a_later_poll(installation: Installation, api: ApiPeer) -> None:
    drop_orders(installation)
    parts = installation.parts()
    request = installation.poll_until_ready(parts, "orders")
    api.mode = "fail"
    with pytest.raises(ApiUnavailable):
        installation.run(parts, "orders", request)
    assert installation.poll(parts, "orders") == ()
    api.mode = "ok"
    installation.clock.advance(seconds=61)
    (again,) = installation.poll(parts, "orders")
    assert again.partition == request.partition
    assert again.key != request.key
    installation.run(parts, "orders", again, owner="run-2")
    assert only_outcome(parts).state == "done"
    assert len(api.effects) == 5


@pytest.mark.parametrize("mode", ["apply_then_drop", "apply_then_fail"])
def test_effect_whose_answer_was_lost_happens_once(installation: Installation, api: ApiPeer, mode: str) -> None:
    drop_orders(installation)
    parts = installation.parts()
    request = installation.poll_until_ready(parts, "orders")
    api.mode = mode
    with pytest.raises(ApiUnavailable):
        installation.run(parts, "orders", request)
    api.mode = "ok"
    installation.run(parts, "orders", request, owner="run-2")
    assert only_outcome(parts).counts.posted == 5
    assert len(api.effects) == 5
    bodies = {key: {raw for k, _, raw in api.calls if k == key} for key, _, _ in api.calls}
    assert all(len(texts) == 1 for texts in bodies.values()), "a key must never come with another body"


def test_refused_token_stops_at_once_and_rejects_nothing(installation: Installation, api: ApiPeer) -> None:
    drop_orders(installation)
    parts = installation.parts()
    request = installation.poll_until_ready(parts, "orders")
    api.mode = "refuse_us"
    with pytest.raises(ApiRefusesUs, match="check the API's token"):
        installation.run(parts, "orders", request)
    assert len(api.calls) <= 16
    with pytest.raises(ApiRefusesUs, match=r"the API erp is left in peace until .*: it answered 401"):
        installation.run(parts, "orders", request, owner="run-2")
    api.mode = "ok"
    installation.clock.advance(minutes=1)
    installation.run(parts, "orders", request, owner="run-3")
    counts = only_outcome(parts).counts
    assert (counts.posted, counts.rejected) == (5, 0)


def test_row_that_the_api_rejects_holds_back_no_other(installation: Installation, api: ApiPeer) -> None:
    drop_orders(installation)
    parts = installation.parts()
    api.reject_if = lambda body: body["order_id"] == "AB-000002"
    installation.run(parts, "orders", installation.poll_until_ready(parts, "orders"))
    outcome = only_outcome(parts)
    assert (outcome.counts.posted, outcome.counts.rejected) == (4, 1)
    assert outcome.error == '1 rejected; row 2: 400 {"error":"not like this"}'


def test_file_replaced_between_poll_and_claim_is_read_whole_by_a_later_try(
    installation: Installation, api: ApiPeer
) -> None:
    drop_orders(installation, files.orders_csv()[:200])
    parts = installation.parts()
    request = installation.poll_until_ready(parts, "orders")
    drop_orders(installation)
    with pytest.raises(Exception, match="the sender still writes"):
        installation.run(parts, "orders", request)
    installation.run(parts, "orders", request, owner="run-2")
    assert only_outcome(parts).counts.rows == 10
    assert len(api.effects) == 5


def test_move_that_the_server_forbids_is_made_by_a_later_poll(
    installation: Installation, sftp: SftpPeer, api: ApiPeer
) -> None:
    drop_bgmax(sftp)
    parts = installation.parts()
    request = installation.poll_until_ready(parts, "bankgiro")
    loaded = installation.feed("bankgiro")
    for name, step in steps_of(loaded).items():
        if name == "conclude":
            sftp.faults.deny.add("rename")
        run_step(parts, loaded, request.partition, owner="run-1", step=step)
    assert only_outcome(parts).state == "done"
    assert list((sftp.root / "out/.processing").iterdir())
    sftp.faults.deny.clear()
    posted = len(api.calls)
    assert installation.poll(parts, "bankgiro") == ()
    assert list((sftp.root / "out/.processing").iterdir()) == []
    assert len(list((sftp.root / "out/.archive").rglob("BGMAX*"))) == 1
    assert len(api.calls) == posted


def test_postings_never_go_to_another_api_than_they_were_frozen_for(installation: Installation, api: ApiPeer) -> None:
    drop_orders(installation)
    parts = installation.parts()
    request = installation.poll_until_ready(parts, "orders")
    api.mode = "fail"
    with pytest.raises(ApiUnavailable):
        installation.run(parts, "orders", request)
    api.mode = "ok"
    loaded = installation.feed("orders")
    assert loaded.api is not None
    moved = replace(loaded, api=loaded.api.model_copy(update={"api": "other"}))
    with pytest.raises(ConfigError, match="frozen for the API erp, the feed now names other"):
        run_file(parts, moved, request.partition, owner="run-2")
    assert api.effects == []


def test_wrong_address_rejects_nothing(installation: Installation, api: ApiPeer) -> None:
    drop_orders(installation)
    parts = installation.parts()
    request = installation.poll_until_ready(parts, "orders")
    for mode in ("redirect", "nowhere"):
        api.mode = mode
        with pytest.raises(ApiAnswerUnusable, match="check the API's address"):
            installation.run(parts, "orders", request, owner=mode)
    api.mode = "ok"
    installation.run(parts, "orders", request, owner="run-2")
    assert only_outcome(parts).counts.posted == 5


def test_file_written_to_after_it_was_read_is_told_and_not_archived(installation: Installation, api: ApiPeer) -> None:
    drop_orders(installation)
    parts = installation.parts()
    request = installation.poll_until_ready(parts, "orders")
    loaded = installation.feed("orders")
    with (installation.inbox / files.ORDERS_NAME).open("ab") as sender:
        for name, step in steps_of(loaded).items():
            if name == "conclude":
                sender.write(b"AB-000099;Late;2026-11-20;1,00;SEK;1\r\n")
                sender.flush()
            facts = run_step(parts, loaded, request.partition, owner="run-1", step=step)
    assert facts is not None
    assert "wrote to orders_20261120.csv after it was read" in str(facts["problem"])
    assert (installation.inbox / ".failed" / files.ORDERS_NAME).exists()


def test_landed_files_need_no_source(installation: Installation, sftp: SftpPeer, api: ApiPeer) -> None:
    api.invoices = files.invoices()
    drop_bgmax(sftp)
    parts = installation.parts()
    request = installation.poll_until_ready(parts, "bankgiro")
    api.mode = "fail"
    with pytest.raises(ApiUnavailable):
        installation.run(parts, "bankgiro", request)
    api.mode = "ok"
    sftp.faults.deny.add("list")
    installation.clock.advance(minutes=5)
    (again,) = installation.poll(parts, "bankgiro")
    installation.run(parts, "bankgiro", again, owner="run-2")
    assert only_outcome(parts).counts.posted == 8
    with pytest.raises(SourceDenied):
        installation.poll(parts, "bankgiro")


def test_lease_is_kept_while_a_step_works(installation: Installation) -> None:
    drop_orders(installation)
    parts = replace(installation.parts(), lease=timedelta(seconds=0.6))
    request = installation.poll_until_ready(parts, "orders")

    async def slow(held: Held) -> Facts:
        await asyncio.sleep(1.5)
        held.parts.ledger.arrivals.release(held.claim)
        return {}

    with ThreadPoolExecutor() as pool:
        loaded = installation.feed("orders")
        working = pool.submit(run_step, parts, loaded, request.partition, owner="run-1", step=slow)
        time.sleep(1.2)
        with pytest.raises(ClaimLost, match="run run-1 holds this file"):
            run_step(parts, loaded, request.partition, owner="run-2", step=slow)
        assert working.result() == {}


def test_strangers_words_are_not_stored(installation: Installation) -> None:
    drop_orders(installation)
    parts = installation.parts()
    request = installation.poll_until_ready(parts, "orders")

    async def defect(held: Held) -> Facts:
        raise RuntimeError("Olles Färg AB owes 12.00")

    with pytest.raises(RuntimeError):
        run_step(parts, installation.feed("orders"), request.partition, owner="run-1", step=defect)
    assert parts.ledger.arrivals.of("orders", request.partition).error == "RuntimeError"


def test_poll_ends_in_time_whatever_the_server_does(installation: Installation, sftp: SftpPeer) -> None:
    drop_bgmax(sftp)
    sftp.faults.stall_lists = True
    parts = installation.parts()
    started = time.monotonic()
    with pytest.raises(SourceUnreachable, match="not listed within"):
        asyncio.run(see(parts, installation.feed("bankgiro"), within=timedelta(seconds=0.5)))
    assert time.monotonic() - started < 20
    sftp.faults.stall_lists = False
    installation.poll_until_ready(parts, "bankgiro")


def test_ledger_that_fails_too_does_not_hide_the_first_error(installation: Installation) -> None:
    drop_orders(installation)
    parts = installation.parts()
    request = installation.poll_until_ready(parts, "orders")

    async def broken(held: Held) -> Facts:
        with held.parts.ledger.database.write() as connection:
            connection.exec_driver_sql("ALTER TABLE arrivals RENAME TO gone")
        raise ApiUnavailable("the API is down")

    with pytest.raises(ApiUnavailable, match="the API is down"):
        run_step(parts, installation.feed("orders"), request.partition, owner="run-1", step=broken)


def test_alert_that_is_refused_holds_back_no_other(installation: Installation) -> None:
    parts = installation.parts()
    with webhook_peer() as webhook:
        webhook.refuse = "poison"
        for key in ("poison", "a good one"):
            parts.ledger.alerts.undelivered(Alert(key=key, text=key), parts.clock())
        with pytest.raises(NotDelivered):
            send_waiting(parts, [Webhook(url=webhook.url)])
        assert [w.alert.key for w in parts.ledger.alerts.waiting()] == ["poison"]


def test_secret_that_is_changed_is_used_at_the_next_connect(
    installation: Installation, sftp: SftpPeer, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text("yesterdays-password\n", "utf-8")
    feed = installation.rewrite("bankgiro", source={"password": {"file": str(secret)}, "key": None})
    parts = feed.parts()
    with pytest.raises(LoginRefused) as error:
        feed.poll(parts, "bankgiro")
    assert "yesterdays-password" not in str(error.value)
    loaded = feed.feed("bankgiro")
    secret.write_text("right-password\n", "utf-8")
    assert feed.poll(parts, loaded) == ()
