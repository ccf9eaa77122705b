"""Which of the files that are due share a run: many small ones that wait at once. Pure."""

from collections.abc import Iterable, Sequence
from math import ceil

from import_project.pipeline.see import Request

#: So few files have a run each, however small they are: that is what people look for in Dagster.
FEW = 8
#: A file of more bytes has a run of its own.
SMALL = 1 << 20
#: Files are spread over so many runs at least, which work side by side.
_SIDE_BY_SIDE = 3


def bursts(requests: Sequence[Request], most: int, *, urgent: Iterable[str] = ()) -> list[tuple[Request, ...]]:
    """Return the requests in their order, those that share a run together; at most `most` in one.

    A file has a run of its own when few wait, when it is large, when it is wanted once more (its failure may need
    patience), and when its partition is in `urgent`.
    """
    alone = set(urgent)
    shared = [r for r in requests if r.size <= SMALL and not r.more and r.partition not in alone]
    if most == 1 or len(shared) <= FEW:
        return [(r,) for r in requests]
    size = min(most, ceil(len(shared) / _SIDE_BY_SIDE))
    groups = {shared[i].partition: tuple(shared[i : i + size]) for i in range(0, len(shared), size)}
    together = {r.partition for r in shared}
    return [groups.get(r.partition, (r,)) for r in requests if r.partition in groups or r.partition not in together]
