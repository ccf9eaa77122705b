"""The API client: what it sends, what it refuses to believe."""

import asyncio
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from import_project.errors import ApiAnswerUnusable, ApiRefusesUs, ApiUnavailable, PostingError
from import_project.posting.answers import Reply
from import_project.posting.client import ImportApiClient
from import_project_tests.certificates import make_certificates
from import_project_tests.http_servers import ApiPeer


def answering(handle: Callable[[httpx.Request], httpx.Response]) -> ImportApiClient:
    return ImportApiClient("http://erp.example/v1", "t0ken", "acme", transport=httpx.MockTransport(handle))


def items(client: ImportApiClient, path: str = "/invoices") -> list[Any]:
    async def collect() -> list[Any]:
        async with client:
            return [item async for item in client.pages(path)]

    return asyncio.run(collect())


def test_token_tenant_and_base_path_are_sent() -> None:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"items": []})

    assert items(answering(handle)) == []
    (request,) = seen
    assert str(request.url) == "http://erp.example/v1/invoices"
    assert request.headers["authorization"] == "Bearer t0ken"
    assert request.headers["x-tenant-id"] == "acme"


def test_pages_are_followed_over_real_http(api: ApiPeer) -> None:
    api.invoices = [{"invoice_id": str(n)} for n in range(5)]
    client = ImportApiClient(api.url, api.token)
    assert [i["invoice_id"] for i in items(client)] == ["0", "1", "2", "3", "4"]


def test_fractions_stay_exact() -> None:
    found = items(answering(lambda _: httpx.Response(200, text='{"items": [{"open_amount": 0.10, "n": 3}]}')))
    assert found == [{"open_amount": "0.10", "n": 3}]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(503), ApiUnavailable),
        (httpx.Response(429), ApiUnavailable),
        (httpx.Response(401), ApiRefusesUs),
        (httpx.Response(403), ApiRefusesUs),
        (httpx.Response(404), ApiAnswerUnusable),
        (httpx.Response(302, headers={"location": "http://evil.example/"}), ApiAnswerUnusable),
        (httpx.Response(200, text="<html>log in</html>"), ApiAnswerUnusable),
        (httpx.Response(200, json=[1]), ApiAnswerUnusable),
        (httpx.Response(200, json={"items": 3}), ApiAnswerUnusable),
        (httpx.Response(200, json={"items": [], "next": "http://evil.example/more"}), ApiAnswerUnusable),
    ],
)
def test_answers_that_are_not_believed(answer: httpx.Response, error: type[PostingError]) -> None:
    with pytest.raises(error) as raised:
        items(answering(lambda _: answer))
    assert "t0ken" not in str(raised.value)


def test_token_never_goes_to_another_host() -> None:
    hosts: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(200, json={"items": [], "next": "//evil.example/more"})

    with pytest.raises(ApiAnswerUnusable, match="on another host"):
        items(answering(handle))
    assert hosts == ["erp.example"]


def test_huge_answer_is_cut_off() -> None:
    body = json.dumps({"items": ["x" * (65 << 20)]})
    with pytest.raises(ApiAnswerUnusable, match="over 64 MiB"):
        items(answering(lambda _: httpx.Response(200, text=body)))


def test_broken_connection_is_unavailable() -> None:
    def handle(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(ApiUnavailable, match="refused"):
        items(answering(handle))


def delivered(client: ImportApiClient, key: str = "k") -> Reply:
    async def send() -> Reply:
        async with client:
            return await client.post("/orders", {"n": 1, "name": "Å"}, key=key)

    return asyncio.run(send())


def test_post_sends_json_under_a_key_of_the_name_that_the_api_wants() -> None:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(429, text="slow", headers={"Retry-After": "7"})

    transport = httpx.MockTransport(handle)
    client = ImportApiClient("http://erp.example/v1/", "t0ken", key_header="X-Request-Key", transport=transport)
    assert delivered(client) == Reply(status=429, text="slow", retry_after="7", html=False)
    (request,) = seen
    assert (request.method, str(request.url)) == ("POST", "http://erp.example/v1/orders")
    assert request.headers["x-request-key"] == "k"
    assert request.headers["authorization"] == "Bearer t0ken"
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.content) == {"n": 1, "name": "Å"}


def test_no_answer_is_a_reply_too_and_tells_no_secret() -> None:
    reply = delivered(ImportApiClient("http://127.0.0.1:1", "t0ken", connect_seconds=1))
    assert reply.status is None
    assert "127.0.0.1" in reply.text
    assert "t0ken" not in reply.text


@pytest.fixture
def secure_api(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An HTTPS server with a certificate of an authority of its own."""
    made = make_certificates(tmp_path, "127.0.0.1")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(201)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.chain, made.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}", made.ca
    server.shutdown()
    thread.join()
    server.server_close()


def test_tls_is_verified(secure_api: tuple[str, Path]) -> None:
    url, ca = secure_api
    assert delivered(ImportApiClient(url, "t")).status is None
    assert delivered(ImportApiClient(url, "t", ca_file=ca)).status == 201
    assert delivered(ImportApiClient(url.replace("127.0.0.1", "localhost"), "t", ca_file=ca)).status is None


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\nabc",
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"",
    ],
)
def test_what_is_no_whole_answer_is_none(answer: bytes) -> None:
    with raw_server(lambda connection: connection.sendall(answer)) as url:
        assert delivered(ImportApiClient(url, "t")).status is None


def test_answer_that_drips_ends_with_the_whole_requests_time() -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n")
        with suppress(OSError):
            for _ in range(100):
                connection.sendall(b"x")
                time.sleep(0.05)

    with raw_server(drip) as url:
        begun = time.monotonic()
        reply = delivered(ImportApiClient(url, "t", timeout_seconds=0.3, connect_seconds=0.3))
        assert reply.status is None
        assert time.monotonic() - begun < 3


def test_redirect_is_told_and_not_followed(api: ApiPeer) -> None:
    api.mode = "redirect"
    assert delivered(ImportApiClient(api.url, api.token)).status == 302
    assert len(api.calls) == 1


@pytest.mark.parametrize("path", ["//evil.example/x", "http://evil.example/x"])
def test_path_of_a_posting_cannot_leave_the_host(path: str) -> None:
    client = answering(lambda request: httpx.Response(200, json={"host": request.url.host}))

    async def send() -> Reply:
        async with client:
            return await client.send("POST", path, "{}", "k")

    reply = asyncio.run(send())
    assert reply.status is None
    assert "another host" in reply.text


@contextmanager
def raw_server(answer: Callable[[socket.socket], object]) -> Iterator[str]:
    """Accept one connection, read a request, and answer it byte by byte as told."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                answer(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()
    thread.join(timeout=10)


def test_no_cookie_is_kept() -> None:
    seen: list[str | None] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("cookie"))
        return httpx.Response(200, json={"items": [], "next": None}, headers={"Set-Cookie": "session=1"})

    async def ask() -> None:
        async with answering(handle) as client:
            for _ in range(2):
                await client.get("/invoices")
                await client.post("/orders", {}, key="k")

    asyncio.run(ask())
    assert seen == [None] * 4
