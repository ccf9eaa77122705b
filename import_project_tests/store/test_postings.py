"""What the ledger keeps of postings: terms of their sending, people's words on them, and the log that nobody changes. On
SQLite and on PostgreSQL."""

import itertools
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from import_project.errors import ConfigError
from import_project.records.audit import FIRST, Act, Entry
from import_project.records.files import Claim, Listed
from import_project.records.postings import Answer, Draft, Health, KeptPosting, Posting, PostingKind, PostingState
from import_project.store.ledger import Ledger
from import_project.store.ledger.tables import audit

NOW = datetime(2026, 11, 25, 12, 0, 0, 123456, tzinfo=UTC)
SHA = "ab" * 32
READY, UNKNOWN, DONE, REJECTED, DEAD = (PostingState(s) for s in ("ready", "unknown", "done", "rejected", "dead"))


@pytest.fixture
def claim(ledger: Ledger) -> Claim:
    ledger.sightings.see("f", [(Listed(name="a.csv", size=3, mtime=NOW), 0, None)], NOW)
    (arrival,) = ledger.sightings.unended("f")
    ledger.sightings.ready([(arrival.id, "a~1")])
    return ledger.arrivals.claim("f", "a~1", owner="r1", now=NOW, lease=timedelta(seconds=60))[1]


def freeze(ledger: Ledger, claim: Claim, *subjects: str, **facts: object) -> list[Posting]:
    drafts = [
        replace(
            Draft(subject=s, part=0, kind=PostingKind.ROW, row_number=n, path="/o", body="{}"),
            **facts,  # type: ignore[arg-type]
        )
        for n, s in enumerate(subjects, start=1)
    ]
    ledger.decisions.freeze(claim, SHA, "erp", drafts, NOW)
    return waiting(ledger)


def waiting(ledger: Ledger) -> list[Posting]:
    return ledger.postings.unsent("f", SHA, list(PostingKind), after=0, limit=99)


def answer(posting: Posting, state: PostingState, **facts: object) -> Answer:
    base = Answer(posting_id=posting.id, key=posting.key, state=state, status=None, receipt="words", sent_at=NOW)
    return replace(base, **facts)  # type: ignore[arg-type]


def answered(ledger: Ledger, claim: Claim, some: list[Answer], health: Health | None = None) -> None:
    ledger.postings.answered(claim, SHA, some, NOW, "erp", lambda before: health or before)


def put(ledger: Ledger, claim: Claim, some: list[Posting], *states: PostingState) -> None:
    ledger.postings.sending(claim, SHA, some, NOW)
    given = [answer(p, s, sent_at=None if s is READY else NOW) for p, s in zip(some, states, strict=True)]
    answered(ledger, claim, given)


def kept(ledger: Ledger) -> list[KeptPosting]:
    return list(ledger.dead_letters.kept())


def test_method_and_history_of_a_posting_are_kept(ledger: Ledger, claim: Claim) -> None:
    (one,) = freeze(ledger, claim, "s", method="PUT")
    assert (one.method, one.attempts, one.sent_at, one.repeats) == ("PUT", 0, None, 0)
    ledger.postings.sending(claim, SHA, [one], NOW)
    (sending,) = waiting(ledger)
    assert (sending.state, sending.attempts, sending.sent_at) == (PostingState.SENDING, 1, NOW)
    ledger.postings.sending(claim, SHA, [one], NOW + timedelta(hours=1))
    assert waiting(ledger)[0].sent_at == NOW  # the first time counts
    answered(ledger, claim, [answer(one, UNKNOWN, status=500, repeats=2)])
    (unknown,) = waiting(ledger)
    assert (unknown.status, unknown.receipt, unknown.repeats, unknown.attempts) == (500, "words", 2, 2)


def test_posting_that_was_not_tried_after_all_is_as_before(ledger: Ledger, claim: Claim) -> None:
    (one,) = freeze(ledger, claim, "s")
    ledger.postings.sending(claim, SHA, [one], NOW)
    answered(ledger, claim, [answer(one, READY, receipt=None, sent_at=None, tried=False)])
    assert waiting(ledger) == [replace(one, changed_at=NOW)]


