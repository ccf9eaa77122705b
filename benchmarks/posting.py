"""Posting with the ledger on, against plain httpx: a new client for each row, and one client at the same concurrency.
The server is a process of its own and counts what took effect. And: memory, with a million rows waiting."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from benchmarks.figure import Figure, Taken, compared, turns
from import_project.posting.client import ImportApiClient
from import_project.posting.outbox import Outbox
from import_project.posting.waits import Time
from import_project.records.endpoints import Endpoint
from import_project.records.files import Claim, Listed
from import_project.records.postings import Draft, PostingKind, PostingState
from import_project.records.terms import Breaking, Terms, Waits
from import_project.store.ledger import Ledger

ROWS = 20_000
FEW, SOME = 100, 4_000
MILLION = 1_000_000
SENT = 10_000
CONCURRENCIES = (16, 64)
MOST_TIMES = 1.1
FILE = "ab" * 32
BODY = '{"order_id":"AB-%06d","customer":"Customer","amount":"129.50","currency":"SEK","ordered_on":"2026-11-20"}'
TERMS = Terms(
    api="erp",
    key_window=timedelta(hours=24),
    rate=None,
    probe=timedelta(seconds=40),
    settling=timedelta(seconds=30),
    waits=Waits(first=0.5, longest=30, budget=120, retry_after=3600),
    breaking=Breaking(failures=5, waits=Waits(first=5, longest=300)),
)


def versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("httpx", "pyreqwest", "sqlalchemy", "uvicorn")}


@contextmanager
def server() -> Iterator[str]:
    program = [sys.executable, "-c", "from benchmarks.posting import serve; serve()"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.kill()


def serve() -> None:
    """Take posts, count the keys, and tell the count to a GET."""
    import socket

    import uvicorn

    seen: set[bytes] = set()

    async def application(scope: dict, receive, send) -> None:  # type: ignore[no-untyped-def, type-arg]
        more = True
        while more:
            more = (await receive()).get("more_body", False)
        key = next((value for name, value in scope["headers"] if name == b"idempotency-key"), None)
        if key is not None:
            seen.add(key)
        body = b"%d" % len(seen)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 201 if key else 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(application, log_level="critical", lifespan="off", ws="none", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


def frozen(home: Path, count: int) -> Ledger:
    """A ledger on SQLite, synced at each commit, with a file whose rows are frozen."""
    now, ledger = datetime.now(UTC), Ledger(f"sqlite:///{home}/ledger.db")
    ledger.sightings.see("f", [(Listed(name="a", size=1, mtime=now), 0, None)], now)
    (arrival,) = ledger.sightings.unended("f")
    ledger.sightings.ready([(arrival.id, "a~1")])
    drafts = (
        Draft(subject=f"s{n}", part=0, kind=PostingKind.ROW, row_number=n, path="/orders", body=BODY % n)
        for n in range(1, count + 1)
    )
    ledger.decisions.freeze(claimed(ledger), FILE, "erp", drafts, now)
    return ledger


def claimed(ledger: Ledger) -> Claim:
    return ledger.arrivals.claim("f", "a~1", owner="bench", now=datetime.now(UTC), lease=timedelta(hours=1))[1]


async def sent(ledger: Ledger, url: str, concurrency: int) -> None:
    async with ImportApiClient(url, "token", "acme", concurrency=concurrency) as client:
        outbox = Outbox(
            client,
            ledger.postings,
            ledger.apis,
            claimed(ledger),
            FILE,
            target="erp",
            terms=TERMS,
            routes={PostingKind.ROW: Endpoint(path="/orders")},
            time=Time(clock=lambda: datetime.now(UTC), sleep=asyncio.sleep, chance=lambda: 0.5),
        )
        await outbox.send([PostingKind.ROW])


async def plain(url: str, count: int, concurrency: int) -> None:
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    headers = {"Authorization": "Bearer token", "X-Tenant-Id": "acme"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30, limits=limits) as client:
        rows = iter(range(count))

        async def worker() -> None:
            for n in rows:
                key = {"Idempotency-Key": f"{time.monotonic_ns()}-{n}", "Content-Type": "application/json"}
                answer = await client.post("/orders", content=BODY % n, headers=key)
                answer.raise_for_status()

        await asyncio.gather(*(worker() for _ in range(concurrency)))


async def one_client_a_row(url: str, count: int) -> None:
    for n in range(count):
        async with httpx.AsyncClient(base_url=url, headers={"Authorization": "Bearer token"}) as client:
            key = {"Idempotency-Key": f"{time.monotonic_ns()}-{n}", "Content-Type": "application/json"}
            (await client.post("/orders", content=BODY % n, headers=key)).raise_for_status()


def run() -> list[Figure]:
    with server() as url:
        (alone,) = turns(lambda: asyncio.run(one_client_a_row(url, FEW)), rounds=3)
        figures = []
        for concurrency in CONCURRENCIES:
            ours, peer = _ours(url, concurrency), _plain(url, concurrency)
            figures.append(
                compared(
                    f"{ROWS:,} posts with the ledger on, {concurrency} under way: posts a second",
                    ROWS,
                    ours,
                    peer,
                    peer_name="plain httpx, no ledger",
                    at_least=4,
                    goal="at least 4 times",
                )
            )
        by_row = Taken([t * ROWS / FEW for t in alone.wall], [t * ROWS / FEW for t in alone.cpu])
        figures.append(
            compared(
                f"{ROWS:,} posts with the ledger on, {CONCURRENCIES[0]} under way: posts a second",
                ROWS,
                _ours(url, CONCURRENCIES[0]),
                by_row,
                peer_name="a new httpx client for each row",
                at_least=20,
                goal="at least 20 times",
            )
        )
        return [*figures, _memory(url)]


def _ours(url: str, concurrency: int) -> Taken:
    taken = Taken([], [])
    for _ in range(3):
        with TemporaryDirectory(prefix="posting-") as home:
            ledger = frozen(Path(home), ROWS)
            before = int(httpx.get(url).text)
            (one,) = turns(lambda: asyncio.run(sent(ledger, url, concurrency)), rounds=1)  # noqa: B023 - called at once
            if ledger.postings.subjects("f", FILE).get((PostingKind.ROW, PostingState.DONE)) != ROWS:
                sys.exit("not all rows are done")
            if int(httpx.get(url).text) - before not in {0, ROWS}:  # the same keys each round
                sys.exit("another number of effects than rows")
            taken.wall.extend(one.wall)
            taken.cpu.extend(one.cpu)
            ledger.close()
    return taken


def _plain(url: str, concurrency: int) -> Taken:
    (some,) = turns(lambda: asyncio.run(plain(url, SOME, concurrency)), rounds=3)
    return Taken([t * ROWS / SOME for t in some.wall], [t * ROWS / SOME for t in some.cpu])


def _memory(url: str) -> Figure:
    """As many posts out of a million and out of twenty thousand waiting rows, each in a process of its own."""
    peaks = []
    for waiting in (MILLION, ROWS):
        with TemporaryDirectory(prefix="posting-") as home:
            frozen(Path(home), waiting).close()
            code = f"from benchmarks.posting import peak; peak({home!r}, {url!r})"
            done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
            peaks.append(int(done.stdout))
    return Figure(
        what=f"{SENT:,} posts with {MILLION:,} rows waiting: peak memory in MB (less is better)",
        ours=peaks[0],
        peer=peaks[1],
        peer_name=f"the same with {ROWS:,} waiting",
        goal="flat",
        met=peaks[0] < peaks[1] * MOST_TIMES,
        told=f"{peaks[0]} and {peaks[1]} MB",
    )


class _Enough(Exception):
    pass


def peak(home: str, url: str) -> None:
    """Send some of what waits in this process, and print its peak memory in MB."""
    import resource

    ledger = Ledger(f"sqlite:///{home}/ledger.db")
    left, answered = [SENT], ledger.postings.answered

    def counted(*arguments: object) -> object:
        found = answered(*arguments)  # type: ignore[arg-type]
        left[0] -= len(arguments[2])  # type: ignore[arg-type]
        if left[0] <= 0:
            raise _Enough
        return found

    ledger.postings.answered = counted  # type: ignore[method-assign,assignment]
    try:
        asyncio.run(sent(ledger, url, CONCURRENCIES[0]))
    except _Enough:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
