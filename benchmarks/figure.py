"""One figure of a benchmark: ours against a peer's, measured in turns in the same process."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`ours` and `peer` in the unit that `what` names; more is better. `goal` in words; None: nobody set one."""

    what: str
    ours: float
    peer: float
    peer_name: str
    goal: str
    met: bool | None

    @property
    def ratio(self) -> float:
        return self.ours / self.peer

    def as_json(self) -> dict[str, object]:
        return {**asdict(self), "ratio": round(self.ratio, 3)}


def rates(count: int, *works: Callable[[], object], rounds: int = 5) -> list[float]:
    """Run the works in turns, and return the median number of items a second for each."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, times in zip(works, taken, strict=True):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
    return [count / median(times) for times in taken]
