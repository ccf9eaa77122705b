"""Small pure rules of the inbox: where files lie, what comes again, and strays that are adopted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from import_project.config.files import Again, Folders, Pattern
from import_project.pipeline.again import meeting, policy
from import_project.pipeline.places import aside_path, held_path
from import_project.pipeline.strays import Strays, compare_strays
from import_project.records.files import Arrival, ArrivalState, Listed
from import_project.sources.base import Claimed, safe
from import_project_tests.pipeline.test_compare import MINUTE, NOW, OLD, arrival, listed

ANY = Pattern(glob="*")
SEEN_AT = datetime(2026, 12, 31, 23, 30, 0, 5000, tzinfo=UTC)
PATH = ".processing/0123456789-a.csv"


def test_folders_are_dated_in_the_patterns_zone() -> None:
    swedish = Pattern(glob="*", timezone="Europe/Stockholm")
    place, taken = aside_path(Folders(), swedish, "a.csv", failed=False, seen_at=SEEN_AT)
    assert place == ".archive/2027/01/01/a.csv"
    assert taken == f".archive/2027/01/01/a.csv.dup-{int(SEEN_AT.timestamp() * 1000)}"
    assert aside_path(Folders(), ANY, "a.csv", failed=True, seen_at=SEEN_AT)[0] == ".failed/a.csv"
    absolute = Folders(archive="/mnt/archive/{YYYY-MM-DD}")
    assert aside_path(absolute, ANY, "a.csv", failed=False, seen_at=SEEN_AT)[0] == "/mnt/archive/2026-12-31/a.csv"


@given(st.text(min_size=1, max_size=255).filter(safe))
def test_no_name_gets_too_long_where_it_is_held_or_set_aside(name: str) -> None:
    held = held_path(Folders(), "x~0123456789", name).removeprefix(".processing/")
    _, taken = aside_path(Folders(), ANY, name, failed=False, seen_at=SEEN_AT)
    for made in (held, taken.rsplit("/", 1)[1]):
        assert len(made.encode()) <= 255
    assert held.startswith("0123456789-")


def met(bringer: Arrival, *namesakes: Arrival) -> str:
    return meeting(arrival(ArrivalState.CLAIMED, number=9), bringer, namesakes, "new")


def test_what_a_file_is_to_those_before_it() -> None:
    mine = arrival(ArrivalState.CLAIMED, number=9)
    assert met(mine) == "new"
    assert met(mine, arrival(ArrivalState.DONE, sha256="new")) == "new"
    assert met(arrival(ArrivalState.DONE)) == "same_file"
    assert met(arrival(ArrivalState.DONE, listed("b.csv"))) == "new_name_same_bytes"
    assert met(mine, arrival(ArrivalState.DONE, listed(size=6), sha256="old")) == "same_name_new_bytes"
    assert met(mine, arrival(ArrivalState.DONE, sha256="old")) == "same_facts_new_bytes"


def test_policies() -> None:
    again = Again(same_name_new_bytes="skip", new_name_same_bytes="quarantine", same_facts_new_bytes="process")
    assert policy(again, "new") == "process"
    assert policy(again, "same_file") == "skip"
    assert policy(again, "same_name_new_bytes") == "skip"
    assert policy(again, "new_name_same_bytes") == "quarantine"
    assert policy(again, "same_facts_new_bytes") == "process"


def strays(found: list[Listed], *known: Arrival, owned: tuple[str, ...] = (), **over: Any) -> Strays:
    claimed = [Claimed(held_as=f".processing/{f.name}", file=f) for f in found]
    given = {"wanted": lambda name: name.endswith(".csv"), "after": MINUTE, "now": NOW, **over}
    return compare_strays(claimed, known, owned=owned, **given)


def stray(**over: Any) -> Arrival:
    return arrival(ArrivalState.SEEN, claimed_as=PATH, **over)


HELD = listed("0123456789-a.csv")


def test_stray_is_seen_under_the_name_it_had() -> None:
    assert strays([HELD]) == Strays(new=((listed(), PATH),))
    by_hand = listed("c.csv")
    assert strays([by_hand]) == Strays(new=((by_hand, ".processing/c.csv"),))


def test_what_is_ours_or_another_feeds_is_no_stray() -> None:
    assert strays([HELD], owned=(PATH,)) == Strays()
    assert strays([listed("0123456789-a.txt")]) == Strays()


def test_stray_is_adopted_after_a_while() -> None:
    assert strays([HELD], stray(first_seen_at=NOW)) == Strays()
    ((arrival_id, partition),) = strays([HELD], stray()).adopt
    assert (arrival_id, partition.startswith("a.csv~")) == (1, True)


@pytest.mark.parametrize("found", [[], [HELD._replace(size=6)]])
def test_stray_that_went_or_grows_starts_anew(found: list[Listed]) -> None:
    assert strays(found, stray()).gone == (1,)
    assert len(strays(found, stray()).new) == len(found)
    assert strays(found, stray()).adopt == ()


def test_age_of_a_stray_is_by_our_clock() -> None:
    old = HELD._replace(mtime=OLD - timedelta(days=900))
    assert strays([old], replace(stray(first_seen_at=NOW), mtime=old.mtime)) == Strays()
