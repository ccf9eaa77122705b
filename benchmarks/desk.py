"""The front desk: many uploads at once, beside a plain FastAPI handler that only keeps the file; how soon a file's run
begins; a large CSV from POST to `completed`; and the server's memory while 2 GB come in."""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
from fastapi import FastAPI, UploadFile

from benchmarks.figure import Figure
from benchmarks.posting import server
from import_project.demo import files
from import_project_tests.api.serving import Serving, open_serving
from import_project_tests.http_servers import ApiPeer, http_server
from import_project_tests.installation import Installation
from import_project_tests.servers import sftp_peer

AT_ONCE, ROWS, BIG = 200, 50_000, 2 << 30
_PATIENCE = 1200.0


def versions() -> dict[str, str]:
    return {name: version(name) for name in ("fastapi", "uvicorn", "python-multipart", "httpx")}


@contextmanager
def serving() -> Iterator[Serving]:
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="desk-bench-")))
        sftp, url = stack.enter_context(sftp_peer(home / "sftp")), stack.enter_context(server())
        made = open_serving(Installation.make(home / "home", sftp, ApiPeer(url=url)))
        stack.callback(made.end)
        yield made


def run() -> list[Figure]:
    with serving() as desk:
        soon = _begins(desk)
        ours = asyncio.run(_flood(str(desk.client.base_url), dict(desk.client.headers), "/jobs/ingest"))
        lost = _all_end(desk)
        large = _large(desk)
        grown = _memory(desk)
    with _plain() as url:
        peer = asyncio.run(_flood(url, {}, "/keep"))
    p99, plain = _p99(ours), _p99(peer)
    told = f"p99 {p99:.2f} s, median {statistics.median(ours):.2f} s; all {AT_ONCE} ended, {lost} lost"
    steps = large["seconds"]
    worked = sum(steps.get(name, 0) for name in ("parse_file", "validate_rows", "post_rows"))
    return [
        Figure(
            what=f"{AT_ONCE} uploads at once, 202 a second at p99",
            ours=1 / p99,
            peer=1 / plain,
            peer_name="plain FastAPI",
            goal="p99 < 1 s",
            met=p99 < 1 and not lost,
            told=told,
        ),
        Figure(
            what="from upload to the run's begin, a second",
            ours=1 / soon,
            peer=0.5,
            peer_name="2 s",
            goal="< 2 s",
            met=soon < 2,
            told=f"{soon:.2f} s",
        ),
        Figure(
            what=f"{ROWS:,} rows from POST to completed, rows a second",
            ours=ROWS / steps["whole"],
            peer=ROWS / worked,
            peer_name="its parse, validate and post",
            goal="seconds",
            met=steps["whole"] < 60,
            told=", ".join(f"{name} {took:.2f} s" for name, took in steps.items()),
        ),
        Figure(
            what="2 GB handed in: files in the memory they cost",
            ours=BIG / 1e6 / max(grown, 1.0),
            peer=BIG / 1e6 / 64,
            peer_name="64 MB",
            goal="flat",
            met=grown < 64,
            told=f"the server grew by {grown:.0f} MB",
        ),
    ]