@pytest.mark.parametrize("state", [DONE, REJECTED, DEAD])
def test_ended_posting_is_changed_by_no_late_answer(ledger: Ledger, claim: Claim, state: PostingState) -> None:
    (one,) = freeze(ledger, claim, "s")
    put(ledger, claim, [one], state)
    answered(ledger, claim, [answer(one, UNKNOWN, receipt="late")])
    assert [(p.state, p.receipt) for p in kept(ledger)] == [(state, "words")]


def test_dead_one_is_replayed_with_its_key_that_counts_as_new(ledger: Ledger, claim: Claim) -> None:
    put(ledger, claim, freeze(ledger, claim, "s", "t"), DEAD, DONE)
    assert waiting(ledger) == []
    dead, done = kept(ledger)
    later = NOW + timedelta(days=3)
    assert ledger.dead_letters.replay(claim, dead, "ann", "looked", later)[0].key == dead.key
    (again,) = waiting(ledger)
    assert (again.key, again.state, again.sent_at) == (dead.key, UNKNOWN, later)
    with pytest.raises(ConfigError, match="is done"):
        ledger.dead_letters.replay(claim, done, "ann", "", later)


@pytest.mark.parametrize(("status", "state"), [(400, READY), (None, UNKNOWN), (500, UNKNOWN)])
def test_rejected_one_is_replayed_as_never_sent_only_where_the_api_said_so(
    ledger: Ledger, claim: Claim, status: int | None, state: PostingState
) -> None:
    (one,) = freeze(ledger, claim, "s")
    answered(ledger, claim, [answer(one, REJECTED, status=status)])
    ledger.dead_letters.replay(claim, kept(ledger)[0], "ann", "", NOW)
    (again,) = waiting(ledger)
    assert (again.state, again.sent_at) == (state, None if state is READY else NOW)


def test_person_says_what_became_of_a_dead_one(ledger: Ledger, claim: Claim) -> None:
    put(ledger, claim, freeze(ledger, claim, "s", "t", "u"), DEAD, UNKNOWN, DONE)
    one, two, three = kept(ledger)
    ledger.dead_letters.settle(claim, one, DONE, "ann", "in their books", NOW)
    ledger.dead_letters.settle(claim, two, REJECTED, "ann", "", NOW)
    with pytest.raises(ConfigError, match="is done"):
        ledger.dead_letters.settle(claim, three, REJECTED, "ann", "", NOW)
    assert [(p.state, p.receipt) for p in kept(ledger)] == [
        (DONE, "done says ann: in their books"),
        (REJECTED, "rejected says ann"),
        (DONE, "words"),
    ]


def reversal(ledger: Ledger, claim: Claim) -> list[Posting]:
    """A payment of invoice 7, and its opposite of the same subject, as a person who takes it back makes."""
    facts = {"invoice_id": "7", "amount": Decimal("5.00")}
    drafts = [
        Draft(subject="s", part=n, kind=PostingKind.MATCHED, row_number=1, path="/i", body="{}", **facts)  # type: ignore[arg-type]
        for n in range(2)
    ]
    opposite = replace(drafts[1], amount=Decimal("-5.00"))
    ledger.decisions.freeze(claim, SHA, "erp", [drafts[0], opposite], NOW)
    return waiting(ledger)


def test_what_takes_back_waits_for_the_end_of_what_it_takes_back(ledger: Ledger, claim: Claim) -> None:
    (first,) = reversal(ledger, claim)
    put(ledger, claim, [first], DEAD)
    assert waiting(ledger) == []
    ledger.dead_letters.settle(claim, kept(ledger)[0], DONE, "ann", "", NOW)
    assert [p.id for p in waiting(ledger)] == [first.id + 1]


def test_what_was_never_taken_is_not_taken_back_and_both_are_replayed_together(ledger: Ledger, claim: Claim) -> None:
    (first,) = reversal(ledger, claim)
    ledger.postings.sending(claim, SHA, [first], NOW)
    answered(ledger, claim, [answer(first, REJECTED, status=400)])
    assert [p.state for p in kept(ledger)] == [REJECTED, REJECTED]
    with pytest.raises(ConfigError, match="takes back one that was rejected"):
        ledger.dead_letters.replay(claim, kept(ledger)[1], "ann", "", NOW)
    assert len(ledger.dead_letters.replay(claim, kept(ledger)[0], "ann", "", NOW)) == 2
    assert [p.state for p in kept(ledger)] == [READY, READY]
    assert [p.id for p in waiting(ledger)] == [first.id]


