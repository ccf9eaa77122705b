"""What comes again: the same bytes, rows, names or steps. Nothing is posted twice, nothing new is lost."""

import os
import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from import_project.demo import files
from import_project.errors import (
    ComesAgain,
    FileChanged,
    SourceDenied,
    Unreadable,
)
from import_project.pipeline import quality
from import_project.pipeline.hold import relied_on, run_step
from import_project.pipeline.parts import Parts
from import_project.pipeline.reports import report
from import_project.pipeline.steps import run_file, steps_of
from import_project.records.files import Landed
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation, rewrite_feed
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


def two_feeds(installation: Installation, **again: str) -> Installation:
    """The feed `orders`, and `uploads`, which takes the same partner's files in another way."""
    changed = installation.rewrite("orders", files={"again": again} if again else {})
    folder = Path(changed.environ["IMPORT_PROJECT_FEEDS"])
    shutil.copy(folder / "orders.yaml", folder / "uploads.yaml")
    (installation.home / "uploads").mkdir()
    rewrite_feed(folder / "uploads.yaml", feed="uploads", source={"path": str(installation.home / "uploads")})
    return changed


def came_to_both(installation: Installation, parts: Parts) -> list[str]:
    """Let the same bytes come to one feed and then to the other. Returns how they ended."""
    drop_orders(installation)
    installation.run(parts, "orders", installation.poll_until_ready(parts, "orders"))
    (installation.home / "uploads" / "orders_by_hand.csv").write_bytes(files.orders_csv())
    installation.run(parts, "uploads", installation.poll_until_ready(parts, "uploads"), owner="run-2")
    return [o.state for o in parts.ledger.outcomes.all()]


def test_one_file_in_two_feeds_is_imported_once_where_they_say_so(installation: Installation, api: ApiPeer) -> None:
    both = two_feeds(installation, other_feed_same_bytes="skip")
    parts = both.parts()
    assert came_to_both(both, parts) == ["done", "duplicate"]
    assert len(api.effects) == 5
    told = report(parts, "orders_by_hand.csv")
    assert (told.feed, told.state) == ("uploads", "duplicate")
    assert (told.duplicate_of or "").startswith("orders/")
    assert [p for p in (installation.home / "uploads").iterdir() if p.is_file()] == [], "it is set aside"


def test_one_file_in_two_feeds_may_be_refused(installation: Installation, api: ApiPeer) -> None:
    both = two_feeds(installation, other_feed_same_bytes="quarantine")
    parts = both.parts()
    with pytest.raises(ComesAgain, match="other feed same bytes"):
        came_to_both(both, parts)
    assert len(api.effects) == 5


def test_one_file_in_two_feeds_is_imported_by_both_and_told(installation: Installation, api: ApiPeer) -> None:
    both = two_feeds(installation)
    parts = both.parts()
    assert came_to_both(both, parts) == ["done", "done"]
    assert len(api.effects) == 10
    (sha256,) = {one.sha256 for one in parts.ledger.sightings.named("uploads", ["orders_by_hand.csv"])}
    found = quality.duplicates(parts, both.feed("uploads"), sha256 or "")
    assert not found.passed
    assert found.told.startswith(f"the same bytes came to orders first, as {files.ORDERS_NAME}; ")
    assert quality.duplicates(parts, both.feed("orders"), sha256 or "").passed


def test_file_that_the_other_feed_refused_is_imported(installation: Installation, api: ApiPeer) -> None:
    both = two_feeds(installation, other_feed_same_bytes="skip")
    parts = both.parts()
    drop_orders(both)
    with pytest.raises(Unreadable):
        run_file(parts, mistaken(both.feed("orders")), both.poll_until_ready(parts, "orders").partition, owner="run-1")
    (both.home / "uploads" / "orders_by_hand.csv").write_bytes(files.orders_csv())
    both.run(parts, "uploads", both.poll_until_ready(parts, "uploads"), owner="run-2")
    assert [o.state for o in parts.ledger.outcomes.all()] == ["failed", "done"]
    drop_orders(both, name="orders_once_more.csv")
    both.run(parts, "orders", both.poll_until_ready(parts, "orders"), owner="run-3")
    assert [o.state for o in parts.ledger.outcomes.all()] == ["failed", "done", "duplicate"], "the other was first now"
    assert len(api.effects) == 5


def test_duplicate_of_another_feeds_file_stays_one_when_it_is_run_again(
    installation: Installation, api: ApiPeer
) -> None:
    """By hand, or by Dagster after a step that failed when all but its end was recorded."""
    both = two_feeds(installation, other_feed_same_bytes="skip", new_name_same_bytes="process")
    parts = both.parts()
    assert came_to_both(both, parts) == ["done", "duplicate"]
    (one,) = parts.ledger.sightings.named("uploads", ["orders_by_hand.csv"])
    assert run_file(parts, both.feed("uploads"), one.partition or "", owner="run-3") == {}
    (both.home / "uploads" / "orders_once_more.csv").write_bytes(files.orders_csv())
    both.run(parts, "uploads", both.poll_until_ready(parts, "uploads"), owner="run-4")
    assert [o.state for o in parts.ledger.outcomes.all()] == ["done", "duplicate", "duplicate"]
    assert len(api.effects) == 5


def test_duplicate_is_taken_up_when_the_file_it_waited_for_is_refused(installation: Installation, api: ApiPeer) -> None:
    both = two_feeds(installation, other_feed_same_bytes="skip")
    parts, refusing = both.parts(), mistaken(both.feed("orders"))
    drop_orders(both)
    first = both.poll_until_ready(parts, "orders").partition
    run_step(parts, refusing, first, owner="run-1", step=steps_of(refusing)["receive"])
    (both.home / "uploads" / "orders_by_hand.csv").write_bytes(files.orders_csv())
    second = both.poll_until_ready(parts, "uploads")
    assert both.run(parts, "uploads", second, owner="run-2") == {}
    with pytest.raises(Unreadable):
        run_file(parts, refusing, first, owner="run-1")
    (again,) = both.poll(parts, "uploads")
    assert again.partition == second.partition
    both.run(parts, "uploads", again, owner="run-3")
    assert [o.state for o in parts.ledger.outcomes.all()] == ["failed", "done"]
    assert len(api.effects) == 5


def test_other_feeds_do_not_keep_a_file_from_being_taken_back(installation: Installation, api: ApiPeer) -> None:
    both = two_feeds(installation)
    parts = both.parts()
    for name in ("orders_1.csv", "orders_2.csv"):
        (both.home / "uploads" / name).write_bytes(files.orders_csv())
        both.run(parts, "uploads", both.poll_until_ready(parts, "uploads"), owner=name)
    drop_orders(both)
    request = both.poll_until_ready(parts, "orders")
    run_step(
        parts, both.feed("orders"), request.partition, owner="run-1", step=steps_of(both.feed("orders"))["receive"]
    )
    assert not relied_on(parts, parts.ledger.arrivals.of("orders", request.partition))
