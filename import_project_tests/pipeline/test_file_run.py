"""A file's whole way, from the sender's inbox to the API's books, with real peers and without Dagster."""

from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from import_project.demo import files
from import_project.errors import (
    FileVanished,
    NotBookable,
)
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation
from import_project_tests.pipeline.drops import drop_bgmax, drop_orders, only_outcome
from import_project_tests.servers import SftpPeer


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


def test_file_with_a_wrong_end_record_is_refused_and_moved(
    installation: Installation, sftp: SftpPeer, api: ApiPeer
) -> None:
    drop_bgmax(sftp, files.bgmax().replace(b"7000000009", b"7000000008"))
    parts = installation.parts()
    request = installation.poll_until_ready(parts, "bankgiro")
    with pytest.raises(NotBookable, match="declares 8 payments") as refused:
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


def test_whole_way_with_a_ledger_in_postgresql(
    tmp_path: Path, sftp: SftpPeer, api: ApiPeer, postgres_database: str
) -> None:
    installation = Installation.make(tmp_path, sftp, api, ledger=postgres_database)
    api.invoices = files.invoices()
    drop_bgmax(sftp)
    drop_orders(installation)
    parts = installation.parts()
    for feed in ("bankgiro", "orders"):
        request = installation.poll_until_ready(parts, feed)
        for owner in ("run-1", "run-2"):
            installation.run(parts, feed, request, owner=owner)
    assert [(o.state, o.counts.posted) for o in parts.ledger.outcomes.all()] == [("done", 8), ("done", 5)]
    assert max(api.times().values()) == 1
    assert len(api.calls) == 15
    parts.close()
