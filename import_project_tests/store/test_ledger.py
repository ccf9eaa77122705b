"""The ledger, the same tests on SQLite and on PostgreSQL."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from import_project.errors import ClaimLost, FileVanished
from import_project.records.alerts import Alert, Undelivered
from import_project.records.files import Arrival, ArrivalState, Claim, Landed, Listed
from import_project.records.outcomes import Counts
from import_project.records.postings import Answer, Draft, PostingKind, PostingState
from import_project.records.statements import Filed, Statement
from import_project.store.ledger import Ledger
from import_project.store.ledger.decisions import posting_key

NOW = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
LEASE = timedelta(seconds=60)
SHA = "ab" * 32


def due(ledger: Ledger, now: datetime) -> list[Arrival]:
    return [a for a in ledger.arrivals.unfinished("f") if a.due(now)]


def ready(ledger: Ledger, name: str = "a.csv", partition: str = "a~1") -> int:
    ledger.sightings.see("f", [(Listed(name=name, size=3, mtime=NOW), 0, None)], NOW)
    (arrival,) = [a for a in ledger.sightings.unended("f") if a.name == name]
    ledger.sightings.ready([(arrival.id, partition)])
    return arrival.id


def claimed(ledger: Ledger, owner: str = "r1", now: datetime = NOW) -> Claim:
    return ledger.arrivals.claim("f", "a~1", owner=owner, now=now, lease=LEASE)[1]


def draft(subject: str, part: int = 0, body: str = "{}") -> Draft:
    return Draft(subject=subject, part=part, kind=PostingKind.ROW, row_number=ord(subject), path="/orders", body=body)


def test_times_come_back_aware_and_exact(ledger: Ledger) -> None:
    ready(ledger)
    assert ledger.arrivals.of("f", "a~1").mtime == NOW
    with pytest.raises(sa.exc.StatementError, match="naive time"):
        ledger.sightings.see("f", [(Listed(name="b", size=1, mtime=datetime(2026, 1, 1)), 0, None)], NOW)  # noqa: DTZ001


def test_seeing_the_same_file_twice_makes_one_arrival(ledger: Ledger) -> None:
    for _ in range(2):
        ledger.sightings.see("f", [(Listed(name="a.csv", size=3, mtime=NOW), 0, None)], NOW)
    assert len(ledger.sightings.named("f", ["a.csv"])) == 1


def test_one_of_two_runs_gets_the_claim_until_the_lease_ends(ledger: Ledger) -> None:
    ready(ledger)
    first = claimed(ledger, "r1")
    assert claimed(ledger, "r1").token == first.token
    with pytest.raises(ClaimLost, match="run r1 holds this file"):
        claimed(ledger, "r2")
    second = claimed(ledger, "r2", NOW + LEASE + timedelta(seconds=1))
    assert second.token == first.token + 1


def test_late_run_can_change_nothing_after_it_was_overtaken(ledger: Ledger) -> None:
    ready(ledger)
    late = claimed(ledger, "r1")
    claimed(ledger, "r2", NOW + LEASE + timedelta(seconds=1))
    landed = Landed(sha256=SHA, size=3)
    acts: list[Callable[[], object]] = [
        lambda: ledger.arrivals.renew(late, until=NOW),
        lambda: ledger.arrivals.release(late),
        lambda: ledger.arrivals.moved(late, "x"),
        lambda: ledger.arrivals.landed(late, landed, NOW),
        lambda: ledger.arrivals.end(late, ArrivalState.DONE),
        lambda: ledger.arrivals.try_later(late, error="x", retry_at=NOW),
        lambda: ledger.decisions.freeze(late, SHA, "erp", [draft("s")], NOW),
        lambda: ledger.postings.sending(late, SHA, [], NOW),
        lambda: ledger.postings.answered(late, SHA, [], NOW, "erp", lambda health: health),
        lambda: ledger.outcomes.conclude(late, ArrivalState.DONE, Counts(), {}, NOW),
    ]
    for act in acts:
        with pytest.raises(ClaimLost, match="another run has taken this file over"):
            act()
    assert ledger.decisions.decided("f", ["s"]) == {}
    assert ledger.arrivals.of("f", "a~1").state is ArrivalState.CLAIMED


def test_claim_of_what_is_gone_or_unknown(ledger: Ledger) -> None:
    arrival_id = ready(ledger)
    ledger.sightings.vanish([arrival_id])
    with pytest.raises(FileVanished):
        claimed(ledger)
    with pytest.raises(FileVanished):
        ledger.arrivals.claim("f", "nothing", owner="r", now=NOW, lease=LEASE)


def test_claimed_file_does_not_vanish(ledger: Ledger) -> None:
    arrival_id = ready(ledger)
    claimed(ledger)
    ledger.sightings.vanish([arrival_id])
    assert ledger.arrivals.of("f", "a~1").state is ArrivalState.CLAIMED


def test_due_is_what_no_run_holds_and_no_wait_stops(ledger: Ledger) -> None:
    arrival_id = ready(ledger)
    assert [a.id for a in due(ledger, NOW)] == [arrival_id]
    ledger.arrivals.requested([arrival_id], again_at=NOW + timedelta(minutes=1))
    assert due(ledger, NOW) == []
    later = NOW + timedelta(minutes=2)
    assert [a.requests for a in due(ledger, later)] == [1]
    claim = claimed(ledger, now=later)
    assert due(ledger, later) == []
    ledger.arrivals.try_later(claim, error="down", retry_at=later + timedelta(seconds=30))
    assert due(ledger, later) == []
    assert len(due(ledger, later + timedelta(seconds=31))) == 1
    ledger.arrivals.end(claim, ArrivalState.DONE)
    assert due(ledger, later + timedelta(days=1)) == []


def test_bytes_that_came_before_are_known_by_their_first_arrival(ledger: Ledger) -> None:
    first = ready(ledger)
    for _ in range(2):
        ledger.arrivals.landed(claimed(ledger), Landed(sha256=SHA, size=3), NOW)
    ready(ledger, "b.csv", "b~1")
    _, other = ledger.arrivals.claim("f", "b~1", owner="r2", now=NOW, lease=LEASE)
    ledger.arrivals.landed(other, Landed(sha256=SHA, size=3), NOW)
    assert ledger.arrivals.bringer("f", SHA).id == first


def test_of_two_feeds_one_is_first_whatever_the_clocks_say(ledger: Ledger) -> None:
    """The other's machine is an hour behind; and who was refused is first no more, also when it comes again."""

    def lands(feed: str, at: datetime) -> Claim:
        ledger.sightings.see(feed, [(Listed(name="a.csv", size=3, mtime=NOW), 0, None)], NOW)
        (arrival,) = ledger.sightings.named(feed, ["a.csv"])
        ledger.sightings.ready([(arrival.id, "a~1")])
        _, claim = ledger.arrivals.claim(feed, "a~1", owner=feed, now=NOW, lease=LEASE)
        ledger.arrivals.landed(claim, Landed(sha256=SHA, size=3), at)
        return claim

    def first() -> str | None:
        found = ledger.arrivals.first_bringer(SHA)
        return None if found is None else found.feed

    assert first() is None
    claim = lands("f", NOW)
    lands("g", NOW - timedelta(hours=1))
    assert first() == "f"
    ledger.arrivals.end(claim, ArrivalState.FAILED)
    assert first() == "g"
    ledger.arrivals.landed(claim, Landed(sha256=SHA, size=3), NOW - timedelta(hours=2))
    assert first() == "g"


