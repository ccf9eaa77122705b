"""Which files share a run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from import_project.pipeline.bursts import FEW, SMALL, bursts
from import_project.pipeline.see import Request


def request(number: int, *, size: int = 100, more: bool = False) -> Request:
    return Request(partition=f"p{number}", key=f"p{number}#1", name=f"{number}.csv", size=size, more=more)


def sizes(groups: list[tuple[Request, ...]]) -> list[int]:
    return [len(together) for together in groups]


@pytest.mark.parametrize(
    ("waiting", "most", "runs"), [(FEW, 20, [1] * FEW), (9, 20, [3, 3, 3]), (45, 20, [15, 15, 15])]
)
def test_few_files_have_a_run_each_and_many_share(waiting: int, most: int, runs: list[int]) -> None:
    assert sizes(bursts([request(n) for n in range(waiting)], most)) == runs


def test_one_file_a_run_where_the_feed_wants_it_so() -> None:
    assert sizes(bursts([request(n) for n in range(30)], 1)) == [1] * 30


def test_large_files_urgent_ones_and_those_that_failed_have_a_run_of_their_own() -> None:
    waiting = [request(n) for n in range(20)]
    waiting[3], waiting[7] = request(3, size=SMALL + 1), request(7, more=True)
    alone = [together[0].partition for together in bursts(waiting, 20, urgent=["p11"]) if len(together) == 1]
    assert alone == ["p3", "p7", "p11"]


@given(
    st.lists(st.tuples(st.integers(0, 2 * SMALL), st.booleans(), st.booleans()), max_size=80),
    st.integers(1, 30),
)
def test_every_file_has_one_run_and_those_that_share_keep_their_order(
    files: list[tuple[int, bool, bool]], most: int
) -> None:
    waiting = [request(n, size=size, more=more) for n, (size, more, _) in enumerate(files)]
    urgent = [f"p{n}" for n, (_, _, yes) in enumerate(files) if yes]
    groups = bursts(waiting, most, urgent=urgent)
    assert sorted(r.partition for together in groups for r in together) == sorted(r.partition for r in waiting)
    assert all(1 <= len(together) <= most for together in groups)
    place = {r.partition: n for n, r in enumerate(waiting)}
    firsts = [place[together[0].partition] for together in groups]
    assert firsts == sorted(firsts)
    for together in groups:
        assert [place[r.partition] for r in together] == sorted(place[r.partition] for r in together)
