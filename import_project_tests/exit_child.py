"""Asks a server once through the transport of the API's client and ends; reqwest's thread is slow to leave Python, and the
interpreter slow to end."""

import asyncio
import sys
import time
from typing import Any

import httpx

from import_project.posting.transport import fast_transport


class SlowLoop(asyncio.SelectorEventLoop):
    """The thread that brings an answer is held up on its way out."""

    def call_soon_threadsafe(self, *arguments: Any, **named: Any) -> asyncio.Handle:  # type: ignore[override]
        handle = super().call_soon_threadsafe(*arguments, **named)
        time.sleep(0.3)
        return handle


class SlowEnd:
    """Something whose end takes a while, after the interpreter has begun its own."""

    def __del__(self, sleep: Any = time.sleep) -> None:
        sleep(1)


async def _ask(url: str) -> int:
    transport = fast_transport(connections=2, connect_seconds=5, timeout_seconds=5, ca_file=None)
    async with httpx.AsyncClient(transport=transport) as client:
        return (await client.get(url)).status_code


if __name__ == "__main__":
    sys.end = SlowEnd()  # type: ignore[attr-defined]
    with asyncio.Runner(loop_factory=SlowLoop) as runner:
        sys.stdout.write(f"{runner.run(_ask(sys.argv[1]))}\n")
    sys.exit(3)
