"""Several postings in one request: each item has its own key and its own result, and one bad item costs no other."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from import_project.errors import ApiAnswerUnusable, ApiUnavailable
from import_project.posting.answers import Reply
from import_project.posting.batches import content_of, replies_of
from import_project.posting.client import ImportApiClient
from import_project.posting.outbox import Outbox, Sent
from import_project.records.endpoints import Batch, Endpoint
from import_project.records.postings import PostingKind, PostingState
from import_project_tests.posting.memory_box import CLAIM, TERMS, Clock, MemoryBox, MemoryGate

BATCH = Batch(size=3, key="id", items="orders", results="results")


class BatchApi:
    """Takes `{"orders": [...]}`; what each item gets is asked of `result`."""

    def __init__(self, result: Callable[[dict[str, Any]], int] = lambda _item: 201) -> None:
        self.result = result
        self.requests: list[tuple[str, list[int]]] = []
        self.effects: list[int] = []
        self.whole: Callable[[list[dict[str, Any]]], httpx.Response | None] = lambda _items: None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        items = json.loads(request.content)["orders"]
        self.requests.append((request.headers["idempotency-key"], [i["n"] for i in items]))
        answer = self.whole(items)
        if answer is not None:
            return answer
        results = [{"id": i["id"], "status": self.result(i), "n": i["n"]} for i in items]
        self.effects += [r["n"] for r in results if r["status"] < 300]
        return httpx.Response(207, json={"results": list(reversed(results))})


def run(box: MemoryBox, api: BatchApi, batch: Batch = BATCH) -> Sent:
    async def sent() -> Sent:
        client = ImportApiClient("http://erp.example", "t", concurrency=2, transport=httpx.MockTransport(api))
        async with client:
            outbox = Outbox(
                client,
                box,
                MemoryGate(box),
                CLAIM,
                "sha",
                target="erp",
                terms=TERMS,
                routes={PostingKind.ROW: Endpoint(path="/orders", batch=batch)},
                time=Clock().time,
            )
            return await outbox.send([PostingKind.ROW])

    return asyncio.run(sent())


def test_rows_go_together_and_each_has_its_own_receipt() -> None:
    api, box = BatchApi(), MemoryBox(8)
    assert run(box, api) == Sent(done=8)
    assert [len(ns) for _, ns in api.requests] == [3, 3, 2]
    assert sorted(api.effects) == list(range(1, 9))
    assert json.loads(box.postings[5].receipt or "") == {"id": "key-5", "status": 201, "n": 5}
    assert len({key for key, _ in api.requests}) == 3


def test_item_that_is_rejected_costs_no_other() -> None:
    api, box = BatchApi(lambda item: 400 if item["n"] == 2 else 201), MemoryBox(6)
    assert run(box, api) == Sent(done=5, rejected=1)
    assert "400" in (box.postings[2].receipt or "")


def test_request_that_is_refused_whole_is_halved_until_the_culprit_is_alone() -> None:
    api, box = BatchApi(), MemoryBox(6)
    api.whole = lambda items: httpx.Response(400, text="bad") if any(i["n"] == 2 for i in items) else None
    assert run(box, api) == Sent(done=5, rejected=1)
    assert box.postings[2].state is PostingState.REJECTED
    assert sorted(api.effects) == [1, 3, 4, 5, 6]


def test_item_without_an_answer_is_sent_again_with_its_key() -> None:
    failures = iter([True, True])
    api, box = BatchApi(lambda item: 503 if item["n"] == 3 and next(failures, False) else 201), MemoryBox(3)
    assert run(box, api) == Sent(done=3)
    assert [ns for _, ns in api.requests] == [[1, 2, 3], [3], [3]]
    assert api.requests[1][0] == api.requests[2][0]  # the same items, the same key


@pytest.mark.parametrize("text", ["no json", "[]", '{"results": [{"id": "key-1"}]}', '{"results": [1, 2]}', "{}"])
def test_answer_without_results_is_no_answer(text: str) -> None:
    api, box = BatchApi(), MemoryBox(2)
    api.whole = lambda _items: httpx.Response(200, text=text)
    with pytest.raises(ApiUnavailable):
        run(box, api)
    assert PostingState.DONE not in box.states()


def test_results_by_place_where_they_have_no_key() -> None:
    some = list(MemoryBox(2).postings.values())
    whole = Reply(status=200, text='[{"status": 201}, {"status": 409}]')
    found = replies_of(Batch(size=2, key="id"), some, whole)
    assert [r.status for r in found or []] == [201, 409]
    fewer = replies_of(Batch(size=2, key="id"), some, Reply(status=200, text='[{"status": 201}]'))
    assert [r.status for r in fewer or []] == [None, None]


def test_results_of_strangers_are_not_believed() -> None:
    some = list(MemoryBox(2).postings.values())
    text = json.dumps([{"id": "key-1", "status": 201}, {"id": "theirs", "status": 201}])
    assert [r.status for r in replies_of(Batch(size=2, key="id"), some, Reply(status=200, text=text)) or []] == [
        None
    ] * 2


def test_array_without_a_name_around_it() -> None:
    content, _ = content_of(Batch(size=2, key="id"), list(MemoryBox(2).postings.values()))
    assert json.loads(content) == [{"n": 1, "id": "key-1"}, {"n": 2, "id": "key-2"}]


def test_nobody_at_the_address_rejects_nothing() -> None:
    api, box = BatchApi(), MemoryBox(4)
    api.whole = lambda _items: httpx.Response(404)
    with pytest.raises(ApiAnswerUnusable):
        run(box, api)
    assert box.states() == {PostingState.READY: 4}
