"""FTPS, S3 and HTTPS over a network that cuts, stalls, damages and crawls, as `test_sources` does it to SFTP: each time
everything is imported exactly once in the end, says the oracle."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from import_project.errors import SourceError, SourceUnreachable
from import_project_tests.file_server import file_server, make_certificate
from import_project_tests.ftp_servers import ftp_peer
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation
from import_project_tests.object_servers import HttpInbox, s3_server
from import_project_tests.proof.oracle import orders
from import_project_tests.proof.proxy import House, NetworkFaults, proxy_to
from import_project_tests.servers import SftpPeer

_PADDING = 33_000  # of six rows: a file of about 200 KB
_NAMES = ("orders_1.csv", "orders_2.csv")
#: Of a connection, in bytes from the server: before anything, in its greeting or its first answer, in a file.
_PLACES = {"first byte": 0, "greeting": 120, "half": 100_000}


@dataclass
class Other(House):
    """The example feed `orders` with another source behind the proxy."""

    drop: Callable[[str, bytes], None] = field(kw_only=True)

    def show(self, number: int, padding: int = 0) -> bytes:
        """Give the server a file with six rows of its own."""
        name, content = f"orders_{number}.csv", orders(number, padding=padding)
        self.oracle.shown[name] = content
        self.drop(name, content)
        return content


@dataclass(frozen=True)
class Kind:
    """A source's port and keys, which name the proxy's port as {port}; and how a sender drops a file there."""

    port: int
    source: dict[str, Any]
    drop: Callable[[str, bytes], None]


def _ftps(open_: ExitStack, home: Path) -> Kind:
    peer = open_.enter_context(ftp_peer(home / "ftp", "explicit"))
    (peer.root / "out").mkdir()
    keys = {"username": peer.username, "password": {"env": "SECRET"}, "ca_file": str(peer.ca_file), "path": "out"}
    source = {"kind": "ftp", "host": "127.0.0.1", "port": "{port}", **keys}

    def drop(name: str, content: bytes) -> None:
        (peer.root / "out" / name).write_bytes(content)

    return Kind(peer.port, source, drop)


def _s3(open_: ExitStack, _: Path) -> Kind:
    url = open_.enter_context(s3_server())
    signed = "AWS4-HMAC-SHA256 Credential=P/20261122/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    inbox = HttpInbox(f"{url}/cut", "out", {"authorization": signed})
    open_.callback(inbox.close)
    keys = {"bucket": "cut", "prefix": "out", "endpoint": "http://127.0.0.1:{port}", "access_key_id": "a"}
    source = {"kind": "s3", **keys, "secret_access_key": {"env": "SECRET"}}
    for path in inbox.paths():
        inbox.remove(path)
    return Kind(urlsplit(url).port or 0, source, inbox.drop)


def _https(open_: ExitStack, home: Path) -> Kind:
    authority, certificate = make_certificate(home)
    peer = open_.enter_context(file_server(certificate)).fresh()
    urls = [f"https://127.0.0.1:{{port}}/out/{name}" for name in _NAMES]
    source = {"kind": "http_pull", "urls": urls, "token": {"env": "SECRET"}, "ca_file": str(authority)}

    def drop(name: str, content: bytes) -> None:
        peer.files[f"/out/{name}"] = content

    return Kind(urlsplit(peer.url).port or 0, source, drop)


def _filled(value: Any, port: int) -> Any:
    if isinstance(value, list):
        return [_filled(one, port) for one in value]
    if value == "{port}":
        return port
    return value.replace("{port}", str(port)) if isinstance(value, str) else value


@pytest.fixture(params=[_ftps, _s3, _https], ids=["ftps", "s3", "https"])
def house(
    request: pytest.FixtureRequest, tmp_path: Path, installation: Installation, sftp: SftpPeer, api: ApiPeer
) -> Iterator[Other]:
    with ExitStack() as open_:
        kind: Kind = request.param(open_, tmp_path)
        proxy = open_.enter_context(proxy_to(kind.port))
        made = installation.rewrite("orders")
        made = replace(made, environ={**made.environ, "SECRET": "right-password"})
        parts = made.parts()
        open_.callback(parts.close)
        house = Other(installation=made, sftp=sftp, api=api, proxy=proxy, parts=parts, drop=kind.drop)
        filled = {key: _filled(value, proxy.port) for key, value in kind.source.items()}
        house.replace_source(**filled, connect_timeout=2, step_timeout=2)
        yield house


@pytest.mark.parametrize("place", _PLACES)
@pytest.mark.parametrize("fault", ["cut_after", "stall_after"])
def test_stream_that_ends_or_stalls(house: Other, fault: str, place: str) -> None:
    """Ended by a reset, or without another byte, at each of the places, again and again (N2, N3, N4)."""
    house.show(1, padding=_PADDING)
    house.proxy.faults = NetworkFaults()
    setattr(house.proxy.faults, fault, _PLACES[place])
    for _ in range(2):
        errors = house.attempt()
        assert all(isinstance(error, SourceError) for error in errors), errors
        house.oracle.check_no_more(house.api)
    if place != "half":  # there, what comes on a connection of its own is never so much
        assert house.proxy.struck
        assert [type(error) for error in errors] == [SourceUnreachable]
    house.judge()


def test_bytes_that_are_damaged(house: Other) -> None:
    """One byte of a connection is another (N13). TLS tells; over plain HTTP a damaged answer is told, too."""
    house.show(1)
    for at in (20, 700, 1_500):
        house.proxy.faults = NetworkFaults(corrupt_at=at)
        errors = house.attempt()
        assert all(isinstance(error, SourceError) for error in errors), errors
        house.oracle.check_no_more(house.api)
    house.judge()


def test_server_that_refuses_and_comes_back(house: Other) -> None:
    """Nobody takes the connection (N1); what lies there afterwards is imported."""
    house.show(1)
    house.proxy.faults = NetworkFaults(refuse=True)
    for _ in range(2):
        (error,) = house.attempt()
        assert isinstance(error, SourceUnreachable), error
    house.judge()
    house.show(2)
    house.judge()


def test_server_that_crawls(house: Other) -> None:
    """2000 bytes a second (N5): each attempt ends, and half a file is no file."""
    house.show(1, padding=_PADDING)
    house.proxy.faults = NetworkFaults(bytes_per_second=2000)
    began = time.monotonic()
    errors = house.attempt()
    assert time.monotonic() - began < 25
    assert all(isinstance(error, SourceError) for error in errors), errors
    house.judge()
