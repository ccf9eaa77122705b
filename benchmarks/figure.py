"""One figure of a benchmark: ours against a peer's, measured in turns in the same run. What is measured is not known
here."""

import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`ours` and `peer` in the unit that `what` names; more is better. `goal` in words; None: nobody set one.

    `best_ratio` is that of the fastest rounds, `cpu_ratio` ours by the peer's CPU time for the same work (less is
    better), `told` the same in plain numbers.
    """

    what: str
    ours: float
    peer: float
    peer_name: str
    goal: str
    met: bool | None
    best_ratio: float | None = None
    cpu_ratio: float | None = None
    told: str = ""

    @property
    def ratio(self) -> float:
        return self.ours / self.peer

    def as_json(self) -> dict[str, object]:
        return {**asdict(self), "ratio": round(self.ratio, 3)}


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds that each round of one work took, by the clock and of CPU (this process and children that ended)."""

    wall: list[float]
    cpu: list[float]

    def __str__(self) -> str:
        return f"{median(self.wall):.3f} s (least {min(self.wall):.3f}), CPU {median(self.cpu):.3f} s"


def turns(*works: Callable[[], object], rounds: int = 5, between: Callable[[], object] = lambda: None) -> list[Taken]:
    """Run the works in turns; `between` tidies up after each, when no clock runs."""
    taken = [Taken([], []) for _ in works]
    for _ in range(rounds):
        for work, times in zip(works, taken, strict=True):
            start, spent = time.perf_counter(), _cpu()
            work()
            times.wall.append(time.perf_counter() - start)
            times.cpu.append(_cpu() - spent)
            between()
    return taken


def compared(
    what: str, count: float, ours: Taken, peer: Taken, *, peer_name: str, at_least: float | None, goal: str
) -> Figure:
    """Hold our rate against the peer's, both for `count` of what is named; medians decide."""
    ratio = median(peer.wall) / median(ours.wall)
    return Figure(
        what=what,
        ours=count / median(ours.wall),
        peer=count / median(peer.wall),
        peer_name=peer_name,
        goal=goal,
        met=None if at_least is None else ratio >= at_least,
        best_ratio=round(min(peer.wall) / min(ours.wall), 3),
        cpu_ratio=round(median(ours.cpu) / median(peer.cpu), 3) if median(peer.cpu) else None,
        told=f"ours {ours}; peer {peer}",
    )


def rates(count: int, *works: Callable[[], object], rounds: int = 5) -> list[float]:
    """Run the works in turns, and return the median number of items a second for each."""
    return [count / median(taken.wall) for taken in turns(*works, rounds=rounds)]


def _cpu() -> float:
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)
