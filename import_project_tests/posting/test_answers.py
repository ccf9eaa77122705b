"""What an answer makes of a posting, how long to wait, when an API is left in peace: all of it pure, in tables."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from import_project.errors import ApiRefusesUs, ApiUnavailable
from import_project.posting.answers import Judged, Next, Reply, Stop, judge, next_of
from import_project.posting.chunks import held_together
from import_project.posting.health import after_chunk, longest_peace
from import_project.posting.waits import jittered, retry_after
from import_project.records.postings import Health, Posting, PostingKind, PostingState
from import_project.records.terms import Waits
from import_project_tests.posting.memory_box import TERMS

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
READY, UNKNOWN, DONE, REJECTED, DEAD = (PostingState(s) for s in ("ready", "unknown", "done", "rejected", "dead"))


def posting(state: PostingState = READY, **facts: object) -> Posting:
    base = Posting(
        id=1,
        kind=PostingKind.ROW,
        key="k",
        api="erp",
        method="POST",
        path="/orders",
        body="{}",
        row_number=7,
        state=state,
    )
    return replace(base, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "first", "again"),
    [
        (200, (DONE, None), (DONE, None)),
        (201, (DONE, None), (DONE, None)),
        (204, (DONE, None), (DONE, None)),
        (None, (UNKNOWN, None), (UNKNOWN, None)),
        (408, (UNKNOWN, None), (UNKNOWN, None)),
        (409, (UNKNOWN, None), (UNKNOWN, None)),
        (500, (UNKNOWN, None), (UNKNOWN, None)),
        (503, (UNKNOWN, None), (UNKNOWN, None)),
        (425, (READY, None), (UNKNOWN, None)),
        (429, (READY, None), (UNKNOWN, None)),
        (401, (READY, Stop.REFUSED), (UNKNOWN, Stop.REFUSED)),
        (403, (READY, Stop.REFUSED), (UNKNOWN, Stop.REFUSED)),
        (302, (UNKNOWN, Stop.UNUSABLE), (UNKNOWN, Stop.UNUSABLE)),
        (400, (REJECTED, None), (REJECTED, None)),
        (404, (REJECTED, None), (REJECTED, None)),
        (405, (READY, Stop.UNUSABLE), (UNKNOWN, Stop.UNUSABLE)),
        (413, (REJECTED, None), (REJECTED, None)),
        (422, (REJECTED, None), (DEAD, Stop.KEY_REUSED)),
    ],
)
def test_what_each_answer_makes_of_a_posting(
    status: int | None, first: tuple[PostingState, Stop | None], again: tuple[PostingState, Stop | None]
) -> None:
    """The second time, an answer to the try before was lost."""
    for before, wanted in ((posting(), first), (posting(UNKNOWN), again), (posting(PostingState.SENDING), again)):
        found = judge(before, Reply(status=status, text="words"), took_at=None)
        assert (found.state, found.stop) == wanted
        assert "words" in found.told


def test_key_with_another_body_is_told_by_its_words_too() -> None:
    found = judge(posting(), Reply(status=422, text='{"title": "Idempotency-Key is already used"}'), took_at=None)
    assert (found.state, found.stop) == (DEAD, Stop.KEY_REUSED)


def test_web_page_is_no_receipt() -> None:
    found = judge(posting(), Reply(status=200, text="<html>please log in", html=True), took_at=None)
    assert (found.state, found.stop) == (UNKNOWN, Stop.UNUSABLE)


@pytest.mark.parametrize(
    ("text", "state"),
    [('{"id": 7}', DONE), ('{"error": "full"}', UNKNOWN), ('{"id": null}', UNKNOWN), ("OK", UNKNOWN), ("[]", UNKNOWN)],
)
def test_receipt_that_is_agreed_must_be_there(text: str, state: PostingState) -> None:
    found = judge(posting(), Reply(status=200, text=text), took_at=None, receipt="id")
    assert (found.state, found.stop) == (state, None if state is DONE else Stop.UNUSABLE)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ('{"error": "insufficient rights, nothing was booked"}', UNKNOWN),
        ('{"errors": ["full"], "id": 7}', UNKNOWN),
        ('{"error": null, "errors": [], "id": 7}', DONE),
        ('{"error": false}', DONE),
        ('["error"]', DONE),
        ("no error", DONE),
        ("", DONE),
    ],
)
def test_answer_that_tells_of_an_error_is_no_receipt(text: str, state: PostingState) -> None:
    found = judge(posting(), Reply(status=200, text=text), took_at=None)
    assert (found.state, found.stop) == (state, None if state is DONE else Stop.UNUSABLE)


def test_error_that_is_no_word_of_the_apis_is_none() -> None:
    """Python of the user's own returns what it likes; and a row may have a column of that name, which comes back."""
    returned = Reply(status=200, text='{"error": "duplicate of 5, kept"}', called=True)
    assert judge(posting(), returned, took_at=None).state is DONE
    sent = replace(posting(), body='{"error": "E17", "n": 1}')
    for told, state in [("E17", DONE), ("E18", UNKNOWN)]:
        assert judge(sent, Reply(status=201, text=f'{{"error": "{told}"}}'), took_at=None).state is state


