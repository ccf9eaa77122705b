"""A receiving API in a process of its own that misbehaves on demand and writes down every effect before it answers.

`python -m import_project_tests.posting.fake_api HOME` prints its port. `POST /mode/NAME` sets how it answers from then
on; `effects.log` in HOME has a line with the key of each effect, which is what the proof is read from.
"""

import asyncio
import os
import socket
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from import_project_tests.http_servers import Dropped

MODES = (
    "ok",
    "apply_then_drop",
    "apply_then_500",
    "apply_then_hang",
    "cached_500",
    "cached_500_without_effect",
    "429",
    "503_retry_after",
    "409_in_flight",
    "422_changed_body",
    "401",
)
_SLOW = 0.2


class Books:
    """Effects by key, in memory and in the log; the answers that are kept for keys."""

    def __init__(self, home: Path) -> None:
        self.mode = "ok"
        self.kept: dict[str, tuple[int, str]] = {}
        self.bodies: dict[str, str] = {}
        self.held: list[dict[str, Any]] = []
        self._log = os.open(home / "effects.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def apply(self, key: str, body: dict[str, Any]) -> None:
        os.write(self._log, f"{key}\n".encode())
        os.fsync(self._log)
        self.held.append({**body, "key": key})


def application(home: Path) -> Starlette:
    books = Books(home)

    async def set_mode(request: Request) -> Response:
        books.mode = request.path_params["name"]
        if books.mode == "forget":
            books.kept.clear()
            books.bodies.clear()
        if books.mode == "ok":  # a fault that has ended keeps no 500
            books.kept = {k: v for k, v in books.kept.items() if v[0] < 500}
            books.kept |= {
                i["key"]: (201, "{}") for i in books.held if i["key"] in books.bodies and i["key"] not in books.kept
            }
        return JSONResponse({"mode": books.mode})

    async def held(request: Request) -> Response:
        wanted = request.query_params.get("n")
        return JSONResponse([i for i in books.held if str(i["n"]) == wanted])

    async def take(request: Request) -> Response:
        key, raw = request.headers["idempotency-key"], await request.body()
        body = await request.json()
        if books.mode == "401":
            return JSONResponse({"error": "who are you"}, status_code=401)
        if books.mode == "429":
            return JSONResponse({}, status_code=429, headers={"retry-after": "3"})
        if books.mode == "503_retry_after":
            return JSONResponse({}, status_code=503, headers={"retry-after": "2"})
        same = books.bodies.setdefault(key, sha256(raw).hexdigest()) == sha256(raw).hexdigest()
        if not same:
            return JSONResponse({"error": "key reused with another body"}, status_code=422)
        if key in books.kept:
            status, text = books.kept[key]
            return Response(text, status_code=status)
        return await applied(key, body)

    async def applied(key: str, body: dict[str, Any]) -> Response:
        if books.mode == "409_in_flight":
            books.kept[key] = (409, '{"error": "in flight"}')

            async def finish() -> None:
                await asyncio.sleep(_SLOW)
                books.apply(key, body)
                books.kept[key] = (201, "{}")

            return JSONResponse({"error": "in flight"}, status_code=409, background=BackgroundTask(finish))
        if books.mode == "cached_500_without_effect":
            books.kept[key] = (500, "oops")
            del books.bodies[key]
            return Response("oops", status_code=500)
        books.apply(key, body)
        books.kept[key] = (500, "oops") if books.mode == "cached_500" else (201, "{}")
        if books.mode in {"cached_500", "apply_then_500"}:
            return Response("oops", status_code=500)
        if books.mode == "apply_then_hang":
            await asyncio.sleep(30)
        if books.mode == "apply_then_drop":
            return Dropped()
        return JSONResponse({}, status_code=201)

    return Starlette(
        routes=[
            Route("/mode/{name}", set_mode, methods=["POST"]),
            Route("/held", held),
            Route("/orders", take, methods=["POST"]),
        ]
    )


def _main(home: Path) -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(application(home), log_level="critical", lifespan="off", ws="none")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
