"""Workspaces are told of the end of a job: signed, tried again, once; and only at hosts that the setting allows."""

import hmac
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from import_project.demo import files
from import_project_tests.api.conftest import Front, write_workspace
from import_project_tests.http_servers import ApiPeer, http_server


@dataclass
class Receiver:
    url: str = ""
    status: int = 200
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    peer = Receiver()

    async def take(request: Request) -> Response:
        peer.got.append((dict(request.headers), await request.body()))
        return Response(status_code=peer.status)

    with http_server(Starlette(routes=[Route("/ends", take, methods=["POST"])])) as url:
        peer.url = f"{url}/ends"
        yield peer


def until(true: Callable[[], bool], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "in vain"
        time.sleep(0.05)


def hooked(open_desk: Callable[..., Front], receiver: Receiver, **environ: str) -> tuple[Front, Any]:
    front = open_desk(HOOK_SECRET="s3cret", **environ)
    write_workspace(front.installation, "finance", webhook={"url": receiver.url, "secret": {"env": "HOOK_SECRET"}})
    return front, front.hand_in(files.orders_csv(), files.ORDERS_NAME, front.token()).json()


def test_end_of_a_job_is_told_signed_and_once(
    open_desk: Callable[..., Front], receiver: Receiver, api: ApiPeer
) -> None:
    front, job = hooked(open_desk, receiver, IMPORT_PROJECT_HOOK_HOSTS="127.0.0.1")
    time.sleep(1.5)
    assert receiver.got == [], "it has not ended"
    front.import_waiting()
    until(lambda: bool(receiver.got))
    headers, body = receiver.got[0]
    at, _, given = headers["x-import-project-signature"].partition(",v1=")
    told = f"{at.removeprefix('t=')}.{body.decode()}".encode()
    assert hmac.compare_digest(given, hmac.new(b"s3cret", told, sha256).hexdigest())
    assert headers["x-import-project-job"] == job["job_id"]
    assert b'"status":"completed"' in body
    assert b'"posted_rows":5' in body
    time.sleep(2.5)
    assert len(receiver.got) == 1


def test_receiver_that_fails_is_told_later(open_desk: Callable[..., Front], receiver: Receiver, api: ApiPeer) -> None:
    front, job = hooked(open_desk, receiver, IMPORT_PROJECT_HOOK_HOSTS="127.0.0.1")
    receiver.status = 500
    front.import_waiting()
    until(lambda: bool(receiver.got))
    receiver.status = 200
    jobs = front.parts.ledger.jobs
    known = jobs.of("finance", job["job_id"])
    assert known is not None
    time.sleep(0.5)
    jobs.tell_again(known.number, front.parts.clock().replace(year=2025))  # as if the wait were over
    until(lambda: len(receiver.got) == 2)
    time.sleep(1.5)
    assert len(receiver.got) == 2


def test_host_that_is_not_allowed_is_never_called(
    open_desk: Callable[..., Front], receiver: Receiver, api: ApiPeer
) -> None:
    front, job = hooked(open_desk, receiver)
    front.import_waiting()
    time.sleep(2.5)
    assert receiver.got == []
    assert front.client.get(f"/jobs/{job['job_id']}", headers=front.token(name="ben")).json()["status"] == "completed"