def test_of_feeds_that_bring_one_file_at_once_one_is_first(ledger: Ledger) -> None:
    """Each with a connection and a clock of its own, as several machines have; each asks as soon as it has landed."""
    feeds, files = ["a", "b", "c"], [f"{number:064x}" for number in range(12)]
    url = ledger.database.url.render_as_string(hide_password=False)
    ledger.sightings.unended("a")
    together, first = threading.Barrier(len(feeds), timeout=60), dict[str, list[str]]()

    def bring(feed: str, clock: datetime) -> None:
        own = Ledger(url)
        listed = [Listed(name=one, size=3, mtime=NOW) for one in files]
        own.sightings.see(feed, [(one, 0, None) for one in listed], NOW)
        own.sightings.ready([(arrival.id, arrival.name) for arrival in own.sightings.unended(feed)])
        for one in files:
            claim = own.arrivals.claim(feed, one, owner=feed, now=NOW, lease=LEASE)[1]
            together.wait()
            own.arrivals.landed(claim, Landed(sha256=one, size=3), clock)
            found = own.arrivals.first_bringer(one)
            first.setdefault(one, []).extend([feed] if found is not None and found.feed == feed else [])
        own.close()

    some = [threading.Thread(target=bring, args=(feed, NOW - timedelta(hours=n))) for n, feed in enumerate(feeds)]
    for thread in some:
        thread.start()
    for thread in some:
        thread.join()
    assert [len(first[one]) for one in files] == [1] * len(files)


