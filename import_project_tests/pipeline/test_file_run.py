"""A file's whole way, from the sender's inbox to the API's books, with real peers and without Dagster."""

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import polars as pl
import pytest

from import_project.demo import files
from import_project.errors import (
    ApiAnswerUnusable,
    ApiRefusesUs,
    ApiUnavailable,
    ClaimLost,
    ConfigError,
    FileChanged,
    FileVanished,
    NotBookable,
    SourceDenied,
    SourceUnreachable,
    Unreadable,
)
from import_project.pipeline.hold import Facts, Held, run_step
from import_project.pipeline.parts import Parts
from import_project.pipeline.see import see
from import_project.pipeline.steps import run_file, steps_of
from import_project.records.files import Landed
from import_project.records.outcomes import Outcome
from import_project_tests.installation import Installation
from import_project_tests.servers import ApiPeer, SftpPeer


def drop_bgmax(sftp: SftpPeer, content: bytes | None = None, name: str = files.BGMAX_NAME) -> None:
    (sftp.root / "out" / name).write_bytes(files.bgmax() if content is None else content)


def drop_orders(installation: Installation, content: bytes | None = None, name: str = files.ORDERS_NAME) -> None:
    (installation.inbox / name).write_bytes(files.orders_csv() if content is None else content)


def only_outcome(parts: Parts) -> Outcome:
    (outcome,) = parts.ledger.outcomes.all()
    return outcome


def test_bank_file_is_matched_posted_and_set_aside(installation: Installation, sftp: SftpPeer, api: ApiPeer) -> None:
    api.invoices = files.invoices()
    drop_bgmax(sftp)
    parts = installation.parts()
    installation.run(parts, "bankgiro", installation.poll_until_ready(parts, "bankgiro"))

    outcome = only_outcome(parts)
    counts = outcome.counts
    assert (outcome.state, counts.rows, counts.accepted, counts.quarantined) == ("done", 10, 8, 2)
    assert (counts.matched, counts.unmatched, counts.posted, counts.rejected) == (5, 3, 8, 0)
    assert outcome.sums == {"SEK": Decimal("8085.00")}
    assert max(api.times().values()) == 1
    assert api.paths()["/unmatched-payments"] == 3
    matched = {body["invoice_id"]: body["amount"] for _, path, body in api.effects if path.startswith("/invoices/")}
    assert matched["INV-1006"] == "500.00"
    assert matched["CRN-2001"] == "-250.00"
    reasons = sorted(body["reason"] for _, path, body in api.effects if path == "/unmatched-payments")
    assert reasons == ["amount_mismatch", "no_reference", "unknown_reference"]
    inbox = sftp.root / "out"
    assert [p.name for p in inbox.iterdir() if p.is_file()] == []
    assert [p.read_bytes() for p in inbox.rglob("BGMAX*")] == [files.bgmax()]
    assert list((inbox / ".processing").iterdir()) == []


def test_row_file_is_split_and_posted(installation: Installation, api: ApiPeer) -> None:
    drop_orders(installation)
    parts = installation.parts()
    installation.run(parts, "orders", installation.poll_until_ready(parts, "orders"))

    outcome = only_outcome(parts)
    assert (outcome.counts.accepted, outcome.counts.quarantined, outcome.counts.posted) == (5, 5, 5)
    issues = parts.tables.read("orders", "issues", outcome.sha256 or "")
    errors = issues.filter(pl.col("severity") == "error")
    assert errors.select("row_number", "column", "rule").rows() == [
        (3, "amount", "unreadable"),
        (5, "ordered_on", "unreadable"),
        (6, "order_id", "pattern"),
        (7, "currency", "choices"),
        (9, None, "field_count"),
    ]
    assert {body["order_id"]: body["amount"] for _, _, body in api.effects}["AB-000001"] == "1249.50"


def test_next_poll_finds_nothing_new(installation: Installation, api: ApiPeer) -> None:
    drop_orders(installation)
    parts = installation.parts()
    installation.run(parts, "orders", installation.poll_until_ready(parts, "orders"))
    calls = len(api.calls)
    for _ in range(3):
        assert installation.poll(parts, "orders") == ()
    assert len(api.calls) == calls


def test_running_all_steps_again_posts_nothing_and_changes_no_count(
    installation: Installation, sftp: SftpPeer, api: ApiPeer
) -> None:
    api.invoices = files.invoices()
    drop_bgmax(sftp)
    parts = installation.parts()
    request = installation.poll_until_ready(parts, "bankgiro")
    installation.run(parts, "bankgiro", request)
    before, calls = only_outcome(parts), len(api.calls)
    api.invoices = []
    installation.run(parts, "bankgiro", request, owner="run-2")
    assert only_outcome(parts) == before
    assert len(api.calls) == calls


