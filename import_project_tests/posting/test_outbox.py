"""Sending what is frozen: bounded, in order, and one bad row holds back no other. A box in memory stands for the ledger."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from import_project.errors import ApiRefusesUs, ApiUnavailable
from import_project.posting.client import ImportApiClient
from import_project.posting.outbox import Sent, send
from import_project.records.files import Claim
from import_project.records.postings import Answer, Posting, PostingKind, PostingState
from import_project_tests.http_servers import ApiPeer

CLAIM = Claim(arrival_id=1, feed="f", partition="p", owner="r", token=1)
UNSENT = {PostingState.READY, PostingState.SENDING, PostingState.UNKNOWN}


class MemoryBox:
    def __init__(self, count: int) -> None:
        self.postings = {
            n: Posting(
                id=n,
                key=f"key-{n}",
                api="erp",
                path="/orders",
                body=f'{{"n": {n}}}',
                row_number=n,
                state=PostingState.READY,
            )
            for n in range(1, count + 1)
        }
        self.log: list[tuple[str, list[int]]] = []
        self.receipts: list[str] = []

    def unsent(self, feed: str, file: str, kinds: Iterable[PostingKind], *, after: int, limit: int) -> list[Posting]:
        return [p for n, p in sorted(self.postings.items()) if n > after and p.state in UNSENT][:limit]

    def sending(self, claim: Claim, ids: Sequence[int], now: datetime) -> None:
        self.log.append(("sending", list(ids)))
        for n in ids:
            self.postings[n] = replace(self.postings[n], state=PostingState.SENDING)

    def answered(self, claim: Claim, answers: Iterable[Answer], now: datetime) -> None:
        for answer in answers:
            self.receipts.append(answer.receipt)
            self.postings[answer.posting_id] = replace(self.postings[answer.posting_id], state=answer.state)

    def states(self) -> dict[PostingState, int]:
        states = [p.state for p in self.postings.values()]
        return {s: states.count(s) for s in set(states)}


def run(box: MemoryBox, api: ApiPeer, concurrency: int = 4) -> Sent:
    async def sent() -> Sent:
        async with ImportApiClient(api.url, api.token, concurrency=concurrency) as client:
            return await send(
                client,
                box,
                CLAIM,
                "sha",
                [PostingKind.ROW],
                api="erp",
                clock=lambda: datetime.now(UTC),
            )

    return asyncio.run(sent())


def test_all_are_sent_once_with_bounded_concurrency(api: ApiPeer) -> None:
    box = MemoryBox(70)
    assert run(box, api) == Sent(done=70)
    assert box.states() == {PostingState.DONE: 70}
    assert len(api.effects) == len(api.calls) == 70
    assert 1 < api.most_at_once <= 4
    assert [ids[0] for _, ids in box.log] == [1, 33, 65]


def test_nothing_to_send(api: ApiPeer) -> None:
    assert run(MemoryBox(0), api) == Sent()


def test_rejected_row_holds_back_no_other(api: ApiPeer) -> None:
    api.reject_if = lambda body: body["n"] % 10 == 3
    box = MemoryBox(40)
    assert run(box, api) == Sent(done=36, rejected=4)
    assert len(api.calls) == 40


def test_api_that_is_down_is_not_asked_for_every_row(api: ApiPeer) -> None:
    api.mode = "fail"
    box = MemoryBox(500)
    with pytest.raises(ApiUnavailable, match="32 postings have no final answer"):
        run(box, api)
    assert len(api.calls) == 32
    api.mode = "ok"
    assert run(box, api) == Sent(done=500)


@pytest.mark.parametrize("mode", ["apply_then_fail", "apply_then_drop"])
def test_lost_answers_are_unknown_and_sent_again_with_the_same_key(api: ApiPeer, mode: str) -> None:
    api.mode = mode
    box = MemoryBox(6)
    with pytest.raises(ApiUnavailable):
        run(box, api)
    assert box.states() == {PostingState.UNKNOWN: 6}
    api.mode = "ok"
    run(box, api)
    assert box.states() == {PostingState.DONE: 6}
    assert set(api.times().values()) == {1}


def test_refused_token_stops_and_leaves_everything_to_be_sent(api: ApiPeer) -> None:
    api.mode = "refuse_us"
    box = MemoryBox(100)
    with pytest.raises(ApiRefusesUs):
        run(box, api)
    assert len(api.calls) == 32
    assert box.states() == {PostingState.READY: 100}


def test_one_answer_that_is_missing_does_not_stop_the_rest(api: ApiPeer) -> None:
    box = MemoryBox(70)
    box.postings[2] = replace(box.postings[2], body='{"n": "boom"}')
    api.fail_if = lambda body: body["n"] == "boom"
    with pytest.raises(ApiUnavailable, match="1 postings have no final answer, 69 are done"):
        run(box, api)
    assert box.states() == {PostingState.DONE: 69, PostingState.UNKNOWN: 1}


def test_receipt_holds_nothing_that_a_database_refuses(api: ApiPeer) -> None:
    api.receipt = "nul\x00here"
    box = MemoryBox(1)
    run(box, api)
    assert "\x00" not in box.receipts[0]
    assert "here" in box.receipts[0]