def test_other_payments_of_the_invoice_do_not_wait_for_a_dead_one(ledger: Ledger, claim: Claim) -> None:
    one, two = (
        Draft(
            subject=s,
            part=0,
            kind=PostingKind.MATCHED,
            row_number=n,
            path="/i",
            body="{}",
            invoice_id="7",
            amount=Decimal("5.00"),
        )
        for n, s in enumerate("st", start=1)
    )
    ledger.decisions.freeze(claim, SHA, "erp", [one, two], NOW)
    (first,) = waiting(ledger)
    put(ledger, claim, [first], DEAD)
    assert [p.row_number for p in waiting(ledger)] == [2]


def test_postings_are_found_by_number_and_key(ledger: Ledger, claim: Claim) -> None:
    one, two = freeze(ledger, claim, "s", "t")
    assert [p.key for p in ledger.dead_letters.called(str(one.id))] == [one.key]
    assert [p.key for p in ledger.dead_letters.called(two.key[:12])] == [two.key]
    assert len(ledger.dead_letters.called("ip-")) == 2
    assert ledger.dead_letters.called("ip-%") == []
    assert set(ledger.dead_letters.by_keys("erp", [one.key, "x"])) == {one.key}
    assert [p.id for p in ledger.dead_letters.kept(since=NOW + timedelta(seconds=1))] == []


def test_health_is_kept_with_the_answers(ledger: Ledger, claim: Claim) -> None:
    (one,) = freeze(ledger, claim, "s")
    assert ledger.apis.health("erp") == Health(api="erp")
    bad = Health(api="erp", strikes=3, breaks=1, closed_until=NOW, refused=True, reason="500", took_at=NOW)
    answered(ledger, claim, [answer(one, UNKNOWN)], bad)
    assert ledger.apis.health("erp") == bad
    assert ledger.apis.health("other") == Health(api="other")


def test_one_run_alone_tries_an_api_that_was_left_in_peace(ledger: Ledger, claim: Claim) -> None:
    (one,) = freeze(ledger, claim, "s")
    closed = Health(api="erp", closed_until=NOW)
    answered(ledger, claim, [answer(one, UNKNOWN)], closed)
    assert ledger.apis.probe(closed, NOW + timedelta(seconds=40))
    assert not ledger.apis.probe(closed, NOW + timedelta(seconds=41))
    assert ledger.apis.health("erp").closed_until == NOW + timedelta(seconds=40)