def test_same_bytes_under_another_name_are_a_duplicate(installation: Installation, api: ApiPeer) -> None:
    drop_orders(installation)
    parts = installation.parts()
    installation.run(parts, "orders", installation.poll_until_ready(parts, "orders"))
    drop_orders(installation, name="orders (1).csv")
    told = installation.run(parts, "orders", installation.poll_until_ready(parts, "orders"), owner="run-2")
    assert told == {}
    assert [o.state for o in parts.ledger.outcomes.all()] == ["done", "duplicate"]
    assert len(api.effects) == 5
    assert [p for p in installation.inbox.iterdir() if p.is_file()] == []


def test_rows_that_come_again_in_another_file_are_not_posted_again(installation: Installation, api: ApiPeer) -> None:
    drop_orders(installation)
    parts = installation.parts()
    installation.run(parts, "orders", installation.poll_until_ready(parts, "orders"))
    more = files.orders_csv() + b"AB-000011;Ny Kund AB;2026-11-21;12,00;SEK;1\r\n"
    drop_orders(installation, more, name="orders_again.csv")
    installation.run(parts, "orders", installation.poll_until_ready(parts, "orders"), owner="run-2")
    counts = parts.ledger.outcomes.all()[-1].counts
    assert (counts.accepted, counts.repeated, counts.posted) == (6, 5, 1)
    assert len(api.effects) == 6
    assert max(api.times().values()) == 1


def test_same_name_comes_again_with_new_bytes(installation: Installation, api: ApiPeer) -> None:
    drop_orders(installation)
    parts = installation.parts()
    installation.run(parts, "orders", installation.poll_until_ready(parts, "orders"))
    text = "order_id;customer;ordered_on;amount;currency;items\nCD-000001;A;2026-11-21;1,00;SEK;1\n"
    drop_orders(installation, text.encode())
    installation.run(parts, "orders", installation.poll_until_ready(parts, "orders"), owner="run-2")
    assert [o.state for o in parts.ledger.outcomes.all()] == ["done", "done"]
    aside = sorted(p.name for p in (installation.inbox / ".archive").rglob("orders*"))
    assert aside[0] == files.ORDERS_NAME
    assert aside[1].startswith(f"{files.ORDERS_NAME}.dup-")


def test_file_with_a_wrong_end_record_is_refused_and_moved(
    installation: Installation, sftp: SftpPeer, api: ApiPeer
) -> None:
    drop_bgmax(sftp, files.bgmax().replace(b"7000000009", b"7000000008"))
    parts = installation.parts()
    request = installation.poll_until_ready(parts, "bankgiro")
    with pytest.raises(NotBookable, match="declares 00000008 payments") as refused:
        installation.run(parts, "bankgiro", request)
    assert "\n" not in str(refused.value)
    outcome = only_outcome(parts)
    assert outcome.state == "failed"
    assert outcome.error is not None
    assert "C6" in outcome.error
    assert (sftp.root / "out/.failed" / files.BGMAX_NAME).exists()
    assert api.calls == []
    assert installation.poll(parts, "bankgiro") == ()


def test_other_files_go_on_beside_a_refused_one(installation: Installation, api: ApiPeer) -> None:
    drop_orders(installation, b"%PDF-1.7 not an order", name="orders_a.csv")
    drop_orders(installation, name="orders_b.csv")
    parts = installation.parts()
    installation.poll(parts, "orders")
    bad, good = installation.poll(parts, "orders")
    with pytest.raises(Exception, match="the content is not delimited"):
        installation.run(parts, "orders", bad)
    installation.run(parts, "orders", good, owner="run-2")
    assert [(o.name, o.state) for o in parts.ledger.outcomes.all()] == [
        ("orders_a.csv", "failed"),
        ("orders_b.csv", "done"),
    ]
    assert len(api.effects) == 5


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
    api.mode = "ok"
    installation.run(parts, "orders", request, owner="run-2")
    counts = only_outcome(parts).counts
    assert (counts.posted, counts.rejected) == (5, 0)


def test_row_that_the_api_rejects_holds_back_no_other(installation: Installation, api: ApiPeer) -> None:
    drop_orders(installation)
    parts = installation.parts()
    api.reject_if = lambda body: body["order_id"] == "AB-000002"
    installation.run(parts, "orders", installation.poll_until_ready(parts, "orders"))
    outcome = only_outcome(parts)
    assert (outcome.counts.posted, outcome.counts.rejected) == (4, 1)
    ((row, status, text),) = parts.ledger.postings.rejections("orders", outcome.sha256 or "")
    assert (row, status) == (2, 400)
    assert "not like this" in text


