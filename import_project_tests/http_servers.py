"""Real HTTP peers for the tests: a receiving API that records effects, not calls, so that it can say what took effect and
how often; and a webhook. Both in threads of this process."""

import asyncio
import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send


@dataclass
class ApiPeer:
    """What the receiving API holds and how it misbehaves.

    `mode` decides about the next posts: ok, fail and apply_then_fail (`fail_status`), apply_then_drop,
    apply_then_hang, refuse_us (401), reject (`reject_status`), redirect (302), nowhere (404), web_page, compare (422
    for a known key with another body). `reject_if` and `fail_if` do so for single bodies; the next `slow_down` posts
    get 429 with `retry_after`, the next `in_flight` ones 409. With `forget_keys` every post takes effect.
    `/held?NAME=VALUE` tells which effects have it.
    """

    url: str = ""
    token: str = "test-token"
    invoices: list[dict[str, Any]] = field(default_factory=list)
    mode: str = "ok"
    reject_if: Callable[[dict[str, Any]], bool] = lambda _body: False
    fail_if: Callable[[dict[str, Any]], bool] = lambda _body: False
    effects: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    receipt: str = ""
    fail_status: int = 500
    reject_status: int = 400
    held_answer: str | None = None
    slow_down: int = 0
    delay: float = 0.002
    in_flight: int = 0
    retry_after: str = ""
    forget_keys: bool = False
    most_at_once: int = 0
    under_way: int = 0

    def times(self) -> Counter[str]:
        """How often each key took effect."""
        return Counter(key for key, _, _ in self.effects)

    def paths(self) -> Counter[str]:
        return Counter(path for _, path, _ in self.effects)


class Dropped(Response):
    """Promises a body and never sends it: the connection breaks after the effect."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 201, "headers": [(b"content-length", b"100")]})


def _held(peer: ApiPeer) -> Any:
    """What took effect, asked for by its fields."""

    async def held(request: Request) -> Response:
        if peer.mode == "fail":
            return JSONResponse({"error": "down"}, status_code=503)
        if peer.held_answer is not None:
            return Response(peer.held_answer, media_type="application/json")
        wanted = request.query_params.items()
        found = [{**b, "key": k} for k, _, b in peer.effects if all(str(b.get(n)) == v for n, v in wanted)]
        return JSONResponse({"items": found, "next": None})

    return held


def _api(peer: ApiPeer) -> Starlette:
    async def invoices(request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {peer.token}" or peer.mode == "refuse_us":
            return JSONResponse({"error": "who are you"}, status_code=401)
        if peer.mode == "fail":
            return JSONResponse({"error": "down"}, status_code=503)
        start = int(request.query_params.get("from", "0"))
        more = f"/invoices?from={start + 2}" if start + 2 < len(peer.invoices) else None
        return JSONResponse({"items": peer.invoices[start : start + 2], "next": more})

    async def take(request: Request) -> Response:
        peer.under_way += 1
        peer.most_at_once = max(peer.most_at_once, peer.under_way)
        try:
            return await answer(request)
        finally:
            peer.under_way -= 1

    async def take_batch(request: Request) -> Response:
        """`{"orders": [...]}`, each with its `key`; a result for each."""
        raw = (await request.body()).decode()
        peer.calls.append((request.headers.get("idempotency-key", ""), request.url.path, raw))
        results = []
        for body in json.loads(raw)["orders"]:
            trouble = before_effect(body["key"], body)
            if trouble is None and body["key"] not in peer.times():
                peer.effects.append((body["key"], request.url.path, body))
            results.append({"key": body["key"], "status": 201 if trouble is None else trouble.status_code})
        return JSONResponse({"results": results})

    async def answer(request: Request) -> Response:
        key, path = request.headers.get("idempotency-key", ""), request.url.path
        raw = (await request.body()).decode()
        peer.calls.append((key, path, raw))
        peer.methods.append(request.method)
        await asyncio.sleep(peer.delay)
        body = json.loads(raw)
        trouble = before_effect(key, body)
        if trouble is not None:
            return trouble
        if peer.forget_keys or key not in peer.times():
            peer.effects.append((key, path, body))
        if peer.mode == "apply_then_fail":
            return JSONResponse({"error": "oops"}, status_code=peer.fail_status)
        if peer.mode == "apply_then_hang":
            await asyncio.sleep(2)
        if peer.mode == "apply_then_drop":
            return Dropped()
        return Response(peer.receipt or json.dumps({"receipt": key[:8]}), status_code=201)

    def before_effect(key: str, body: dict[str, Any]) -> Response | None:
        if peer.mode == "refuse_us":
            return JSONResponse({"error": "who are you"}, status_code=401)
        if peer.slow_down:
            peer.slow_down -= 1
            return JSONResponse({}, status_code=429, headers={"retry-after": peer.retry_after})
        if peer.in_flight:
            peer.in_flight -= 1
            return JSONResponse({"error": "in flight"}, status_code=409)
        if peer.mode == "compare" and any(k == key and b != body for k, _, b in peer.effects):
            return JSONResponse({"error": "the Idempotency-Key has another body"}, status_code=422)
        if peer.mode == "fail" or peer.fail_if(body):
            return JSONResponse({"error": "down"}, status_code=peer.fail_status)
        if peer.mode == "reject" or peer.reject_if(body):
            return JSONResponse({"error": "not like this"}, status_code=peer.reject_status)
        others = {
            "redirect": Response(status_code=302, headers={"location": "/login"}),
            "nowhere": JSONResponse({"error": "no such path"}, status_code=404),
            "web_page": HTMLResponse("<html>log in</html>"),
        }
        return others.get(peer.mode)

    return Starlette(
        routes=[
            Route("/invoices", invoices),
            Route("/held", _held(peer)),
            Route("/batch", take_batch, methods=["POST"]),
            Route("/{path:path}", take, methods=["POST", "PUT", "PATCH"]),
        ],
    )


@contextmanager
def http_server(application: Any, *, lifespan: Literal["on", "off"] = "off") -> Iterator[str]:
    """Serve an ASGI application over real HTTP on a free port; gives its address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)  # so that nobody is refused before the server has begun
    config = uvicorn.Config(application, log_level="critical", lifespan=lifespan, ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()


@contextmanager
def api_peer() -> Iterator[ApiPeer]:
    """A receiving API on a free port."""
    peer = ApiPeer()
    with http_server(_api(peer)) as url:
        peer.url = url
        yield peer


@dataclass
class WebhookPeer:
    url: str = ""
    status: int = 200
    refuse: str = ""
    received: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def webhook_peer() -> Iterator[WebhookPeer]:
    """A webhook that keeps what it gets."""
    peer = WebhookPeer()

    async def take(request: Request) -> Response:
        peer.received.append(await request.json())
        refused = peer.refuse and peer.refuse in peer.received[-1]["text"]
        return JSONResponse({}, status_code=400 if refused else peer.status)

    with http_server(Starlette(routes=[Route("/hook", take, methods=["POST"])])) as url:
        peer.url = f"{url}/hook"
        yield peer
