"""A process that polls and runs everything of one feed, and kills itself before its n-th call into a store or source.

`python -m import_project_tests.pipeline.kill_child FEED N`; exits with 0 when it came to the end alive.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, Self

from import_project.config.load import load_feeds
from import_project.config.settings import Settings
from import_project.pipeline.see import see
from import_project.pipeline.steps import run_file
from import_project.pipeline.wiring import build_parts
from import_project_tests.installation import Clock


class Fuse:
    """Counts calls, and at the n-th kills the process like a power cut, or stops it until somebody wakes it."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def burn(self) -> None:
        self.left -= 1
        if self.left == -1:
            os.kill(os.getpid(), getattr(signal, os.environ.get("FUSE", "SIGKILL")))


class Fused:
    """Our own interfaces with a fuse before and after every call; everything else is the real part's."""

    def __init__(self, part: Any, fuse: Fuse, inner: tuple[str, ...] = ()) -> None:
        self._part, self._fuse, self._inner = part, fuse, inner

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._part, name)
        if name in self._inner:
            return Fused(value, self._fuse)
        if not callable(value) or name.startswith("_") or name in {"close", "renew", "concurrency", "path"}:
            return value
        return self._stream(value) if name == "open" else self._call(value)

    def _stream(self, method: Any) -> Any:
        async def streamed(*arguments: Any) -> AsyncIterator[bytes]:
            self._fuse.burn()
            async for chunk in method(*arguments):
                yield chunk
                self._fuse.burn()

        return streamed

    def _call(self, method: Any) -> Any:
        if not asyncio.iscoroutinefunction(method):

            def called(*arguments: Any, **named: Any) -> Any:
                self._fuse.burn()
                result = method(*arguments, **named)
                self._fuse.burn()
                return result

            return called

        async def awaited(*arguments: Any, **named: Any) -> Any:
            self._fuse.burn()
            result = await method(*arguments, **named)
            self._fuse.burn()
            return result

        return awaited

    async def __aenter__(self) -> Self:
        await self._part.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._part.__aexit__(*error)


def main(feed: str, calls: int) -> None:
    settings = Settings.read(os.environ)
    feeds, _ = load_feeds(settings.feeds, os.environ)
    loaded = next(f for f in feeds if f.name == feed)
    real = build_parts(settings, os.environ)
    fuse = Fuse(calls)
    real.ledger.sightings.polls()  # migrate first: a kill in it is another test's
    clock = Clock(ahead=timedelta(seconds=float(os.environ["AHEAD"])))
    parts = replace(
        real,
        ledger=Fused(
            real.ledger, fuse, ("arrivals", "sightings", "decisions", "postings", "apis", "outcomes", "alerts")
        ),  # type: ignore[arg-type]
        landing=Fused(real.landing, fuse),  # type: ignore[arg-type]
        tables=Fused(real.tables, fuse),  # type: ignore[arg-type]
        open_source=lambda one: Fused(real.open_source(one), fuse),
        open_api=lambda one: Fused(real.open_api(one), fuse),  # type: ignore[arg-type,return-value]
        lease=timedelta(seconds=30),
        clock=clock,
        sleep=clock.sleep,
    )
    for _ in range(2):
        clock.advance(seconds=loaded.feed.every_seconds)
        for request in asyncio.run(see(parts, loaded)).requests:
            run_file(parts, loaded, request.partition, owner=f"run-{os.getpid()}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