def test_file_that_vanishes_before_its_claim_ends_there(installation: Installation) -> None:
    drop_orders(installation)
    parts = installation.parts()
    request = installation.poll_until_ready(parts, "orders")
    (installation.inbox / files.ORDERS_NAME).unlink()
    with pytest.raises(FileVanished):
        installation.run(parts, "orders", request)
    installation.clock.advance(hours=2)
    assert installation.poll(parts, "orders") == ()


def test_growing_file_is_not_taken(installation: Installation) -> None:
    parts = installation.parts()
    path = installation.inbox / files.ORDERS_NAME
    content = files.orders_csv()
    for cut in (100, 200, 300):
        path.write_bytes(content[:cut])
        assert installation.poll(parts, "orders") == ()
    path.write_bytes(content)
    assert installation.poll(parts, "orders") == ()
    assert len(installation.poll(parts, "orders")) == 1


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


def test_two_files_at_once_never_settle_one_invoice_twice(
    installation: Installation, sftp: SftpPeer, api: ApiPeer
) -> None:
    api.invoices = files.invoices()  # this API never lowers them: all that protects an invoice is the ledger
    drop_bgmax(sftp)
    other = files.bgmax().replace(b"2026112000056", b"2026112000066").replace(b"2026112000057", b"2026112000067")
    drop_bgmax(sftp, other, name="BGMAX_other.txt")
    parts = installation.parts()
    installation.poll(parts, "bankgiro")
    first, second = installation.poll(parts, "bankgiro")
    loaded = installation.feed("bankgiro")
    steps = list(steps_of(loaded).items())
    for _, step in steps[:5]:  # to reconcile: decided, nothing posted
        run_step(parts, loaded, first.partition, owner="run-1", step=step)
    installation.run(parts, "bankgiro", second, owner="run-2")
    for _, step in steps[5:]:
        run_step(parts, loaded, first.partition, owner="run-1", step=step)
    settled: dict[str, Decimal] = {}
    for _, path, body in api.effects:
        if path.startswith("/invoices/"):
            settled[body["invoice_id"]] = settled.get(body["invoice_id"], Decimal(0)) + Decimal(body["amount"])
    for invoice in files.invoices():
        assert abs(settled.get(invoice["invoice_id"], Decimal(0))) <= abs(Decimal(invoice["open_amount"]))
    assert [o.counts.posted for o in parts.ledger.outcomes.all()] == [8, 8]


def test_schema_that_changes_after_posting_changes_no_row(installation: Installation, api: ApiPeer) -> None:
    drop_orders(installation)
    parts = installation.parts()
    request = installation.poll_until_ready(parts, "orders")
    installation.run(parts, "orders", request)
    before = only_outcome(parts)
    loaded = installation.feed("orders")
    assert loaded.schema is not None
    fewer = loaded.schema.model_copy(update={"columns": loaded.schema.columns[:3]})
    stricter = loaded.schema.columns[3].model_copy(update={"maximum": Decimal(50)})
    strict = loaded.schema.model_copy(update={"columns": (*loaded.schema.columns[:3], stricter)})
    for owner, schema in (("run-2", fewer), ("run-3", strict)):
        run_file(parts, replace(loaded, schema=schema), request.partition, owner=owner)
    assert len(api.calls) == 5
    assert only_outcome(parts) == before


def test_postings_never_go_to_another_api_than_they_were_frozen_for(installation: Installation, api: ApiPeer) -> None:
    drop_orders(installation)
    parts = installation.parts()
    request = installation.poll_until_ready(parts, "orders")
    api.mode = "fail"
    with pytest.raises(ApiUnavailable):
        installation.run(parts, "orders", request)
    api.mode = "ok"
    loaded = installation.feed("orders")
    moved = replace(loaded, api=loaded.api.model_copy(update={"api": "other"}))
    with pytest.raises(ConfigError, match="frozen for the API erp, the feed now names other"):
        run_file(parts, moved, request.partition, owner="run-2")
    assert api.effects == []


