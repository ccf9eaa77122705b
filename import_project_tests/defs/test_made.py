"""People are told of postings that nobody can decide on, also where the run succeeds."""

from collections.abc import Mapping
from typing import Any

import pytest

from import_project.defs.made import tell_people
from import_project.defs.watch import tell_failed_run
from import_project.errors import ApiUnavailable
from import_project.pipeline.parts import Parts
from import_project.records.postings import PostingState
from import_project_tests.defs.conftest import Location
from import_project_tests.http_servers import ApiPeer, WebhookPeer
from import_project_tests.installation import Installation
from import_project_tests.pipeline.row_feeds import order, orders


def waiting(parts: Parts) -> list[str]:
    return [one.alert.text for one in parts.ledger.alerts.waiting()]


def is_first(body: Mapping[str, Any]) -> bool:
    return bool(body["order_id"] == "AB-000001")


def test_answer_that_the_api_keeps_for_ever_is_told(installation: Installation, api: ApiPeer) -> None:
    """Each time the file is run again, another file's row is taken, and its own answered with the same 500."""
    parts, feed = installation.parts(), installation.feed("orders")
    (installation.inbox / "orders_1.csv").write_bytes(orders(order(1)))
    poisoned = installation.poll_until_ready(parts, feed)
    api.fail_if = is_first
    for number in (2, 3):
        with pytest.raises(ApiUnavailable):
            installation.run(parts, feed, poisoned)
        installation.clock.advance(minutes=30)
        (installation.inbox / f"orders_{number}.csv").write_bytes(orders(order(number)))
        fresh = {r.name: r for _ in range(2) for r in installation.poll(parts, feed)}[f"orders_{number}.csv"]
        installation.run(parts, feed, fresh, owner=f"run-{number}")
    facts = installation.run(parts, feed, poisoned)["post_rows"]
    tell_people(feed, parts, poisoned.partition, facts)
    (text,) = waiting(parts)
    assert text.startswith(f"orders: nobody can tell whether 1 posting of {poisoned.partition} took effect: ")
    assert text.endswith("import-project postings list --state dead")


def test_key_that_had_another_body_is_told(location: Location, api: ApiPeer, webhook: WebhookPeer) -> None:
    api.reject_status = 422
    api.fail_if = lambda body: is_first(body) and len(api.calls) < 3
    api.reject_if = lambda body: is_first(body) and len(api.calls) >= 3
    (location.installation.inbox / "orders_1.csv").write_bytes(orders(order(1), order(2)))
    result = location.run("orders", location.request("orders"))
    assert not result.success
    tell_failed_run(location.instance, location.parts, result.run_id)
    (told,) = webhook.received
    assert "does another system use the same keys" in told["text"]
    (kept,) = location.parts.ledger.dead_letters.kept(states=(PostingState.DEAD,), feed="orders")
    assert kept.row_number == 1
