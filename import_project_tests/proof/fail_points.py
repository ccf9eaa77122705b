"""Named places at which a process under test dies, as in a power cut: around every call into the ledger, the stores, a
source or the API, and before a file gets its name. They exist only here; the package knows nothing of them.

A name is `PART.METHOD:before`, `PART.METHOD:after`, `source.open:chunk` or `landing.settle` (the bytes are synced, and the
file has not its name yet); `NAME#3` means the third time.
"""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self


class Fuse:
    """Counts calls, and at the n-th, or at a named place, kills the process, or stops it until somebody wakes it."""

    def __init__(self, calls: int, place: str = "", passed: Path | None = None) -> None:
        self.left = calls
        self._place, _, nth = place.partition("#")
        self._nth, self._seen, self._passed = int(nth or 1), Counter[str](), passed

    def burn(self, place: str) -> None:
        """Pass a place, or die there."""
        self._seen[place] += 1
        if self._passed is not None:
            with self._passed.open("a", encoding="utf-8") as out:
                out.write(f"{place}\n")
        self.left -= 1
        if self.left == -1 or (place == self._place and self._seen[place] == self._nth):
            os.kill(os.getpid(), getattr(signal, os.environ.get("FUSE", "SIGKILL")))

    def watch_settling(self, folders: dict[str, Path]) -> None:
        """Count a file that is about to get its name in one of these folders as a place. For the life of the process."""

        def audit(event: str, arguments: tuple[Any, ...]) -> None:
            if event == "os.rename" and os.fspath(arguments[0]).endswith(".part"):
                for name, folder in folders.items():
                    if Path(arguments[1]).is_relative_to(folder):
                        self.burn(f"{name}.settle")

        sys.addaudithook(audit)


class Fused:
    """One of our own interfaces with a fuse before and after every call; everything else is the real part's."""

    def __init__(self, part: Any, fuse: Fuse, name: str, inner: tuple[str, ...] = ()) -> None:
        self._part, self._fuse, self._name, self._inner = part, fuse, name, inner

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._part, name)
        if name in self._inner:
            return Fused(value, self._fuse, name)
        if not callable(value) or name.startswith("_") or name in {"close", "renew", "concurrency", "path"}:
            return value
        place = f"{self._name}.{name}"
        return self._stream(value, place) if name == "open" else self._call(value, place)

    def _stream(self, method: Any, place: str) -> Any:
        async def streamed(*arguments: Any) -> AsyncIterator[bytes]:
            self._fuse.burn(f"{place}:before")
            async for chunk in method(*arguments):
                yield chunk
                self._fuse.burn(f"{place}:chunk")

        return streamed

    def _call(self, method: Any, place: str) -> Any:
        if not asyncio.iscoroutinefunction(method):

            def called(*arguments: Any, **named: Any) -> Any:
                self._fuse.burn(f"{place}:before")
                result = method(*arguments, **named)
                self._fuse.burn(f"{place}:after")
                return result

            return called

        async def awaited(*arguments: Any, **named: Any) -> Any:
            self._fuse.burn(f"{place}:before")
            result = await method(*arguments, **named)
            self._fuse.burn(f"{place}:after")
            return result

        return awaited

    async def __aenter__(self) -> Self:
        await self._part.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._part.__aexit__(*error)


def around(*calls: str) -> list[str]:
    """The places before and after each of these calls."""
    places = []
    for call in calls:
        name, mark, nth = call.partition("#")
        places += [f"{name}:before{mark}{nth}", f"{name}:after{mark}{nth}"]
    return places