def test_receipt_is_bounded_and_holds_nothing_that_a_database_refuses() -> None:
    found = judge(posting(), Reply(status=201, text="nul\x00" + "x" * 9_000), took_at=None)
    assert found.told.startswith("nulx")
    assert len(found.told) == 2_000


def test_same_500_again_and_again_while_others_are_taken_is_a_kept_answer() -> None:
    one, told = posting(), "500 oops"
    for others, repeats, state in [(False, 1, UNKNOWN), (False, 1, UNKNOWN), (True, 2, UNKNOWN), (True, 3, DEAD)]:
        took_at = NOW + timedelta(seconds=1) if others else NOW - timedelta(days=1)
        found = judge(one, Reply(status=500, text="oops"), took_at=took_at)
        assert (found.repeats, found.state) == (repeats, state)
        one = replace(one, state=found.state, status=500, receipt=told, repeats=found.repeats, changed_at=NOW)
    assert found.told == "the API keeps this answer for the key: 500 oops"


def test_other_words_or_another_status_are_no_kept_answer() -> None:
    one = posting(UNKNOWN, status=500, receipt="500 oops", repeats=2, changed_at=NOW)
    later = NOW + timedelta(seconds=1)
    assert judge(one, Reply(status=500, text="other"), took_at=later).repeats == 1
    assert judge(one, Reply(status=503, text="oops"), took_at=later).repeats == 0


@pytest.mark.parametrize(
    ("state", "sent", "look_up", "wanted"),
    [
        (READY, None, True, Next.SEND),
        (READY, timedelta(days=9), False, Next.SEND),
        (UNKNOWN, timedelta(hours=1), True, Next.LOOK_UP),
        (UNKNOWN, timedelta(days=9), True, Next.LOOK_UP),
        (UNKNOWN, timedelta(seconds=29), True, Next.WAIT),
        (UNKNOWN, timedelta(hours=23, minutes=59), False, Next.SEND),
        (UNKNOWN, timedelta(hours=24), False, Next.PARK),
        (PostingState.SENDING, timedelta(hours=25), False, Next.PARK),
    ],
)
def test_how_a_posting_goes_on(state: PostingState, sent: timedelta | None, look_up: bool, wanted: Next) -> None:
    moment = None if sent is None else NOW - sent
    one = posting(state, sent_at=moment, changed_at=moment)
    assert next_of(one, TERMS, NOW, look_up=look_up) is wanted


def test_key_that_is_known_for_ever_is_never_too_old() -> None:
    one = posting(UNKNOWN, sent_at=NOW - timedelta(days=9_999))
    assert next_of(one, replace(TERMS, key_window=None), NOW, look_up=False) is Next.SEND


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("99999999999999999999", 3600.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0.0),
        (format_datetime(NOW + timedelta(days=900), usegmt=True), 3600.0),
        ("Wed, 25 Nov 2026 12:01:00 -0000", 60.0),
        ("Wed, 25 Nov 2026 14:01:00 +0200", 60.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("²", None),
    ],
)
def test_retry_after_in_seconds_and_dates(text: str | None, seconds: float | None) -> None:
    assert retry_after(text, NOW, 3600) == seconds


@given(st.text())
def test_no_retry_after_breaks_anything(text: str) -> None:
    found = retry_after(text, NOW, 3600)
    assert found is None or 0 <= found <= 3600


@given(st.integers(min_value=0, max_value=10_000), st.floats(min_value=0, max_value=1))
def test_waits_are_spread_from_nothing_to_a_bound_that_doubles(failures: int, chance: float) -> None:
    waits = Waits(first=0.5, longest=30)
    bound = min(30, 0.5 * 2 ** min(max(failures - 1, 0), 30))
    assert jittered(waits, failures, chance) == pytest.approx(chance * bound)


def judged(*statuses: int | None, before: PostingState = READY, retry: str | None = None) -> list[Judged]:
    found = []
    for number, status in enumerate(statuses, start=1):
        reply = Reply(status=status, text="words", retry_after=retry if status in {429, 503} else None)
        one = posting(before, id=number)
        found.append(Judged(posting=one, reply=reply, verdict=judge(one, reply, took_at=None)))
    return found


def health_after(health: Health, some: list[Judged], *, probe: bool = False, chance: float = 1.0) -> Health:
    return after_chunk(health, health.closed_until, some, NOW, TERMS, chance, probe=probe)


def test_api_is_left_in_peace_after_failures_in_a_row_and_longer_each_time() -> None:
    health = health_after(Health(api="erp"), judged(500, None, 502, 503))
    assert (health.strikes, health.closed_until) == (4, None)
    waits = []
    for _ in range(9):
        health = health_after(health, judged(500), probe=health.breaks > 0)
        assert health.closed_until is not None
        waits.append((health.closed_until - NOW).total_seconds())
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    back = health_after(health, judged(201), probe=True)
    assert back == Health(api="erp", took_at=NOW)


