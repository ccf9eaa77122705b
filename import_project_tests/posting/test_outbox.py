"""Sending what is frozen, over real HTTP: bounded, in order, tried again in time; one bad row holds back no other, and an
API that is down is left in peace."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from import_project.errors import ApiAnswerUnusable, ApiKeyReused, ApiRefusesUs, ApiUnavailable, ConfigError
from import_project.posting.answers import Reply
from import_project.posting.client import ImportApiClient
from import_project.posting.outbox import Outbox, Sent
from import_project.records.endpoints import Endpoint, LookUp
from import_project.records.postings import Health, Posting, PostingKind, PostingState
from import_project.records.terms import Terms
from import_project_tests.http_servers import ApiPeer
from import_project_tests.posting.memory_box import CLAIM, TERMS, Clock, MemoryBox, MemoryGate

ROUTES = {PostingKind.ROW: Endpoint(path="/orders")}
LOOKED_UP = {PostingKind.ROW: Endpoint(path="/orders", look_up=LookUp(path="/held?n={n}", same=("n",)))}
UNKNOWN, DONE, DEAD, READY = (PostingState(s) for s in ("unknown", "done", "dead", "ready"))


def run(
    box: MemoryBox,
    api: ApiPeer,
    *,
    concurrency: int = 4,
    gate: MemoryGate | None = None,
    clock: Clock | None = None,
    terms: Terms = TERMS,
    routes: Mapping[PostingKind, Endpoint] = ROUTES,
    timeout: float = 10.0,
) -> Sent:
    async def sent() -> Sent:
        async with ImportApiClient(api.url, api.token, concurrency=concurrency, timeout_seconds=timeout) as client:
            outbox = Outbox(
                client,
                box,
                gate or MemoryGate(box),
                CLAIM,
                "sha",
                target="erp",
                terms=terms,
                routes=routes,
                time=(clock or Clock()).time,
            )
            return await outbox.send([PostingKind.ROW])

    return asyncio.run(sent())


def test_all_are_sent_once_in_order_with_bounded_concurrency_and_memory(api: ApiPeer) -> None:
    box = MemoryBox(200)
    assert run(box, api) == Sent(done=200)
    assert box.states() == {DONE: 200}
    assert len(api.effects) == len(api.calls) == 200
    assert 1 < api.most_at_once <= 4
    assert [len(chunk) for chunk in box.chunks] == [4, 8, 16, *[32] * 5, 12]
    assert [n for chunk in box.chunks for n in chunk] == list(range(1, 201))
    assert box.most_loaded <= 32


def test_nothing_to_send(api: ApiPeer) -> None:
    assert run(MemoryBox(0), api) == Sent()


def test_rejected_row_holds_back_no_other(api: ApiPeer) -> None:
    api.reject_if = lambda body: body["n"] % 10 == 3
    box = MemoryBox(40)
    assert run(box, api) == Sent(done=36, rejected=4)
    assert len(api.calls) == 40


def test_row_that_always_fails_holds_back_no_other(api: ApiPeer) -> None:
    api.fail_if = lambda body: body["n"] == 1
    box, clock = MemoryBox(70), Clock()
    with pytest.raises(ApiUnavailable, match=r"1 postings have no final answer, 69 are done: it answered 500"):
        run(box, api, clock=clock)
    assert box.states() == {DONE: 69, UNKNOWN: 1}
    assert 60 < sum(clock.slept) <= 120


def test_api_that_is_down_is_not_asked_for_every_row(api: ApiPeer) -> None:
    api.mode = "fail"
    box, clock = MemoryBox(500), Clock()
    gate = MemoryGate(box)
    with pytest.raises(ApiUnavailable, match=r"the API erp is left in peace until .* UTC: it answered 500"):
        run(box, api, gate=gate, clock=clock)
    assert len(api.calls) < 20
    assert box.states()[READY] > 480
    assert max(p.attempts for p in box.postings.values()) == 1  # each try was another posting's
    before = len(api.calls)
    with pytest.raises(ApiUnavailable, match="left in peace"):
        run(box, api, gate=gate, clock=Clock(now=clock.now))
    assert len(api.calls) - before <= 2
    api.mode = "ok"
    clock.now += timedelta(hours=1)
    box.chunks.clear()
    assert run(box, api, gate=gate, clock=clock) == Sent(done=500)
    assert [len(chunk) for chunk in box.chunks[:4]] == [1, 2, 4, 8]  # one tries, then more and more
    assert set(api.times().values()) == {1}


@pytest.mark.parametrize("mode", ["apply_then_fail", "apply_then_drop"])
def test_lost_answers_are_unknown_and_sent_again_with_the_same_key(api: ApiPeer, mode: str) -> None:
    api.mode = mode
    box, clock = MemoryBox(6), Clock()
    gate = MemoryGate(box)
    with pytest.raises(ApiUnavailable):
        run(box, api, gate=gate, clock=clock)
    assert UNKNOWN in box.states()
    assert DONE not in box.states()
    api.mode = "ok"
    clock.now += timedelta(minutes=10)
    run(box, api, gate=gate, clock=clock)
    assert box.states() == {DONE: 6}
    assert set(api.times().values()) == {1}


def test_short_trouble_is_waited_out(api: ApiPeer) -> None:
    failures = iter([True] * 3)
    api.fail_if = lambda _body: next(failures, False)
    box, clock = MemoryBox(3), Clock()
    assert run(box, api, clock=clock) == Sent(done=3)
    assert clock.slept


def test_refused_token_stops_at_once_and_pauses_the_api(api: ApiPeer) -> None:
    api.mode = "refuse_us"
    box, clock = MemoryBox(100), Clock()
    gate = MemoryGate(box)
    with pytest.raises(ApiRefusesUs, match="check the API's token"):
        run(box, api, gate=gate, clock=clock)
    assert len(api.calls) <= 4
    assert box.states() == {READY: 100}
    assert {p.sent_at for p in box.postings.values()} == {None}
    with pytest.raises(ApiRefusesUs, match="left in peace"):
        run(box, api, gate=gate, clock=clock)
    assert len(api.calls) <= 4
    clock.now += timedelta(minutes=10)
    api.mode = "ok"
    assert run(box, api, gate=gate, clock=clock) == Sent(done=100)


@pytest.mark.parametrize(("retry", "slept"), [("7", 7), ("Wed, 25 Nov 2026 12:00:09 GMT", 9)])
def test_peace_that_is_asked_for_is_given_by_all(api: ApiPeer, retry: str, slept: float) -> None:
    api.slow_down, api.retry_after = 2, retry
    box, clock = MemoryBox(50), Clock()
    assert run(box, api, clock=clock, concurrency=1) == Sent(done=50)
    assert len(api.calls) == 52
    assert clock.slept[0] == slept


def test_longer_peace_than_patience_ends_the_run(api: ApiPeer) -> None:
    api.slow_down, api.retry_after = 1, "999999"
    box, clock = MemoryBox(5), Clock()
    gate = MemoryGate(box)
    with pytest.raises(ApiUnavailable, match="left in peace until 13:00:00 UTC: it answered 429"):
        run(box, api, gate=gate, clock=clock)
    assert box.states()[READY] >= 1
    assert gate.known.closed_until == clock.now + timedelta(hours=1)


def test_first_try_is_one_runs_alone(api: ApiPeer) -> None:
    box, clock = MemoryBox(10), Clock()
    gate = MemoryGate(box)
    gate.known, gate.other_probes = Health(api="erp", breaks=1, closed_until=clock.now), 1
    assert run(box, api, gate=gate, clock=clock) == Sent(done=10)
    assert clock.slept == [40.0]  # as long as the other one's try may take
    assert len(box.chunks[0]) == 1


def test_requests_leave_at_the_rate_that_is_set(api: ApiPeer) -> None:
    box, clock = MemoryBox(20), Clock()
    begun = clock.now
    assert run(box, api, clock=clock, concurrency=1, terms=replace(TERMS, rate=4)) == Sent(done=20)
    assert (clock.now - begun).total_seconds() == pytest.approx(19 / 4)


def test_in_flight_is_waited_for(api: ApiPeer) -> None:
    api.in_flight = 2
    box = MemoryBox(1)
    assert run(box, api) == Sent(done=1)
    assert len(api.calls) == 3


def test_key_with_another_body_stops_and_parks(api: ApiPeer) -> None:
    api.effects.append(("key-3", "/orders", {"n": "other"}))
    api.mode = "compare"
    box = MemoryBox(3)
    with pytest.raises(ApiKeyReused, match="422"):
        run(box, api, concurrency=1)
    assert box.states() == {DONE: 2, DEAD: 1}


def test_address_where_nobody_is_gives_up_no_row(api: ApiPeer) -> None:
    api.mode = "nowhere"
    box = MemoryBox(9)
    with pytest.raises(ApiAnswerUnusable, match="check the API's address"):
        run(box, api)
    assert box.states() == {READY: 9}


@pytest.mark.parametrize("mode", ["redirect", "web_page"])
def test_answers_that_no_api_gives_stop(api: ApiPeer, mode: str) -> None:
    api.mode = mode
    box = MemoryBox(9)
    with pytest.raises(ApiAnswerUnusable):
        run(box, api)
    assert DONE not in box.states()


def test_postings_of_another_api_are_not_sent_here(api: ApiPeer) -> None:
    with pytest.raises(ConfigError, match="frozen for the API old, the feed now names erp"):
        run(MemoryBox(3, api="old"), api)
    assert api.calls == []


def test_lost_answers_are_looked_up_before_anything_is_sent_again(api: ApiPeer) -> None:
    api.effects += [(f"key-{n}", "/orders", {"n": n}) for n in (1, 3)]
    api.forget_keys = True
    box, clock = MemoryBox(4, state=UNKNOWN), Clock()
    box.postings = {n: replace(p, sent_at=clock.now - timedelta(days=9)) for n, p in box.postings.items()}
    assert run(box, api, clock=clock, routes=LOOKED_UP) == Sent(done=4)
    assert [key for key, _, _ in api.calls] == ["key-2", "key-4"]
    assert set(api.times().values()) == {1}
    assert (box.postings[1].receipt or "").startswith('found by look-up: {"n": 1')


def test_another_thing_under_our_number_is_for_a_person(api: ApiPeer) -> None:
    api.effects += [("theirs", "/orders", {"n": 1, "amount": "9.00"})]
    route = Endpoint(path="/orders", look_up=LookUp(path="/held?n={n}", same=("amount",)))
    box = MemoryBox(1, state=UNKNOWN, body='{"n": 1, "amount": "10.00"}')
    assert run(box, api, routes={PostingKind.ROW: route}) == Sent(dead=1)
    assert "has another in its place" in (box.postings[1].receipt or "")
    assert api.calls == []


def test_thing_that_is_there_twice_is_for_a_person(api: ApiPeer) -> None:
    api.effects += [("a", "/orders", {"n": 1}), ("b", "/orders", {"n": 1})]
    box = MemoryBox(1, state=UNKNOWN)
    assert run(box, api, routes=LOOKED_UP) == Sent(dead=1)
    assert box.postings[1].receipt == "the API has it 2 times"


def test_look_up_that_fails_sends_nothing(api: ApiPeer) -> None:
    api.mode = "fail"
    box = MemoryBox(2, state=UNKNOWN)
    with pytest.raises(ApiUnavailable):
        run(box, api, routes=LOOKED_UP)
    assert api.calls == []
    assert box.states() == {UNKNOWN: 2}


@pytest.mark.parametrize(("hours", "ends"), [(23, DONE), (25, DEAD)])
def test_without_a_look_up_a_key_is_used_as_long_as_the_api_knows_it(
    api: ApiPeer, hours: int, ends: PostingState
) -> None:
    box, clock = MemoryBox(2), Clock()
    sent = clock.now - timedelta(hours=hours)
    box.postings[1] = replace(box.postings[1], state=PostingState.SENDING, sent_at=sent)
    run(box, api, clock=clock)
    assert (box.postings[1].state, box.postings[2].state) == (ends, DONE)
    assert len(api.calls) == (2 if ends is DONE else 1)


@pytest.mark.parametrize("look_up", [True, False])
def test_what_is_settled_without_sending_keeps_no_api_closed(api: ApiPeer, look_up: bool) -> None:
    """Many postings that nobody can send any more, after an outage: none waits for the others."""
    box, clock = MemoryBox(30, state=UNKNOWN), Clock()
    box.postings = {n: replace(p, sent_at=clock.now - timedelta(days=9)) for n, p in box.postings.items()}
    if look_up:
        api.effects += [(f"key-{n}", "/orders", {"n": n}) for n in range(1, 31)]
    gate = MemoryGate(box)
    gate.known = Health(api="erp", breaks=1, closed_until=clock.now)
    wanted = Sent(done=30) if look_up else Sent(dead=30)
    assert run(box, api, gate=gate, clock=clock, routes=LOOKED_UP if look_up else ROUTES) == wanted
    assert sum(clock.slept) == 0
    assert (gate.known.closed_until is None) == look_up


def test_kept_500_is_parked_once_others_are_taken(api: ApiPeer) -> None:
    """Each run brings new rows, which the API takes, and the same 500 for one."""
    api.fail_if = lambda body: body["n"] == 1
    box, clock = MemoryBox(1), Clock(tick=timedelta(milliseconds=1))
    gate = MemoryGate(box)
    for turn in range(2, 5):
        box.postings |= {turn: replace(MemoryBox(turn).postings[turn])}
        clock.now += timedelta(minutes=10)
        try:
            run(box, api, gate=gate, clock=clock, concurrency=1)
        except ApiUnavailable:
            continue
    assert box.postings[1].state is DEAD
    assert "the API keeps this answer" in (box.postings[1].receipt or "")


def test_hanging_answers_end_in_time(api: ApiPeer) -> None:
    api.mode = "apply_then_hang"
    box = MemoryBox(1)
    with pytest.raises(ApiUnavailable):
        run(box, api, timeout=0.2, terms=replace(TERMS, waits=replace(TERMS.waits, budget=0)))
    assert box.states() == {UNKNOWN: 1}
    assert len(api.effects) == 1


def test_rows_that_fail_for_ever_at_the_head_hold_back_no_other(api: ApiPeer) -> None:
    """Seen as an outage at first, which it is not: the rows behind go on."""
    api.fail_if = lambda body: body["n"] <= 6
    box, clock = MemoryBox(60), Clock()
    gate = MemoryGate(box)
    for _ in range(3):
        with pytest.raises(ApiUnavailable):
            run(
                box,
                api,
                gate=gate,
                clock=clock,
                concurrency=1,
                terms=replace(TERMS, waits=replace(TERMS.waits, budget=0)),
            )
        clock.now += timedelta(minutes=10)
    assert box.states() == {DONE: 54, UNKNOWN: 6}


def test_look_up_is_not_believed_before_the_api_had_time(api: ApiPeer) -> None:
    """An API that knows no keys and is still at work on the first request would take the second too."""
    box, clock = MemoryBox(1, state=UNKNOWN), Clock()
    box.postings[1] = replace(box.postings[1], sent_at=clock.now, changed_at=clock.now)
    begun = clock.now
    assert run(box, api, clock=clock, routes=LOOKED_UP) == Sent(done=1)
    assert (clock.now - begun).total_seconds() >= 30


@pytest.mark.parametrize("answer", ['{"items": null}', "null", "[]", "{}", ""])
def test_nothing_found_is_nothing_there(api: ApiPeer, answer: str) -> None:
    api.held_answer = answer
    box = MemoryBox(1, state=UNKNOWN)
    assert run(box, api, routes=LOOKED_UP) == Sent(done=1)
    assert len(api.calls) == 1


@pytest.mark.parametrize("answer", ['{"data": [], "count": 0}', '{"found": false}', '[{"id": 7}]', "7", '"x"', "[[]]"])
def test_what_does_not_tell_whether_it_is_ours_is_no_find(api: ApiPeer, answer: str) -> None:
    """The other posting goes on; this one stays, and waits for a person when the key's time is over."""
    api.held_answer = answer
    box, clock = MemoryBox(2), Clock()
    box.postings[1] = replace(box.postings[1], state=UNKNOWN, sent_at=clock.now)
    with pytest.raises(ApiUnavailable, match=r"1 postings have no final answer, 1 are done: .*found"):
        run(box, api, clock=clock, routes=LOOKED_UP)
    assert box.states() == {UNKNOWN: 1, DONE: 1}
    clock.now += timedelta(hours=25)
    assert run(box, api, clock=clock, routes=LOOKED_UP) == Sent(dead=1)
    assert "it cannot be looked up" in (box.postings[1].receipt or "")