def test_pace_is_one_for_all_runs(ledger: Ledger) -> None:
    ledger.apis.health("erp")
    starts: list[datetime] = []
    threads = [threading.Thread(target=lambda: starts.append(ledger.apis.pace("erp", 10, 5.0, NOW))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(starts) == [NOW + timedelta(seconds=2 * n) for n in range(4)]
    assert ledger.apis.pace("erp", 1, 5.0, NOW + timedelta(hours=1)) == NOW + timedelta(hours=1)


def test_every_act_is_in_the_log_and_chained(ledger: Ledger, claim: Claim) -> None:
    put(ledger, claim, freeze(ledger, claim, "s", "t"), DEAD, DONE)
    ledger.dead_letters.settle(claim, kept(ledger)[0], DONE, "ann", "seen", NOW)
    entries = list(ledger.audit.entries())
    assert [e.what for e in entries] == [Act.BEGUN, Act.DECIDED, Act.SENT, Act.ANSWERED, Act.BY_HAND]
    assert [e.done_by for e in entries[1:]] == ["r1", "r1", "r1", "ann"]
    before = FIRST
    for number, entry in enumerate(entries, start=1):
        assert (entry.number, entry.hash) == (number, entry.chained(before))
        before = entry.hash
    assert ledger.audit.files() == [("f", SHA)]
    assert [e.number for e in ledger.audit.entries(feed="f", file=SHA)] == [2, 3, 4, 5]


REPLACE = "INSERT OR REPLACE INTO audit SELECT number, at, what, feed, sha256, 'x', facts, hash FROM audit"


@pytest.mark.parametrize("change", ["UPDATE audit SET facts = 'x'", "DELETE FROM audit WHERE number = 1", REPLACE])
def test_log_cannot_be_changed(ledger: Ledger, claim: Claim, change: str) -> None:
    freeze(ledger, claim, "s")
    words = "only added to" if change != REPLACE or ledger.database.sqlite else "syntax error"
    with pytest.raises(sa.exc.DBAPIError, match=words), ledger.database.engine.begin() as connection:
        connection.execute(sa.text(change))
    with ledger.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(audit)).scalar_one() == 2


def test_runs_at_once_make_one_chain(ledger: Ledger, claim: Claim) -> None:
    some = freeze(ledger, claim, *(f"s{n}" for n in range(12)))
    threads = [
        threading.Thread(target=ledger.postings.sending, args=(claim, SHA, some[n : n + 1], NOW)) for n in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = list(ledger.audit.entries())
    assert [e.number for e in entries] == list(range(1, 15))
    assert all(e.hash == e.chained(b.hash) for b, e in itertools.pairwise(entries))


def test_entry_depends_on_every_part_of_it() -> None:
    one = Entry(number=1, at=NOW, what=Act.SENT, feed="f", sha256="s", done_by="r", facts="{}")
    others = [
        replace(one, number=2),
        replace(one, at=NOW + timedelta(microseconds=1)),
        replace(one, what=Act.ANSWERED),
        replace(one, feed="g"),
        replace(one, sha256="t"),
        replace(one, done_by="q"),
        replace(one, facts='{"a":1}'),
    ]
    assert len({e.chained(FIRST) for e in [one, *others]} | {one.chained("x")}) == len(others) + 2


def test_posting_that_ended_meanwhile_is_not_sent(ledger: Ledger, claim: Claim) -> None:
    one, two = freeze(ledger, claim, "s", "t")
    put(ledger, claim, [one], DONE)
    assert ledger.postings.sending(claim, SHA, [one, two], NOW) == {two.id}
    assert [p.state for p in kept(ledger)] == [DONE, PostingState.SENDING]
    before = len(list(ledger.audit.entries()))
    answered(ledger, claim, [answer(one, REJECTED)])
    assert kept(ledger)[0].state is DONE
    assert len(list(ledger.audit.entries())) == before


def test_the_least_tried_posting_tries_an_api(ledger: Ledger, claim: Claim) -> None:
    one, _ = freeze(ledger, claim, "s", "t")
    put(ledger, claim, [one], UNKNOWN)
    found = ledger.postings.least_tried("f", SHA, [PostingKind.ROW])
    assert found is not None
    assert found.row_number == 2
    assert ledger.postings.least_tried("f", SHA, [PostingKind.CREDIT]) is None


def test_only_the_next_reversal_is_rejected_with_what_it_takes_back(ledger: Ledger, claim: Claim) -> None:
    """Matched, taken back, matched again, taken back again; the first was rejected."""
    amounts = ("5.00", "-5.00", "5.00", "-5.00")
    drafts = [
        Draft(
            subject="s",
            part=n,
            kind=PostingKind.MATCHED,
            row_number=1,
            path="/i",
            body="{}",
            invoice_id="7",
            amount=Decimal(amount),
        )
        for n, amount in enumerate(amounts)
    ]
    ledger.decisions.freeze(claim, SHA, "erp", drafts, NOW)
    put(ledger, claim, waiting(ledger), REJECTED)
    assert [p.state for p in kept(ledger)] == [REJECTED, REJECTED, READY, READY]


@pytest.mark.parametrize(("ends", "follows"), [(DONE, READY), (REJECTED, REJECTED), (DEAD, READY)])
def test_credit_that_is_taken_back_waits_and_ends_like_a_payment(
    ledger: Ledger, claim: Claim, ends: PostingState, follows: PostingState
) -> None:
    drafts = [
        Draft(subject="s", part=n, kind=PostingKind.CREDIT, row_number=1, path="/c", body="{}", amount=Decimal(amount))
        for n, amount in enumerate(("5.00", "-5.00"))
    ]
    ledger.decisions.freeze(claim, SHA, "erp", drafts, NOW)
    (first,) = waiting(ledger)
    put(ledger, claim, [first], ends)
    assert [p.state for p in kept(ledger)] == [ends, follows]
    assert len(waiting(ledger)) == (1 if ends is DONE else 0)


def test_pace_of_a_clock_that_was_ahead_is_forgotten(ledger: Ledger) -> None:
    assert ledger.apis.pace("erp", 1, 1.0, NOW + timedelta(days=400)) == NOW + timedelta(days=400)
    assert ledger.apis.pace("erp", 1, 1.0, NOW) == NOW
