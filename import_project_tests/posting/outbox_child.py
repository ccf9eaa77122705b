"""A process that sends one file's frozen postings from a real ledger, and kills itself before its n-th call into ledger or
API. A long time has passed for it (`ahead` seconds), so that the API's peace and the last child's lease are over."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta

from import_project.errors import ImportProjectError
from import_project.posting.client import ImportApiClient
from import_project.posting.outbox import Outbox
from import_project.posting.waits import Time
from import_project.records.endpoints import Endpoint, LookUp
from import_project.records.postings import PostingKind
from import_project.records.terms import Breaking, Terms, Waits
from import_project.store.ledger import Ledger
from import_project_tests.installation import Clock
from import_project_tests.proof.fail_points import Fuse, Fused

FILE = "ab" * 32
TERMS = Terms(
    api="erp",
    key_window=timedelta(hours=24),
    rate=None,
    probe=timedelta(seconds=1),
    settling=timedelta(seconds=1),
    waits=Waits(first=0.5, longest=30, budget=20, retry_after=60),
    breaking=Breaking(failures=3, waits=Waits(first=1, longest=4)),
)


def main(ledger_url: str, url: str, calls: int, ahead: float, look_up: bool) -> None:
    """Exit with 0 when all is sent, 3 when some has no answer yet."""
    how = LookUp(path="/held?n={n}", same=("n",)) if look_up else None
    clock, fuse, real = Clock(ahead=timedelta(seconds=ahead)), Fuse(calls), Ledger(ledger_url)
    ledger = Fused(real, fuse, "ledger", ("postings", "apis"))
    claim = real.arrivals.claim("f", "a~1", owner=f"r{ahead}", now=clock(), lease=timedelta(seconds=30))[1]

    async def sleep(seconds: float) -> None:
        clock.advance(seconds=seconds)
        await asyncio.sleep(0.05)  # what is in flight at the API takes real time

    async def send() -> None:
        client = ImportApiClient(url, "t", concurrency=2, timeout_seconds=0.3, connect_seconds=0.3)
        async with Fused(client, fuse, "api") as fused:
            outbox = Outbox(
                fused,
                ledger.postings,
                ledger.apis,
                claim,
                FILE,
                target="erp",
                terms=TERMS,
                routes={PostingKind.ROW: Endpoint(path="/orders", look_up=how)},
                time=Time(clock=clock, sleep=sleep, chance=lambda: datetime.now(UTC).microsecond / 1e6),
            )
            await outbox.send([PostingKind.ROW])

    try:
        asyncio.run(send())
    except ImportProjectError:
        sys.exit(3)