def test_nobody_tries_again_at_once() -> None:
    down = Health(api="erp", strikes=4)
    spread = {health_after(down, judged(500), chance=random.Random(n).random()).closed_until for n in range(50)}
    seconds = [(moment - NOW).total_seconds() for moment in spread if moment]
    assert len(seconds) > 40
    assert min(seconds) >= 2.5
    assert max(seconds) <= 5


def test_row_that_fails_among_others_closes_nothing() -> None:
    health = health_after(Health(api="erp", strikes=3), judged(201, 500, 201, 500))
    assert (health.strikes, health.closed_until) == (0, None)


def test_rejections_are_answers_too() -> None:
    assert health_after(Health(api="erp", strikes=4), judged(400)) == Health(api="erp")


def test_outage_that_begins_within_a_chunk_closes_the_api() -> None:
    assert health_after(Health(api="erp"), judged(201, 201, *[503] * 5)).closed_until is not None


@pytest.mark.parametrize("status", [429, 503])
def test_peace_that_is_asked_for_is_given(status: int) -> None:
    health = health_after(Health(api="erp"), judged(201, status, retry="77"))
    assert health.closed_until == NOW + timedelta(seconds=77)


def test_peace_that_is_asked_for_without_a_time_is_that_of_a_failure() -> None:
    health = health_after(Health(api="erp"), judged(201, 429, 429))
    assert health.closed_until == NOW + timedelta(seconds=5)
    again = health_after(replace(health, closed_until=NOW), judged(429), probe=True)
    assert again.closed_until == NOW + timedelta(seconds=10)


def test_refusal_pauses_the_api() -> None:
    health = health_after(Health(api="erp"), judged(401))
    assert health.refused
    assert health.closed_until is not None
    assert health.reason == "it answered 401"


def test_what_another_run_has_closed_meanwhile_is_not_opened() -> None:
    """This run began when the API was open; another was told to leave it in peace."""
    closed = Health(api="erp", closed_until=NOW + timedelta(hours=1), reason="it answered 429")
    after = after_chunk(closed, None, judged(201), NOW, TERMS, 0.5)
    assert after == replace(closed, took_at=NOW)


def test_look_up_that_is_answered_is_an_answer() -> None:
    down = Health(api="erp", breaks=2, closed_until=NOW)
    assert after_chunk(down, NOW, [], NOW, TERMS, 0.5, probe=True, look_up=True) == Health(api="erp")
    assert after_chunk(down, NOW, [], NOW, TERMS, 0.5, probe=True) == replace(down, closed_until=NOW)


def test_peace_that_a_look_up_is_asked_for_is_given() -> None:
    asked = ApiUnavailable("GET /held answered 429", retry_after="90")
    after = after_chunk(Health(api="erp"), None, [], NOW, TERMS, 0.5, look_up=asked)
    assert (after.strikes, after.closed_until) == (1, NOW + timedelta(seconds=90))


def test_look_up_that_is_refused_pauses_the_api() -> None:
    after = after_chunk(Health(api="erp"), None, [], NOW, TERMS, 0.5, look_up=ApiRefusesUs("GET /held answered 401"))
    assert after.refused
    assert after.closed_until is not None


def test_clock_that_was_ahead_is_told_by_the_longest_peace() -> None:
    assert longest_peace(TERMS) == timedelta(hours=1)
    assert longest_peace(replace(TERMS, probe=timedelta(hours=2))) == timedelta(hours=2)


def test_what_never_left_has_no_effect() -> None:
    found = judge(posting(), Reply(status=None, text="refused", left=False), took_at=None)
    assert (found.state, found.fault) == (READY, True)
    assert judge(posting(UNKNOWN), Reply(status=None, text="refused", left=False), took_at=None).state is UNKNOWN


def test_half_a_character_is_no_trouble() -> None:
    assert judge(posting(), Reply(status=201, text="\ud83d!"), took_at=None).told == "?!"


def chunk_of(*replies: Reply, attempts: int = 0) -> list[Judged]:
    some = [posting(id=n, attempts=attempts) for n in range(len(replies))]
    pairs = zip(some, replies, strict=True)
    return [Judged(posting=p, reply=r, verdict=judge(p, r, took_at=None)) for p, r in pairs]


@pytest.mark.parametrize(
    ("attempts", "item", "probe", "state", "stops"),
    [
        (0, False, False, READY, True),
        (1, False, False, READY, True),
        (2, False, False, REJECTED, False),
        (0, True, False, REJECTED, False),
        (0, False, True, READY, False),
    ],
)
def test_when_nobody_is_there_the_rows_are_given_up_at_the_third_try(
    attempts: int, item: bool, probe: bool, state: PostingState, stops: bool
) -> None:
    some = chunk_of(*[Reply(status=404, text="", item=item)] * (1 if probe else 3), attempts=attempts)
    after, stop = held_together(some, probe=probe)
    assert {j.verdict.state for j in after if j.verdict} == {state}
    assert (stop is not None) == stops


def test_one_404_among_others_is_about_its_row() -> None:
    after, stop = held_together(chunk_of(Reply(status=404, text=""), Reply(status=201, text="")), probe=False)
    assert [j.verdict.state for j in after if j.verdict] == [REJECTED, DONE]
    assert stop is None