def test_refused_file_that_is_sent_again_is_imported(installation: Installation, api: ApiPeer) -> None:
    drop_orders(installation)
    parts = installation.parts()
    request = installation.poll_until_ready(parts, "orders")
    loaded = installation.feed("orders")
    assert loaded.schema is not None
    wrong = loaded.schema.columns[0].model_copy(update={"name": "gone"})
    mistaken = replace(loaded, schema=loaded.schema.model_copy(update={"columns": (wrong,)}))
    with pytest.raises(Unreadable, match="'gone' is missing"):
        run_file(parts, mistaken, request.partition, owner="run-1")
    drop_orders(installation)
    installation.run(parts, "orders", installation.poll_until_ready(parts, "orders"), owner="run-2")
    assert [o.state for o in parts.ledger.outcomes.all()] == ["failed", "done"]
    assert len(api.effects) == 5


def test_refused_file_that_is_run_again_after_a_correction_is_done(installation: Installation, api: ApiPeer) -> None:
    drop_orders(installation)
    parts = installation.parts()
    request = installation.poll_until_ready(parts, "orders")
    loaded = installation.feed("orders")
    assert loaded.schema is not None
    wrong = loaded.schema.columns[0].model_copy(update={"name": "gone"})
    mistaken = replace(loaded, schema=loaded.schema.model_copy(update={"columns": (wrong,)}))
    with pytest.raises(Unreadable):
        run_file(parts, mistaken, request.partition, owner="run-1")
    installation.run(parts, "orders", request, owner="run-2")
    outcome = only_outcome(parts)
    assert (outcome.state, outcome.counts.posted, outcome.error) == ("done", 5, None)


def test_duplicate_stays_one_when_its_run_was_cut_off(installation: Installation, api: ApiPeer) -> None:
    drop_orders(installation)
    parts = installation.parts()
    installation.run(parts, "orders", installation.poll_until_ready(parts, "orders"))
    drop_orders(installation, name="orders_copy.csv")
    request = installation.poll_until_ready(parts, "orders")
    arrival, claim = parts.ledger.arrivals.claim(
        "orders", request.partition, owner="cut-off", now=parts.clock(), lease=parts.lease
    )
    (installation.inbox / ".processing").mkdir(exist_ok=True)
    held = f".processing/{arrival.id}-{arrival.name}"
    (installation.inbox / arrival.name).rename(installation.inbox / held)
    parts.ledger.arrivals.moved(claim, held)
    sha256 = parts.ledger.outcomes.all()[0].sha256 or ""
    parts.ledger.arrivals.landed(claim, Landed(sha256=sha256, size=arrival.size), parts.clock())
    installation.clock.advance(minutes=5)
    assert installation.run(parts, "orders", request, owner="next") == {}
    assert [o.state for o in parts.ledger.outcomes.all()] == ["done", "duplicate"]


def test_second_file_of_a_name_never_replaces_the_first_in_processing(
    installation: Installation, sftp: SftpPeer, api: ApiPeer
) -> None:
    drop_bgmax(sftp)
    parts = installation.parts()
    request = installation.poll_until_ready(parts, "bankgiro")
    sftp.faults.deny.add("read")
    with pytest.raises(SourceDenied):
        installation.run(parts, "bankgiro", request)
    sftp.faults.deny.clear()
    drop_bgmax(sftp, files.bgmax() + b"\r\n")
    installation.run(parts, "bankgiro", request, owner="run-2")
    installation.run(parts, "bankgiro", installation.poll_until_ready(parts, "bankgiro"), owner="run-3")
    assert [o.counts.posted for o in parts.ledger.outcomes.all()] == [8, 0]
    assert [o.counts.repeated for o in parts.ledger.outcomes.all()] == [0, 8]
    kept = [p.read_bytes() for p in (sftp.root / "out/.archive").rglob("BGMAX*")]
    assert sorted(kept) == [files.bgmax(), files.bgmax() + b"\r\n"]


def test_facts_that_come_back_after_a_change_are_a_new_file(installation: Installation, api: ApiPeer) -> None:
    path = installation.inbox / files.ORDERS_NAME
    parts = installation.parts()
    first = b"order_id;customer;ordered_on;amount;currency;items\nAA-000001;A;2026-11-21;1,00;SEK;1\n"
    for content, mtime in ((first, 1_700_000_000), (files.orders_csv(), 1_700_000_500), (first, 1_700_000_000)):
        path.write_bytes(content)
        os.utime(path, (mtime, mtime))
        if mtime == 1_700_000_000 and not parts.ledger.outcomes.all():
            request = installation.poll_until_ready(parts, "orders")
            continue
        if content != first:
            with pytest.raises(FileChanged):
                installation.run(parts, "orders", request)
            installation.run(parts, "orders", request, owner="run-2")
    installation.run(parts, "orders", installation.poll_until_ready(parts, "orders"), owner="run-3")
    assert len(api.effects) == 6


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