def test_subject_is_decided_once_and_its_posting_never_changes(ledger: Ledger) -> None:
    ready(ledger)
    claim = claimed(ledger)
    assert ledger.decisions.freeze(claim, SHA, "erp", [draft("s", 0, "first"), draft("s", 1, "second")], NOW) == 1
    assert ledger.decisions.freeze(claim, SHA, "erp", [draft("s", 0, "other"), draft("t")], NOW) == 1
    unsent = ledger.postings.unsent("f", SHA, [PostingKind.ROW], after=0, limit=10)
    assert [p.body for p in unsent] == ["first", "second", "{}"]
    assert [p.key for p in unsent] == [posting_key("f", "s", 0), posting_key("f", "s", 1), posting_key("f", "t", 0)]
    assert ledger.decisions.decided("f", ["s", "u"]).keys() == {"s"}


def test_key_is_a_promise_for_ever() -> None:
    assert posting_key("orders", "a" * 64, 0) == "ip-774f1eb0f485f8d5c68492b740c069cf9636921b2ad43288"


def test_postings_are_counted_by_their_subjects(ledger: Ledger) -> None:
    ready(ledger)
    claim = claimed(ledger)
    ledger.decisions.freeze(claim, SHA, "erp", [draft("s", 0), draft("s", 1), draft("t"), draft("u")], NOW)
    waiting = ledger.postings.unsent("f", SHA, [PostingKind.ROW], after=0, limit=10)
    ledger.postings.sending(claim, SHA, waiting, NOW)
    done, rejected = PostingState.DONE, PostingState.REJECTED
    answers = [
        Answer(posting_id=p.id, key=p.key, state=s, status=200, receipt="r")
        for p, s in zip(waiting, [done, done, rejected, PostingState.UNKNOWN], strict=True)
    ]
    ledger.postings.answered(claim, SHA, answers, NOW, "erp", lambda health: health)
    assert ledger.postings.subjects("f", SHA) == {
        (PostingKind.ROW, PostingState.DONE): 1,
        (PostingKind.ROW, PostingState.REJECTED): 1,
        (PostingKind.ROW, PostingState.READY): 1,
    }
    assert [p.state for p in ledger.postings.unsent("f", SHA, [PostingKind.ROW], after=0, limit=9)] == ["unknown"]
    assert ledger.postings.unsent("f", SHA, [PostingKind.ROW], after=waiting[-1].id, limit=9) == []


