"""A file's whole way, from the sender's inbox to the API's books, with real peers and without Dagster."""

from decimal import Decimal

import polars as pl
import pytest

from import_project.demo import files
from import_project.errors import ApiRefusesUs, ApiUnavailable, FileVanished, NotBookable
from import_project.pipeline.hold import run_step
from import_project.pipeline.parts import Parts
from import_project.pipeline.steps import steps_of
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
