"""What a listing means: a table of cases, and a simulated inbox that must never lose or double a file."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from import_project.pipeline.compare import Sightings, Steady, compare, partition_key
from import_project.records.files import ENDED, Arrival, ArrivalState, Listed

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
OLD = NOW - timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def listed(name: str = "a.csv", size: int = 5, mtime: datetime = OLD) -> Listed:
    return Listed(name=name, size=size, mtime=mtime)


def arrival(state: ArrivalState, file: Listed | None = None, number: int = 1, **over: object) -> Arrival:
    file = file or listed()
    made = Arrival(
        id=number,
        feed="f",
        name=file.name,
        size=file.size,
        mtime=file.mtime,
        state=state,
        looks=1,
        occurrence=0,
        partition=None,
        sha256=None,
        token=0,
        owner=None,
        lease_until=None,
        requests=0,
        retry_at=None,
        claimed_as=None,
        set_aside_to=None,
        set_aside_at=None,
        error=None,
        first_seen_at=OLD,
    )
    return replace(made, **over)  # type: ignore[arg-type]


def look(files: list[Listed], known: list[Arrival], **steady: Any) -> Sightings:
    return compare(files, known, Steady(**{"looks": 2, **steady}), NOW)


def test_new_file_is_seen_and_not_ready() -> None:
    found = look([listed()], [])
    assert found.new == ((listed(), 0, None),)
    assert found.ready == ()


def test_one_look_is_enough_when_the_feed_says_so() -> None:
    assert look([listed()], [], looks=1).new == ((listed(), 0, partition_key(listed(), NOW)),)
    assert look([listed()], [], looks=1, min_age=MINUTE).new == ((listed(), 0, None),)


def test_stable_file_is_ready_at_the_second_look() -> None:
    found = look([listed()], [arrival(ArrivalState.SEEN)])
    assert found.new == ()
    assert found.ready == ((1, partition_key(listed(), OLD)),)


def test_more_looks_and_a_minimum_age() -> None:
    assert look([listed()], [arrival(ArrivalState.SEEN)], looks=3).ready == ()
    assert len(look([listed()], [arrival(ArrivalState.SEEN, looks=2)], looks=3).ready) == 1
    young = arrival(ArrivalState.SEEN, first_seen_at=NOW - MINUTE / 2)
    assert look([listed()], [young], min_age=MINUTE).ready == ()
    assert len(look([listed()], [young], min_age=MINUTE / 2).ready) == 1


@pytest.mark.parametrize("now", [listed(size=6), listed(mtime=OLD + timedelta(seconds=1))])
def test_growing_file_starts_anew(now: Listed) -> None:
    found = look([now], [arrival(ArrivalState.SEEN)])
    assert found.new == ((now, 0, None),)
    assert found.vanished == (1,)


@pytest.mark.parametrize("hours", [-24 * 400, 3, 24 * 400])
def test_age_is_by_our_clock_whatever_the_servers_says(hours: int) -> None:
    file = listed(mtime=NOW + timedelta(hours=hours))
    assert look([file], [arrival(ArrivalState.SEEN, file, first_seen_at=NOW)], min_age=MINUTE).ready == ()
    assert len(look([file], [arrival(ArrivalState.SEEN, file)], min_age=MINUTE).ready) == 1


def test_looks_of_two_daemons_at_once_count_as_one() -> None:
    seen = arrival(ArrivalState.SEEN, looked_at=NOW - MINUTE / 10)
    found = look([listed()], [seen], apart=MINUTE / 2)
    assert (found.same, found.ready, found.waiting) == ((), (), 1)
    assert len(look([listed()], [replace(seen, looked_at=NOW - MINUTE)], apart=MINUTE / 2).ready) == 1


def test_file_that_is_not_finished_is_looked_at_and_waits() -> None:
    found = look([listed()], [arrival(ArrivalState.SEEN)], finished=lambda name: name != "a.csv")
    assert (found.same, found.ready, found.waiting) == ((1,), (), 1)
    assert look([listed()], [], looks=1, finished=lambda _: False).new == ((listed(), 0, None),)


def test_new_version_of_the_same_size_and_mtime_is_new_bytes() -> None:
    before = listed()._replace(version='"1"')
    found = look([listed()._replace(version='"2"')], [arrival(ArrivalState.SEEN, before, version='"1"')])
    assert found.vanished == (1,)
    assert found.new[0][1] == 1


def test_occurrence_is_never_one_that_was_used() -> None:
    known = [arrival(ArrivalState.DONE, occurrence=4)]
    assert look([listed()], known).new == ((listed(), 5, None),)


@pytest.mark.parametrize("state", [ArrivalState.SEEN, ArrivalState.READY])
def test_file_is_gone_when_two_listings_do_not_show_it(state: ArrivalState) -> None:
    assert look([], [arrival(state)]) == Sightings(missing=(1,))
    assert look([], [arrival(state, missing=1)]) == Sightings(vanished=(1,))


@pytest.mark.parametrize("state", [ArrivalState.SEEN, ArrivalState.READY])
def test_listing_that_shows_nothing_by_mistake_ends_nothing(state: ArrivalState) -> None:
    found = look([listed()], [arrival(state, missing=1)])
    assert (found.new, found.vanished, found.same) == ((), (), (1,))


@pytest.mark.parametrize("state", [s for s in ArrivalState if s not in {ArrivalState.SEEN, ArrivalState.READY}])
def test_file_that_a_run_has_taken_does_not_vanish(state: ArrivalState) -> None:
    assert look([], [arrival(state)]) == Sightings()


@pytest.mark.parametrize("state", [ArrivalState.READY, ArrivalState.CLAIMED])
def test_file_that_waits_for_its_run_is_left_alone(state: ArrivalState) -> None:
    assert look([listed()], [arrival(state)]) == Sightings()


@pytest.mark.parametrize("state", [ArrivalState.LANDED, *sorted(ENDED)])
def test_same_name_size_and_mtime_after_the_first_was_moved_is_another_arrival(state: ArrivalState) -> None:
    found = look([listed()], [arrival(state)])
    assert found.new == ((listed(), 1, None),)
    assert partition_key(listed(), NOW) != partition_key(listed(), OLD)


@pytest.mark.parametrize("state", [s for s in ArrivalState if s not in {ArrivalState.SEEN, ArrivalState.VANISHED}])
def test_where_files_stay_the_same_facts_are_the_same_file(state: ArrivalState) -> None:
    assert look([listed()], [arrival(state)], stays=True) == Sightings()
    assert look([listed(size=6)], [arrival(state)], stays=True).new == ((listed(size=6), 0, None),)


def test_only_the_newest_namesake_counts() -> None:
    known = [arrival(ArrivalState.DONE), arrival(ArrivalState.SEEN, number=2, occurrence=1)]
    found = look([listed()], known)
    assert found.ready == ((2, partition_key(listed(), OLD)),)


def test_partition_keys_are_safe_and_bounded() -> None:
    key = partition_key(listed(name="ä b|c,d..." + "x" * 300), NOW)
    assert len(key) <= 111
    assert set(key) & set("|, ") == set()
    assert key.isascii()
