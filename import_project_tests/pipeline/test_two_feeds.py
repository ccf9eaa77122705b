"""One file that comes to two feeds: told, imported once where they say so, or refused."""

import shutil
from pathlib import Path

import pytest

from import_project.demo import files
from import_project.errors import (
    ComesAgain,
    Unreadable,
)
from import_project.pipeline import quality
from import_project.pipeline.hold import relied_on, run_step
from import_project.pipeline.parts import Parts
from import_project.pipeline.reports import report
from import_project.pipeline.steps import run_file, steps_of
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation, rewrite_feed
from import_project_tests.pipeline.drops import drop_orders, mistaken


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
