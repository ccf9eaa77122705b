"""Names that lead an HTTP source into networks of ours, by a resolver that says what we like."""

import asyncio
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import httpcore
import pytest

from import_project.errors import SourceDenied, SourceUnreachable
from import_project.sources.http_pull import HttpPlace, HttpPullSource
from import_project.sources.public_hosts import PublicHosts, resolve
from import_project_tests.file_server import FilePeer, file_server
from import_project_tests.sources.contract import names

_PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.9",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",
    "::127.0.0.1",
    "fec0::1",
    "ff0e::1",
    "::1",
    "fd00::1",
    "fe80::1%eth0",
    "::ffff:10.0.0.1",
]


@pytest.fixture
def peer() -> Iterator[FilePeer]:
    with file_server() as server:
        yield server.fresh()


@dataclass
class Network(httpcore.AsyncNetworkBackend):
    """A network whose hosts are all down, but for one; `asked` are the addresses it was asked to connect to."""

    up: str
    asked: list[str] = field(default_factory=list)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.asked.append(host)
        if host != self.up:
            raise httpcore.ConnectError(f"{host} is down")
        return httpcore.AsyncMockStream([])


def connected(network: Network, host: str, addresses: list[str]) -> list[str]:
    async def told(_host: str, _port: int) -> list[str]:
        return addresses

    asyncio.run(PublicHosts(network, told).connect_tcp(host, 443))
    return network.asked


@pytest.mark.parametrize("address", _PRIVATE)
def test_name_of_a_private_address_is_refused_and_nobody_asked(address: str) -> None:
    network = Network(up=address)
    for addresses in ([address], ["93.184.216.34", address]):
        with pytest.raises(SourceDenied, match=r"bank\.example is at .* private network") as error:
            connected(network, "bank.example", addresses)
        assert "private_network: true" in str(error.value)
    assert network.asked == []


@pytest.mark.parametrize("address", ["64:ff9b::5db8:d822", "2002:5db8:d822::1"])
def test_address_that_carries_a_public_one_is_public(address: str) -> None:
    assert connected(Network(up=address), "bank.example", [address]) == [address]


def test_connects_to_the_addresses_it_has_looked_at() -> None:
    addresses = ["93.184.216.34", "93.184.216.35", "2606:2800:220:1::1"]
    assert connected(Network(up=addresses[1]), "bank.example", addresses) == addresses[:2]
    with pytest.raises(httpcore.ConnectError, match="2606:2800:220:1::1 is down"):
        connected(Network(up="none"), "bank.example", addresses)


@pytest.mark.parametrize("host", ["10.1.2.3", "::1", "localhost"])
def test_address_that_is_written_as_one_is_meant(host: str) -> None:
    assert connected(Network(up=host), host, ["not asked for"]) == [host]


def test_feed_whose_partner_leads_home(peer: FilePeer) -> None:
    """From the source: the name stands for this machine, and its server is not asked, unless the feed means it."""
    peer.files["/in/a.csv"] = b"hello"
    port = int(peer.url.rpartition(":")[2])
    there = HttpPlace(urls=(f"http://bank.example:{port}/in/a.csv",))

    async def home(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    with pytest.raises(SourceDenied, match=r"bank\.example is at 127\.0\.0\.1"):
        names(HttpPullSource(there, home))
    assert peer.asked == []
    assert names(HttpPullSource(HttpPlace(urls=(f"{peer.url}/in/a.csv",)), home)) == {"a.csv"}
    meant = HttpPlace(urls=(f"http://{socket.gethostname()}:1/a.csv",), private_network=True)
    with pytest.raises(SourceUnreachable):
        names(HttpPullSource(meant, home))


def test_unknown_host_is_unreachable() -> None:
    async def nobody(_host: str, _port: int) -> list[str]:
        raise socket.gaierror("Name or service not known")

    with pytest.raises(SourceUnreachable, match="not known"):
        names(HttpPullSource(HttpPlace(urls=("http://bank.example/a.csv",)), nobody))
    assert asyncio.run(resolve("127.0.0.1", 80)) == ["127.0.0.1"]
