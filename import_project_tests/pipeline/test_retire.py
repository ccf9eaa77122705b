"""What is kept long enough is let go, and what a run or a person may still need is not."""

import os
from collections.abc import Iterator

import pytest

from import_project.demo import files
from import_project.errors import ImportProjectError, StoreDamaged
from import_project.pipeline.dead_letters import Word, replay_postings
from import_project.pipeline.parts import Parts
from import_project.pipeline.reports import report
from import_project.pipeline.retire import Kept, retire_stored
from import_project.records.alerts import Alert
from import_project.records.postings import PostingState
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation

NOTHING = {"landed files": 0, "tables of files": 0, "details": 0}
A_DAY = Kept(landing=1, tables=1, details=None)


@pytest.fixture
def parts(installation: Installation) -> Iterator[Parts]:
    made = installation.parts()
    yield made
    made.close()


def drop_orders(installation: Installation, name: str = files.ORDERS_NAME, content: bytes | None = None) -> None:
    (installation.inbox / name).write_bytes(content or files.orders_csv())


def imported(installation: Installation, parts: Parts) -> tuple[str, str]:
    """Import the orders. Returns the file's partition and id."""
    drop_orders(installation)
    request = installation.poll_until_ready(parts, "orders")
    installation.run(parts, "orders", request)
    return request.partition, parts.ledger.arrivals.of("orders", request.partition).sha256 or ""


def test_stored_things_are_let_go_after_their_days_and_the_file_stays_known(
    installation: Installation, parts: Parts, api: ApiPeer
) -> None:
    drop_orders(installation)
    request = installation.poll_until_ready(parts, "orders")
    installation.run(parts, "orders", request)
    sha256 = parts.ledger.arrivals.of("orders", request.partition).sha256 or ""
    raised = Alert(key="old", text="old", facts={})
    parts.ledger.alerts.undelivered(raised, parts.clock())
    parts.ledger.alerts.sent("old", parts.clock())
    kept = Kept(landing=30, tables=10, details=60)
    assert set(retire_stored(parts, kept).values()) == {0}
    installation.clock.advance(days=20)
    assert retire_stored(parts, kept) == {"landed files": 0, "tables of files": 1, "details": 0}
    assert not parts.tables.has("orders", "accepted", sha256)
    assert parts.landing.path(sha256).exists()
    installation.clock.advance(days=20)
    assert retire_stored(parts, kept)["landed files"] == 1
    assert not parts.landing.path(sha256).exists()
    installation.clock.advance(days=40)
    assert retire_stored(parts, kept)["details"] == 6
    assert retire_stored(parts, kept) == {"landed files": 0, "tables of files": 0, "details": 0}
    drop_orders(installation, "orders_the_same_again.csv")
    again = installation.run(parts, "orders", installation.poll_until_ready(parts, "orders"), owner="run-9")
    assert again == {}
    assert len(api.effects) == 5
    assert report(parts, files.ORDERS_NAME).total == 10


def test_what_is_still_needed_is_never_let_go(installation: Installation, parts: Parts, api: ApiPeer) -> None:
    drop_orders(installation)
    request = installation.poll_until_ready(parts, "orders")
    api.mode = "refuse_us"
    with pytest.raises(ImportProjectError):
        installation.run(parts, "orders", request)
    installation.clock.advance(days=400)
    assert retire_stored(parts, Kept(landing=1, tables=1, details=None)) == {
        "landed files": 0,
        "tables of files": 0,
        "details": 0,
    }
    api.mode = "ok"
    installation.run(parts, "orders", request, owner="run-2")
    assert len(api.effects) == 5


def test_rows_the_api_rejected_can_be_sent_again_however_late(
    installation: Installation, parts: Parts, api: ApiPeer
) -> None:
    api.reject_if = lambda body: body["order_id"].endswith("1")
    imported(installation, parts)
    installation.clock.advance(days=400)
    assert retire_stored(parts, A_DAY) == NOTHING
    api.reject_if = lambda _body: False
    rejected = list(parts.ledger.dead_letters.kept(states=[PostingState.REJECTED]))
    sent, refused = replay_postings(
        parts, installation.feed("orders"), rejected, Word(by="anna", note=""), owner="by-hand"
    )
    assert ([one.state for one in sent], refused) == ([PostingState.DONE] * len(rejected), [])
    assert len(api.effects) == 5
    installation.clock.advance(days=2)
    assert retire_stored(parts, A_DAY) == {**NOTHING, "landed files": 1, "tables of files": 1}


