"""Postings as a user works with them, against a real API and ledger: listed, explained, replayed, settled, verified; and the
audit log."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from import_project.errors import ApiKeyReused, ApiRefusesUs, ApiUnavailable
from import_project_tests.cli.test_inspect import command, one_line
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation, environment
from import_project_tests.pipeline.row_feeds import order, orders, outcome_of, run_orders

LOOKED_UP = {
    "rows": {"path": "/orders", "look_up": {"path": "/held?order_id={order_id}", "same": ["amount", "currency"]}}
}
LISTED = {"rows": {"path": "/orders", "listing": {"path": "/held", "same": ["amount"]}}}


def asked(installation: Installation, *arguments: str, code: int = 0) -> Any:
    done = command(*arguments, "--json", environ=environment(installation))
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def told(installation: Installation, *arguments: str, code: int = 0) -> str:
    done = command(*arguments, environ=environment(installation))
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 or not done.stderr else one_line(done.stderr)


def dead_and_rejected(installation: Installation, api: ApiPeer) -> None:
    """Row 1 is done, row 2 rejected, row 3 dead: its answer is lost, and the API's time for keys is over."""
    parts = installation.parts()
    api.reject_if = lambda body: body["order_id"] == "AB-000002"
    api.fail_if = lambda body: body["order_id"] == "AB-000003"
    with pytest.raises(ApiUnavailable):
        run_orders(installation, parts, orders(order(1), order(2), order(3)))
    installation.clock.advance(hours=25)
    (request,) = installation.poll(parts, "orders")
    installation.run(parts, "orders", request, owner="run-2")
    counts = outcome_of(parts, "orders_1.csv").counts
    assert (counts.posted, counts.rejected, counts.dead) == (1, 1, 1)
    parts.close()
    api.reject_if = api.fail_if = lambda _body: False


def test_dead_letters_are_listed_explained_and_replayed_with_their_keys(
    installation: Installation, api: ApiPeer
) -> None:
    dead_and_rejected(installation, api)
    rows = asked(installation, "postings", "list")
    assert [(r["row_number"], r["state"], r["file"]) for r in rows] == [
        (2, "rejected", "orders_1.csv"),
        (3, "dead", "orders_1.csv"),
    ]
    assert "2 postings: 1 rejected, 1 dead" in told(installation, "postings", "list", "--file", "orders_1.csv")
    assert asked(installation, "postings", "list", "--file", "other.csv") == []
    rejected, dead = rows
    shown = told(installation, "postings", "show", dead["key"][:12])
    assert "nobody can tell whether it took effect" in shown
    assert "AB-000003" in shown
    before = [key for key, _, _ in api.calls]
    assert (
        asked(installation, "postings", "replay", str(dead["id"]), "--by", "ann", "--note", "looked")[0]["state"]
        == "done"
    )
    assert asked(installation, "postings", "replay", "--state", "rejected")[0]["state"] == "done"
    assert [key for key, _, _ in api.calls][len(before) :] == [dead["key"], rejected["key"]]
    assert set(api.times().values()) == {1}
    counts = outcome_of(installation.parts(), "orders_1.csv").counts
    assert (counts.posted, counts.rejected, counts.dead) == (3, 0, 0)
    assert asked(installation, "postings", "list") == []
    assert asked(installation, "audit", "verify")["problems"] == []


def test_what_is_rejected_stands_in_outcome_and_quarantine_with_the_apis_words(
    installation: Installation, api: ApiPeer
) -> None:
    dead_and_rejected(installation, api)
    (outcome,) = asked(installation, "files")
    assert outcome["error"] == '1 rejected, 1 dead; row 2: 400 {"error":"not like this"}'
    (listed,) = asked(installation, "quarantine", "list")
    assert (listed["rejected"], listed["reasons"]) == (1, {"rejected_by_api": 1})
    (row,) = asked(installation, "quarantine", "show", "orders_1.csv")
    assert (row["row_number"], row["cells"]["order_id"]) == (2, "AB-000002")
    assert row["issues"][0]["message"] == '400 {"error":"not like this"}'
    assert "not like this" in told(installation, "quarantine", "show", "orders_1.csv")


