"""The search for sums, held against trying all sets."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from import_project.matching.subsets import subsets

AMOUNTS = st.lists(st.integers(-30, 60), max_size=9)


@given(AMOUNTS, st.integers(-50, 150), st.integers(1, 3), st.integers(1, 9), st.sets(st.integers(0, 8), max_size=2))
def test_answers_are_those_of_trying_all(amounts: list[int], total: int, least: int, most: int, must: set[int]) -> None:
    fixed = sorted(i for i in must if i < len(amounts))
    places = range(len(amounts))
    all_sets = [s for n in range(least, min(most, len(amounts)) + 1) for s in combinations(places, n)]
    right = [s for s in all_sets if set(fixed) <= set(s) and sum(amounts[i] for i in s) == total]
    found = subsets(amounts, total, least=least, most=most, must=fixed)
    assert found.whole
    assert len(found.subsets) == min(len(right), 2)
    assert set(found.subsets) <= set(right)
    assert found.only == (right[0] if len(right) == 1 else None)


def test_search_that_is_cut_short_proves_nothing() -> None:
    amounts = [2**n for n in range(40)]
    found = subsets(amounts, 3, steps=1_000)
    assert not found.whole
    assert found.only is None


def test_twenty_invoices_are_searched_whole() -> None:
    amounts = [101 * 2**n for n in range(20)]
    assert subsets(amounts, 101 * (1 + 4 + 2**19)).only == (0, 2, 19)