def test_file_whose_tables_are_gone_still_sends_what_is_frozen(
    installation: Installation, parts: Parts, api: ApiPeer
) -> None:
    api.reject_if = lambda body: body["order_id"].endswith("1")
    partition, sha256 = imported(installation, parts)
    before = parts.ledger.outcomes.of("orders", partition)
    assert before is not None
    assert before.counts.rejected > 0
    parts.landing.path(sha256).unlink()
    assert parts.tables.forget("orders", sha256, parts.clock(), first="decisions")
    api.mode, api.reject_if = "refuse_us", lambda _body: False
    rejected = list(parts.ledger.dead_letters.kept(states=[PostingState.REJECTED]))
    feed, word = installation.feed("orders"), Word(by="anna", note="")
    with pytest.raises(ImportProjectError):
        replay_postings(parts, feed, rejected, word, owner="by-hand")
    api.mode = "ok"
    installation.clock.advance(hours=2)
    (request,) = installation.poll(parts, "orders")
    told = installation.run(parts, "orders", request, owner="run-2")
    assert told["parse_file"]["let go"]
    after = parts.ledger.outcomes.of("orders", partition)
    assert after is not None
    assert (after.counts.rejected, after.counts.posted) == (0, before.counts.posted + before.counts.rejected)
    assert after.counts.rows == 10
    assert len(api.effects) == 5
    with pytest.raises(StoreDamaged, match="IMPORT_PROJECT_KEEP_TABLE_DAYS"):
        parts.tables.read("orders", "accepted", sha256)


def test_file_that_a_run_holds_is_kept(installation: Installation, parts: Parts, api: ApiPeer) -> None:
    partition, _ = imported(installation, parts)
    installation.clock.advance(days=400)
    _, claim = parts.ledger.arrivals.claim("orders", partition, owner="by-hand", now=parts.clock(), lease=parts.lease)
    assert retire_stored(parts, A_DAY) == NOTHING
    parts.ledger.arrivals.release(claim)
    assert retire_stored(parts, A_DAY) == {**NOTHING, "landed files": 1, "tables of files": 1}


def test_days_are_counted_from_the_last_end(installation: Installation, parts: Parts, api: ApiPeer) -> None:
    drop_orders(installation, content=b"wrong\n1\n")
    request = installation.poll_until_ready(parts, "orders")
    with pytest.raises(ImportProjectError):
        installation.run(parts, "orders", request)
    installation.clock.advance(days=400)
    with pytest.raises(ImportProjectError):
        installation.run(parts, "orders", request, owner="run-2")
    assert retire_stored(parts, A_DAY) == NOTHING
    assert parts.ledger.outcomes.ended_before("orders", parts.clock()) == [request.partition]
    installation.clock.advance(days=2)
    assert retire_stored(parts, A_DAY)["landed files"] == 1


def test_tables_written_meanwhile_stay(installation: Installation, parts: Parts, api: ApiPeer) -> None:
    _, sha256 = imported(installation, parts)
    before = parts.clock()
    later = before.timestamp() + 1
    os.utime(parts.tables.path("orders", "accepted", sha256), (later, later))
    assert not parts.tables.forget("orders", sha256, before, first="decisions")
    assert parts.tables.has("orders", "accepted", sha256)
    assert not parts.tables.has("orders", "decisions", sha256)


def test_two_that_let_go_at_once_do_not_disturb_each_other(
    installation: Installation, parts: Parts, api: ApiPeer
) -> None:
    _, sha256 = imported(installation, parts)
    assert parts.landing.remove(sha256, parts.clock())
    assert not parts.landing.remove(sha256, parts.clock())
    assert parts.tables.forget("orders", sha256, parts.clock(), first="decisions")
    assert parts.tables.forget("orders", sha256, parts.clock(), first="decisions")
