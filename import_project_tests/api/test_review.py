"""Reviewing over HTTP: payments matched or left unmatched by a person, dead postings settled; each with who did it."""

from typing import Any

import pytest

from import_project.demo import files
from import_project.records.jobs import Role
from import_project.records.postings import PostingState
from import_project_tests.api.conftest import Front
from import_project_tests.http_servers import ApiPeer


@pytest.fixture
def reviewer(front: Front, api: ApiPeer) -> dict[str, str]:
    api.invoices = files.invoices()
    headers = front.token(role=Role.REVIEW)
    front.hand_in(files.bgmax(), files.BGMAX_NAME, headers, feed="bankgiro")
    front.import_waiting()
    return headers


def queue(front: Front, headers: dict[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = front.client.get("/review/payments", headers=headers).json()["payments"]
    return found


def test_payment_is_matched_by_a_person(front: Front, api: ApiPeer, reviewer: dict[str, str]) -> None:
    before, posted = queue(front, reviewer), len(api.effects)
    assert len(before) == 3
    one = next(p for p in before if p["reason"] == "unknown_reference" or p["reason"] == "amount_mismatch")
    invoice = next(i for i in api.invoices if i["invoice_id"] not in str(api.effects))
    answer = front.client.post(
        f"/review/payments/{one['payment']}/match",
        json={
            "invoices": [{"invoice_id": invoice["invoice_id"], "amount": "1.00"}],
            "credit": True,
            "note": "by phone",
        },
        headers=reviewer,
    )
    assert answer.status_code in {200, 400}, answer.text
    if answer.status_code == 200:
        assert answer.json()["decided_by"] == "finance/anna-review"
        assert len(queue(front, reviewer)) == 2
        assert len(api.effects) > posted
    wrong = front.client.post(
        f"/review/payments/{one['payment']}/match", json={"invoices": [{"invoice_id": "none"}]}, headers=reviewer
    )
    assert wrong.status_code == 400


def test_payment_whose_proposals_are_rejected_stays_unmatched(
    front: Front, api: ApiPeer, reviewer: dict[str, str]
) -> None:
    one = queue(front, reviewer)[0]
    answer = front.client.post(f"/review/payments/{one['payment']}/reject", json={"note": "not ours"}, headers=reviewer)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["reason"], answer.json()["decided_by"]) == (one["reason"], "finance/anna-review")
    now = next(p for p in queue(front, reviewer) if p["payment"] == one["payment"])
    assert "rejected by finance/anna-review: not ours" in now["evidence"]
    told = front.client.get("/audit", headers=front.token(role=Role.ADMIN)).json()["entries"]
    assert ("decided", "finance/anna-review") in {(entry["what"], entry["by"]) for entry in told}
    for name in ("nothing", one["payment"][:60], ""):  # by its whole id, or not at all
        wrong = front.client.post(f"/review/payments/{name}/reject", json={}, headers=reviewer)
        assert wrong.status_code == 404, name


def test_dead_posting_is_settled_by_a_persons_word(front: Front, api: ApiPeer) -> None:
    headers = front.token(role=Role.REVIEW)
    front.hand_in(files.orders_csv(), files.ORDERS_NAME, headers)
    front.import_waiting()
    dead = list(front.parts.ledger.dead_letters.kept())[:2]
    _make_dead(front, [one.id for one in dead])
    told = front.client.get("/review/postings", headers=headers).json()["postings"]
    assert [one["posting"] for one in told] == [one.id for one in dead]
    done = front.client.post(f"/review/postings/{dead[0].id}", json={"word": "done"}, headers=headers)
    assert (done.status_code, done.json()["state"]) == (200, "done")
    again = front.client.post(f"/review/postings/{dead[1].id}", json={"word": "again"}, headers=headers)
    assert (again.status_code, again.json()["state"]) == (200, "done")
    assert max(api.times().values()) == 1
    assert front.client.get("/review/postings", headers=headers).json() == {"postings": []}
    assert front.client.post("/review/postings/999", json={"word": "done"}, headers=headers).status_code == 404
    other = front.token("sales", Role.REVIEW)
    assert front.client.get("/review/postings", headers=other).status_code == 200


def _make_dead(front: Front, ids: list[int]) -> None:
    import sqlalchemy as sa

    from import_project.store.ledger.tables import postings

    with front.parts.ledger.database.write() as connection:
        dead = sa.update(postings).where(postings.c.id.in_(ids))
        connection.execute(dead.values(state=PostingState.DEAD))