def test_posting_that_lacks_what_it_is_looked_up_by_holds_back_no_other(api: ApiPeer) -> None:
    box, clock = MemoryBox(3, state=UNKNOWN), Clock()
    box.postings[2] = replace(box.postings[2], body='{"n": null}', sent_at=clock.now)
    with pytest.raises(ApiUnavailable, match="look_up needs 'n'"):
        run(box, api, clock=clock, routes=LOOKED_UP)
    assert box.states() == {DONE: 2, UNKNOWN: 1}


def test_what_was_proved_not_to_be_there_may_be_rejected(api: ApiPeer) -> None:
    api.reject_status, api.mode = 422, "reject"
    box = MemoryBox(1, state=UNKNOWN)
    assert run(box, api, routes=LOOKED_UP) == Sent(rejected=1)


def test_api_that_is_off_was_never_reached() -> None:
    box, clock = MemoryBox(3), Clock()
    with pytest.raises(ApiUnavailable, match="Connection refused"):
        run(box, ApiPeer(url="http://127.0.0.1:1"), clock=clock)
    assert box.states() == {READY: 3}
    assert {p.sent_at for p in box.postings.values()} == {None}


def test_clock_that_was_ahead_closes_no_api(api: ApiPeer) -> None:
    box, clock = MemoryBox(3), Clock()
    gate = MemoryGate(box)
    gate.known = Health(api="erp", closed_until=clock.now + timedelta(days=400))
    assert run(box, api, gate=gate, clock=clock) == Sent(done=3)


def test_client_that_breaks_leaves_no_posting_on_its_way(api: ApiPeer) -> None:
    class Broken:
        concurrency = 2

        async def deliver(self, posting: Posting) -> Reply:
            raise RuntimeError("nobody foresaw this")

    box = MemoryBox(2)
    outbox = Outbox(
        Broken(),
        box,
        MemoryGate(box),
        CLAIM,
        "sha",
        target="erp",
        terms=replace(TERMS, waits=replace(TERMS.waits, budget=0)),
        routes={},
        time=Clock().time,
    )
    with pytest.raises(ApiUnavailable, match="RuntimeError: nobody foresaw this"):
        asyncio.run(outbox.send([PostingKind.ROW]))
    assert box.states() == {UNKNOWN: 2}