def _orders(n: int) -> bytes:
    return files.orders_csv().replace(b"AB-", b"%c%c-" % (65 + n // 26 % 26, 65 + n % 26))


def _begins(desk: Serving) -> float:
    """Return the median of three files' seconds from upload to the begin of the run."""
    found = []
    for n in range(3):
        job = desk.hand_in(_orders(AT_ONCE + n), f"orders_soon_{n}.csv")
        desk.until(lambda job=job: desk.job(job["job_id"])["status"] == "completed", 60)
        done = desk.job(job["job_id"])
        began, came = (datetime.fromisoformat(done[name]) for name in ("started_at", "created_at"))
        found.append((began - came).total_seconds())
    return statistics.median(found)


async def _flood(url: str, headers: dict[str, str], path: str) -> list[float]:
    """Send all uploads at once, each on a connection of its own, as bytes that were made before. Returns the seconds of
    each, from connecting to the answer's first line."""
    place = urlsplit(url)

    async def send(request: bytes) -> float:
        start = time.perf_counter()
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        writer.write(request)
        line = await reader.readline()
        taken = time.perf_counter() - start
        assert b" 202 " in line, line + await reader.read(500)
        writer.close()
        return taken

    requests = [_upload(headers, path, f"orders_{n}.csv", _orders(n)) for n in range(AT_ONCE)]
    return list(await asyncio.gather(*(send(one) for one in requests)))


def _upload(headers: dict[str, str], path: str, name: str, content: bytes) -> bytes:
    head = '--x\r\nContent-Disposition: form-data; name="feed"\r\n\r\norders\r\n--x\r\n'
    head += f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = head.encode() + content + b"\r\n--x--\r\n"
    lines = [f"POST {path} HTTP/1.1", "host: desk", "content-type: multipart/form-data; boundary=x"]
    lines += [f"authorization: {headers['authorization']}"] if "authorization" in headers else []
    return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body


def _all_end(desk: Serving) -> int:
    """Wait until no job is open; return how many of them are missing."""

    def still_open() -> bool:
        return any(desk.client.get(f"/jobs?status={s}&limit=1").json()["jobs"] for s in ("pending", "running"))

    desk.until(lambda: not still_open(), _PATIENCE)
    ended, before = 0, ""
    while True:
        page = desk.client.get(f"/jobs?limit=200{before}").json()
        ended += sum(j["status"] in {"completed", "failed"} for j in page["jobs"])
        if page["next"] is None:
            return AT_ONCE + 3 - ended
        before = f"&before={page['next']}"


def _large(desk: Serving) -> Any:
    rows = ["order_id;customer;ordered_on;amount;currency;items"]
    rows += [f"QQ-{n:06};Nils {n};2026-11-20;{n % 900 + 1},50;SEK;{n % 9 + 1}" for n in range(ROWS)]
    job = desk.hand_in("\n".join(rows).encode(), "orders_large.csv")
    desk.until(lambda: desk.job(job["job_id"])["status"] == "completed", _PATIENCE)
    return desk.job(job["job_id"])


def _memory(desk: Serving) -> float:
    """Return by how many MB the server's memory grew while a file of 2 GB was handed in, at most."""
    process = psutil.Process(desk.child.pid)
    before, most = process.memory_info().rss, 0
    path = Path(tempfile.gettempdir(), f"desk-bench-{os.getpid()}.csv")
    with path.open("wb") as out:
        out.truncate(BIG - 1)

    async def send() -> None:
        nonlocal most
        async with httpx.AsyncClient(base_url=desk.client.base_url, headers=desk.client.headers, timeout=600) as client:
            with path.open("rb") as content:  # noqa: ASYNC230 - nothing else goes on here
                sending = asyncio.create_task(
                    client.post("/jobs/ingest", data={"feed": "orders"}, files={"file": ("orders_big.csv", content)})
                )
                while not sending.done():
                    most = max(most, process.memory_info().rss)
                    await asyncio.sleep(0.1)
                job = sending.result()
                assert job.status_code == 202, job.text
                await client.post(f"/jobs/{job.json()['job_id']}/cancel")

    try:
        asyncio.run(send())
    finally:
        path.unlink()
    return (most - before) / 1e6


@contextmanager
def _plain() -> Iterator[str]:
    """What a small team writes: FastAPI's own UploadFile, kept under its name."""
    with tempfile.TemporaryDirectory() as folder:
        app = FastAPI()

        @app.post("/keep", status_code=202)
        async def keep(file: UploadFile) -> dict[str, int]:
            content = await file.read()
            await asyncio.to_thread(Path(folder, file.filename or "x").write_bytes, content)
            return {"bytes": len(content)}

        with http_server(app) as url:
            yield url


def _p99(taken: list[float]) -> float:
    return sorted(taken)[int(len(taken) * 0.99) - 1]
