"""What costs the desk nothing: bodies and forms without end, and connections that bring no request."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from import_project.api.connections import Impatient
from import_project.api.guard import MOST_BODY
from import_project_tests.api.conftest import Front


@pytest.mark.parametrize("path", ["/session", "/review/payments/x/match"])
def test_body_without_end_is_read_no_further_than_it_may_be(front: Front, path: str) -> None:
    """Before anybody knows who sends it: with its size told, and in pieces without."""
    for content in (b"x" * (MOST_BODY + 1), iter([b"x" * 65_536] * (1 + MOST_BODY // 65_536))):
        answer = front.client.post(path, content=content, headers={"content-type": "application/json"})
        assert (answer.status_code, "that are no file" in answer.json()["error"]) == (413, True)


def test_form_whose_file_never_comes_is_refused(front: Front) -> None:
    headers = {**front.token(), "content-type": "multipart/form-data; boundary=x"}
    field = b'--x\r\nContent-Disposition: form-data; name="f%d"\r\n\r\n%s\r\n'
    many = b"".join(field % (n, b"y") for n in range(40))
    answer = front.client.post("/jobs/ingest", content=many, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "more than 16 fields")

    def header() -> Iterator[bytes]:
        yield b"--x\r\n"
        for n in range(400_000):
            yield b"a%d: b\r\n" % n

    answer = front.client.post("/jobs/ingest", content=header(), headers=headers)
    assert answer.status_code == 400


class Hasty(Impatient):
    patience = 0.3


def test_connection_that_brings_no_request_is_closed() -> None:
    """One that never says all of its header, one that says nothing after an answer; one that waits for its answer is
    left alone."""

    async def application(scope: Scope, _receive: Receive, send: Send) -> None:
        await asyncio.sleep(1.5 if scope["path"] == "/" else 0)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(application, http=Hasty, lifespan="off", log_level="critical", timeout_keep_alive=99)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}") as busy:
            busy.get("/")
            (connection,) = server.server_state.connections
            for _ in range(30):  # each look may fall between two of them
                busy.get("/quick")
                time.sleep(0.05)
            assert server.server_state.connections == {connection}
        half, whole = (socket.create_connection(listener.getsockname(), timeout=20) for _ in range(2))
        half.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n")
        whole.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        began = time.monotonic()
        assert half.recv(1000) == b""
        assert whole.recv(1000).startswith(b"HTTP/1.1 204")
        assert time.monotonic() - began > 1
        assert whole.recv(1000) == b""
        half.close()
        whole.close()
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