def test_outcome_is_replaced_by_a_later_run_and_sums_are_exact(ledger: Ledger) -> None:
    ready(ledger)
    claim = claimed(ledger)
    huge = Decimal("9999999999999999.99")
    ledger.outcomes.conclude(claim, ArrivalState.DONE, Counts(rows=1, accepted=1), {"SEK": huge}, NOW)
    ledger.outcomes.conclude(claim, ArrivalState.DONE, Counts(rows=2), {"SEK": huge, "EUR": Decimal(0)}, NOW + LEASE)
    (outcome,) = ledger.outcomes.all()
    assert outcome.counts.rows == 2
    assert outcome.sums == {"SEK": huge, "EUR": Decimal(0)}
    assert outcome.finished_at == NOW
    assert ledger.outcomes.all("other") == []


def test_alert_waits_until_all_have_it_and_is_raised_once(ledger: Ledger) -> None:
    one = Alert(key="k", text="text", facts={"feed": "f"})
    waiting = Undelivered(alert=one, delivered=frozenset())
    assert ledger.alerts.undelivered(one, NOW) == waiting
    assert ledger.alerts.undelivered(replace(one, text="other"), NOW + LEASE) == waiting
    ledger.alerts.delivered("k", "webhook", NOW)
    ledger.alerts.delivered("k", "webhook", NOW)
    assert ledger.alerts.waiting() == [replace(waiting, delivered=frozenset({"webhook"}))]
    ledger.alerts.sent("k", NOW)
    assert ledger.alerts.undelivered(one, NOW) is None
    assert ledger.alerts.waiting() == []
    assert ledger.alerts.newest(9) == [(one, NOW, NOW)]


def test_large_files_are_frozen_whole_in_several_transactions(ledger: Ledger) -> None:
    ready(ledger)
    claim = claimed(ledger)
    drafts = [
        Draft(subject=f"s{n}", part=0, kind=PostingKind.ROW, row_number=n, path="/orders", body="{}")
        for n in range(1, 9_002)
    ]
    assert ledger.decisions.freeze(claim, SHA, "erp", drafts[:5_000], NOW) == 5_000
    assert ledger.decisions.freeze(claim, SHA, "erp", drafts, NOW) == 4_001
    assert ledger.postings.subjects("f", SHA) == {(PostingKind.ROW, PostingState.READY): 9_001}


def test_statements_of_other_files_are_found_by_account(ledger: Ledger) -> None:
    ready(ledger)
    claim = claimed(ledger)
    ledger.arrivals.landed(claim, Landed(sha256=SHA, size=3), NOW)
    one = Statement(
        number=1,
        form="mt940",
        account="A",
        currency="EUR",
        identification="S1",
        booking_date=date(2026, 11, 20),
        payments=2,
        net=Decimal("1.10"),
        opening=Decimal("5.00"),
        sequence="7/1",
    )
    for _ in range(2):
        ledger.statements.keep(claim, SHA, [one, replace(one, number=2, account="B")])
    assert ledger.statements.around("f", "cd" * 32, [one]) == [Filed(file="a.csv", statement=one)]
    assert ledger.statements.around("f", SHA, [one]) == []
    assert ledger.statements.around("f", "cd" * 32, [replace(one, booking_date=date(2029, 1, 1))]) == []
    for other in (replace(one, currency="SEK"), replace(one, form="mt942"), replace(one, account=None)):
        assert ledger.statements.around("f", "cd" * 32, [other]) == []


def test_entry_is_decided_as_a_whole_or_by_its_details(ledger: Ledger) -> None:
    ready(ledger)
    claim = claimed(ledger)
    details = [replace(draft(s), entry="E") for s in "abc"]
    assert ledger.decisions.freeze(claim, SHA, "erp", details[:2], NOW) == 2
    assert ledger.decisions.freeze(claim, SHA, "erp", details, NOW) == 1
    lump = replace(draft("x"), entry="E", lump=True)
    assert ledger.decisions.freeze(claim, "cd" * 32, "erp", [lump, draft("y")], NOW) == 1
    assert ledger.decisions.freeze(claim, "cd" * 32, "erp", [lump], NOW) == 0
    assert ledger.decisions.entries("f", ["E", "F"]) == {"E": False}
    assert ledger.decisions.decided("f", ["x"])["x"].sha256 == SHA
