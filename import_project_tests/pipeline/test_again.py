"""What comes again: the same bytes, rows, names or steps. Nothing is posted twice, nothing new is lost."""

import os
from dataclasses import replace
from decimal import Decimal

import pytest

from import_project.demo import files
from import_project.errors import (
    FileChanged,
    SourceDenied,
    Unreadable,
)
from import_project.pipeline.hold import run_step
from import_project.pipeline.steps import run_file, steps_of
from import_project.records.files import Landed
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation
from import_project_tests.pipeline.drops import drop_bgmax, drop_orders, mistaken, only_outcome
from import_project_tests.servers import SftpPeer


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
    fewer = replace(loaded.schema, columns=loaded.schema.columns[:3])
    stricter = replace(loaded.schema.columns[3], maximum=Decimal(50))
    strict = replace(loaded.schema, columns=(*loaded.schema.columns[:3], stricter))
    for owner, schema in (("run-2", fewer), ("run-3", strict)):
        run_file(parts, replace(loaded, schema=schema), request.partition, owner=owner)
    assert len(api.calls) == 5
    assert only_outcome(parts) == before


def test_refused_file_that_is_sent_again_is_imported(installation: Installation, api: ApiPeer) -> None:
    drop_orders(installation)
    parts = installation.parts()
    request = installation.poll_until_ready(parts, "orders")
    with pytest.raises(Unreadable, match="'gone' is missing"):
        run_file(parts, mistaken(installation.feed("orders")), request.partition, owner="run-1")
    drop_orders(installation)
    installation.run(parts, "orders", installation.poll_until_ready(parts, "orders"), owner="run-2")
    assert [o.state for o in parts.ledger.outcomes.all()] == ["failed", "done"]
    assert len(api.effects) == 5


def test_refused_file_that_is_run_again_after_a_correction_is_done(installation: Installation, api: ApiPeer) -> None:
    drop_orders(installation)
    parts = installation.parts()
    request = installation.poll_until_ready(parts, "orders")
    with pytest.raises(Unreadable):
        run_file(parts, mistaken(installation.feed("orders")), request.partition, owner="run-1")
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
    held = f".processing/0123456789-{arrival.name}"
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
