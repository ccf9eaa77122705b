"""Which of some amounts add up to a sum: exact, bounded, and with the proof that there is one answer only.

The work is bounded in steps, not in seconds: a clock would make two runs decide differently.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

#: Steps of one search: some tenths of a second.
MOST_STEPS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The subsets found, as places in order, at most two of them; `whole` says that all were looked at."""

    subsets: tuple[tuple[int, ...], ...]
    whole: bool

    @property
    def only(self) -> tuple[int, ...] | None:
        """The answer, when it is proved that there is one and no other."""
        return self.subsets[0] if self.whole and len(self.subsets) == 1 else None


def subsets(
    amounts: Sequence[int],
    total: int,
    *,
    least: int = 1,
    most: int | None = None,
    must: Sequence[int] = (),
    steps: int = MOST_STEPS,
) -> Found:
    """Find the sets of `least` to `most` places whose amounts give `total`; those in `must` are in each.

    Amounts are minor units, of any sign. Half of the places are combined with the other half (Horowitz and Sahni 1974),
    so that 2^(n/2) sets are made instead of 2^n.
    """
    free = [i for i in range(len(amounts)) if i not in set(must)]
    fixed = tuple(sorted(must))
    rest = total - sum(amounts[i] for i in fixed)
    most = len(amounts) if most is None else most
    half = len(free) // 2
    taken = 0
    by_sum: defaultdict[int, list[tuple[int, ...]]] = defaultdict(list)
    for some in _sets(free[:half], most - len(fixed)):
        taken += 1
        if taken > steps:
            return Found(subsets=(), whole=False)
        by_sum[sum(amounts[i] for i in some)].append(some)
    found: list[tuple[int, ...]] = []
    for some in _sets(free[half:], most - len(fixed)):
        for other in by_sum.get(rest - sum(amounts[i] for i in some), ()):
            taken += 1
            if least <= len(fixed) + len(some) + len(other) <= most:
                found.append(tuple(sorted((*fixed, *other, *some))))
                if len(found) == 2:
                    return Found(subsets=tuple(sorted(found)), whole=True)
            if taken > steps:
                return Found(subsets=tuple(found), whole=False)
        taken += 1
        if taken > steps:
            return Found(subsets=tuple(found), whole=False)
    return Found(subsets=tuple(found), whole=True)


def _sets(places: Sequence[int], most: int) -> Iterator[tuple[int, ...]]:
    """All sets of up to `most` places, smaller ones first."""
    for size in range(min(len(places), max(most, 0)) + 1):
        yield from combinations(places, size)
