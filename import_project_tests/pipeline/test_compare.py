"""What a listing means: a table of cases, and a simulated inbox that must never lose or double a file."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from import_project.pipeline.compare import Sightings, compare, partition_key
from import_project.records.files import Arrival, ArrivalState, Listed

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
OLD = NOW - timedelta(hours=1)


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


def look(files: list[Listed], known: list[Arrival], looks: int = 2, min_age: float = 0) -> Sightings:
    return compare(files, known, looks=looks, min_age=timedelta(seconds=min_age), now=NOW)


def test_new_file_is_seen_and_not_ready() -> None:
    found = look([listed()], [])
    assert found.new == ((listed(), 0, None),)
    assert found.ready == ()


def test_one_look_is_enough_when_the_feed_says_so() -> None:
    assert look([listed()], [], looks=1).new == ((listed(), 0, partition_key(listed(), NOW)),)
    young = listed(mtime=NOW)
    assert look([young], [], looks=1, min_age=60).new == ((young, 0, None),)


def test_stable_file_is_ready_at_the_second_look() -> None:
    found = look([listed()], [arrival(ArrivalState.SEEN)])
    assert found.new == ()
    assert found.ready == ((1, partition_key(listed(), OLD)),)


def test_more_looks_and_a_minimum_age() -> None:
    assert look([listed()], [arrival(ArrivalState.SEEN)], looks=3).ready == ()
    assert len(look([listed()], [arrival(ArrivalState.SEEN, looks=2)], looks=3).ready) == 1
    young = listed(mtime=NOW - timedelta(seconds=30))
    assert look([young], [arrival(ArrivalState.SEEN, young)], min_age=60).ready == ()


@pytest.mark.parametrize("now", [listed(size=6), listed(mtime=OLD + timedelta(seconds=1))])
def test_growing_file_starts_anew(now: Listed) -> None:
    found = look([now], [arrival(ArrivalState.SEEN)])
    assert found.new == ((now, 0, None),)
    assert found.vanished == (1,)


def test_mtime_in_the_future_is_a_wrong_clock_and_holds_nothing_back() -> None:
    ahead = listed(mtime=NOW + timedelta(days=400))
    for min_age in (0.0, 60.0):
        assert len(look([ahead], [arrival(ArrivalState.SEEN, ahead)], min_age=min_age).ready) == 1


def test_occurrence_is_never_one_that_was_used() -> None:
    known = [arrival(ArrivalState.DONE, occurrence=4)]
    assert look([listed()], known).new == ((listed(), 5, None),)


@pytest.mark.parametrize("state", [ArrivalState.SEEN, ArrivalState.READY])
def test_file_that_is_gone_has_vanished(state: ArrivalState) -> None:
    assert look([], [arrival(state)]).vanished == (1,)


@pytest.mark.parametrize("state", [s for s in ArrivalState if s not in {ArrivalState.SEEN, ArrivalState.READY}])
def test_file_that_a_run_has_taken_does_not_vanish(state: ArrivalState) -> None:
    assert look([], [arrival(state)]).vanished == ()


@pytest.mark.parametrize("state", [ArrivalState.READY, ArrivalState.CLAIMED])
def test_file_that_waits_for_its_run_is_left_alone(state: ArrivalState) -> None:
    assert look([listed()], [arrival(state)]) == Sightings(new=(), same=(), ready=(), vanished=())


@pytest.mark.parametrize(
    "state",
    [ArrivalState.LANDED, ArrivalState.DONE, ArrivalState.FAILED, ArrivalState.DUPLICATE, ArrivalState.VANISHED],
)
def test_same_name_size_and_mtime_after_the_first_was_moved_is_another_arrival(state: ArrivalState) -> None:
    found = look([listed()], [arrival(state)])
    assert found.new == ((listed(), 1, None),)
    assert partition_key(listed(), NOW) != partition_key(listed(), OLD)


def test_only_the_newest_namesake_counts() -> None:
    known = [arrival(ArrivalState.DONE), arrival(ArrivalState.SEEN, number=2, occurrence=1)]
    found = look([listed()], known)
    assert found.ready == ((2, partition_key(listed(), OLD)),)


def test_partition_keys_are_safe_and_bounded() -> None:
    key = partition_key(listed(name="ä b|c,d..." + "x" * 300), NOW)
    assert len(key) <= 111
    assert set(key) & set("|, ") == set()
    assert key.isascii()