def test_person_settles_what_nobody_else_can_tell(installation: Installation, api: ApiPeer) -> None:
    dead_and_rejected(installation, api)
    (dead,) = asked(installation, "postings", "list", "--state", "dead")
    calls = len(api.calls)
    told(installation, "postings", "settle", str(dead["id"]), "--as", "done", "--by", "ann", "--note", "it is there")
    assert len(api.calls) == calls
    now = asked(installation, "postings", "show", str(dead["id"]))
    assert (now["state"], now["receipt"]) == ("done", "done says ann: it is there")
    assert outcome_of(installation.parts(), "orders_1.csv").counts.dead == 0
    assert "ann" in told(installation, "audit", "list", "--file", "orders_1.csv")


def test_api_that_is_left_in_peace_is_told(installation: Installation, api: ApiPeer) -> None:
    api.mode = "refuse_us"
    installation.clock.advance(hours=1)  # so that it is still so when the command looks
    with pytest.raises(ApiRefusesUs):
        run_orders(installation, installation.parts(), orders(order(1)))
    listed = told(installation, "postings", "list")
    assert "the API erp is left in peace until" in listed
    assert "it answered 401" in listed


def test_mistakes_are_one_line(installation: Installation, api: ApiPeer) -> None:
    dead_and_rejected(installation, api)
    for arguments, words in {
        ("show", "nothing"): "no posting nothing",
        ("show", "ip-"): "several keys begin with ip-",
        ("replay",): "name postings, or a --state",
        ("replay", "1"): "posting 1 is done",
        ("settle", "1", "--as", "done"): "posting 1 is done",
        ("list", "--feed", "other"): "no feed other",
        ("verify", "--feed", "orders"): "no endpoint of orders has look_up or listing",
    }.items():
        assert words in told(installation, "postings", *arguments, code=1)


@pytest.mark.parametrize("post", [LOOKED_UP, LISTED], ids=["look_up", "listing"])
def test_what_the_api_holds_is_compared_with_the_ledger(
    installation: Installation, api: ApiPeer, post: dict[str, Any]
) -> None:
    installation = installation.rewrite("orders", post=post)
    parts = installation.parts()
    api.reject_if = lambda body: body["order_id"] == "AB-000005"
    run_orders(installation, parts, orders(*(order(n) for n in range(1, 6))))
    parts.close()
    fine = asked(installation, "postings", "verify", "--feed", "orders")
    assert fine["differences"] == []
    assert fine["feeds"]["orders"]["compared"] >= 4
    assert "all as the ledger says" in told(installation, "postings", "verify", "--feed", "orders")
    taken = {body["order_id"]: (key, path, body) for key, path, body in api.effects}
    keys = {number: key for number, (key, _, _) in taken.items()}
    api.effects.remove(taken["AB-000001"])  # restored from a backup
    taken["AB-000002"][2]["amount"] = "99.00"  # changed over there
    api.effects.append((keys["AB-000003"], "/orders", dict(taken["AB-000003"][2])))  # twice
    (rejected,) = asked(installation, "postings", "list", "--state", "rejected")
    api.effects.append((rejected["key"], "/orders", json.loads(rejected["body"])))  # taken all the same
    found = asked(installation, "postings", "verify", "--feed", "orders", code=1)["differences"]
    assert {(d["what"], d["row_number"]) for d in found} == {
        ("missing", 1),
        ("differs", 2),
        ("twice", 3),
        ("unexpected", 5),
    }
    assert "99.00" in next(d["told"] for d in found if d["what"] == "differs")
    done = command("postings", "verify", environ=environment(installation))
    assert done.returncode == 1
    assert "4 differences" in done.stdout
    assert "bankgiro" in done.stdout  # which cannot be asked


@pytest.mark.parametrize("post", [LOOKED_UP, LISTED])
def test_what_the_api_has_lost_is_sent_again_by_a_persons_word(
    installation: Installation, api: ApiPeer, post: dict[str, Any]
) -> None:
    installation = installation.rewrite("orders", post=post)
    parts = installation.parts()
    run_orders(installation, parts, orders(*(order(n) for n in range(1, 6))))
    before = sorted(api.effects, key=lambda effect: effect[0])
    lost = [effect for effect in api.effects if effect[2]["order_id"] in {"AB-000002", "AB-000004"}]
    for effect in lost:  # restored from a backup
        api.effects.remove(effect)
    again = asked(
        installation, "postings", "replay", "--missing", "--feed", "orders", "--by", "ann", "--note", "backup"
    )
    assert sorted((one["row_number"], one["state"]) for one in again) == [(2, "done"), (4, "done")]
    assert sorted(api.effects, key=lambda effect: effect[0]) == before, "the same keys and bodies"
    assert asked(installation, "postings", "verify", "--feed", "orders")["differences"] == []
    assert "there was none" in told(installation, "postings", "replay", "--missing", "--feed", "orders")
    by_hand = [e for e in asked(installation, "audit", "list", "--feed", "orders") if "ann" in json.dumps(e)]
    assert len(by_hand) == 2
    assert outcome_of(parts, "orders_1.csv").counts.posted == 5
    told(installation, "postings", "replay", "--missing", code=1)
    told(installation, "postings", "replay", "1", "--feed", "orders", code=1)  # one that is done is not sent for less


