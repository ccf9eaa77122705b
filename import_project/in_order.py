"""Work done in threads, its results given in the order of the work, with little of it ahead. Nothing of the work."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")

#: More threads than this only hold more memory: what they run (Polars) uses all cores by itself.
_MOST_THREADS = 4


def in_order(work: Callable[[Given], Made], given: Iterable[Given]) -> Iterator[Made]:
    """Yield `work(x)` for each x of `given`, in order, as `map` does.

    One more than there are threads is taken from `given` ahead of what was yielded, never more. An error is raised
    where its result would stand; work that was not begun by then is not done.
    """
    given = iter(given)
    ahead = list(islice(given, 2))
    if len(ahead) < 2:  # a small file has one piece, which no thread would have done by the time it began
        yield from map(work, ahead)
        return
    threads = min(os.cpu_count() or 1, _MOST_THREADS)
    waiting: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="in-order") as pool:
        try:
            for one in chain(_given_away(ahead), given):
                waiting.append(pool.submit(work, one))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _given_away(some: list[Given]) -> Iterator[Given]:
    """Yield all of a list, and keep none of it."""
    while some:
        yield some.pop(0)
