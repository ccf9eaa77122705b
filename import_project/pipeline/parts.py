"""What the use cases work with: stores, clock, and how a feed's source and API are opened. Built in `wiring`."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from import_project.config.load import LoadedFeed
from import_project.config.values import Secret
from import_project.posting.client import ImportApiClient
from import_project.sources.base import Source
from import_project.store.landing import Landing
from import_project.store.ledger import Ledger
from import_project.store.tables import Tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """`clock` gives aware UTC. A killed run keeps its file for `lease`; `retry` is the first wait after a failure.
    `reveal` reads a secret now; `sleep` and `chance` (from 0 to 1) are how the outbox waits. In a `dry_run` nothing is
    posted, moved or decided, and `tables` are its own. `interrupts` is what ends a run that a person cancels."""

    ledger: Ledger
    landing: Landing
    tables: Tables
    clock: Callable[[], datetime]
    open_source: Callable[[LoadedFeed], Source]
    open_api: Callable[[LoadedFeed], ImportApiClient]
    reveal: Callable[[Secret | None], str | None]
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    lease: timedelta = timedelta(seconds=60)
    retry: timedelta = timedelta(seconds=30)
    dry_run: bool = False
    interrupts: tuple[type[BaseException], ...] = (KeyboardInterrupt,)

    def close(self) -> None:
        """Give connections back."""
        self.ledger.close()