def test_listing_shows_what_the_ledger_does_not_know(installation: Installation, api: ApiPeer) -> None:
    installation = installation.rewrite("orders", post=LISTED)
    parts = installation.parts()
    run_orders(installation, parts, orders(order(1)))
    parts.close()
    api.effects += [("ip-of-a-lost-ledger", "/orders", {"order_id": "X"}), ("of somebody else", "/orders", {})]
    (found,) = asked(installation, "postings", "verify", "--feed", "orders", code=1)["differences"]
    assert (found["what"], found["key"], found["posting"]) == ("unexpected", "ip-of-a-lost-ledger", None)


def test_days_bound_what_is_compared(installation: Installation, api: ApiPeer) -> None:
    installation = installation.rewrite("orders", post=LOOKED_UP)
    parts = installation.parts()
    installation.clock.advance(days=-9)
    run_orders(installation, parts, orders(order(1)))
    parts.close()
    assert asked(installation, "postings", "verify", "--feed", "orders")["feeds"]["orders"]["compared"] == 1
    assert asked(installation, "postings", "verify", "--days", "3")["feeds"]["orders"]["compared"] == 0


def test_log_tells_what_was_changed_behind_its_back(installation: Installation, api: ApiPeer) -> None:
    parts = installation.parts()
    run_orders(installation, parts, orders(order(1), order(2)))
    parts.close()
    fine = asked(installation, "audit", "verify")
    assert (fine["problems"], fine["entries"] >= 4) == ([], True)
    assert asked(installation, "audit", "verify", "--head", fine["head"])["problems"] == []
    whole = told(installation, "audit", "verify")
    assert "the chain is whole" in whole
    assert fine["head"] in whole
    (cut,) = asked(installation, "audit", "verify", "--head", "f" * 64, code=1)["problems"]
    assert "the log was cut" in cut
    ledger = Path(installation.environ["IMPORT_PROJECT_HOME"], "ledger.db")
    with sqlite3.connect(ledger) as connection:
        connection.execute("UPDATE postings SET body = '{}' WHERE id = 1")
        connection.execute("UPDATE postings SET state = 'rejected' WHERE id = 2")
    problems = asked(installation, "audit", "verify", code=1)["problems"]
    assert problems == [
        "orders: posting 1 is not what was decided: its path or body was changed",
        "orders: posting 2 is rejected, the log says done",
    ]
    with sqlite3.connect(ledger) as connection:
        connection.execute("DELETE FROM postings WHERE id = 2")
        connection.execute("DROP TRIGGER audit_no_UPDATE")
        connection.execute("DROP TRIGGER audit_no_DELETE")
        connection.execute("UPDATE audit SET done_by = 'nobody' WHERE number = 2")
        connection.execute("DELETE FROM audit WHERE number = 3")
    problems = asked(installation, "audit", "verify", code=1)["problems"]
    assert "entry 2 is not what was written, or the one before it is not" in problems
    assert "entry 3 is missing" in problems
    assert any(p.startswith("orders: the posting with the key ip-") and p.endswith("is gone") for p in problems)


def test_key_with_another_body_stops_the_run(installation: Installation, api: ApiPeer) -> None:
    parts = installation.parts()
    api.reject_status = 422
    api.fail_if = lambda body: body["order_id"] == "AB-000001" and len(api.calls) < 3
    api.reject_if = lambda body: body["order_id"] == "AB-000001" and len(api.calls) >= 3
    with pytest.raises(ApiKeyReused, match="does another system use the same keys"):
        run_orders(installation, parts, orders(order(1), order(2)))
    assert [r["state"] for r in asked(installation, "postings", "list")] == ["dead"]
