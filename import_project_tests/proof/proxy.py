"""A network that misbehaves: a TCP proxy in a thread of this process, whose faults strike what a server sends; and an
installation that reads from an SFTP server through it. The proxy knows nothing of what passes.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from import_project.demo.sftp_server import write_known_hosts
from import_project.errors import ImportProjectError
from import_project.pipeline.parts import Parts
from import_project.pipeline.see import see
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation
from import_project_tests.proof.oracle import Oracle, orders
from import_project_tests.servers import LoopThread, SftpPeer

_BLOCK = 1 << 16
_TICK = 0.02
_PATIENCE = 30.0


@dataclass
class NetworkFaults:
    """What the network does to each connection; places are numbers of bytes that came from the server. A stalled
    connection passes nothing more until the client leaves; `refuse` closes each new one at once."""

    cut_after: int | None = None
    stall_after: int | None = None
    corrupt_at: int | None = None
    bytes_per_second: float | None = None
    refuse: bool = False


@dataclass
class Proxy:
    """A proxy, its faults, and what it saw: connections that are open now, how often a fault struck, and how many bytes
    of the server passed in each connection, in the order in which they were opened."""

    port: int = 0
    faults: NetworkFaults = field(default_factory=NetworkFaults)
    open_now: int = 0
    struck: int = 0
    passed: list[int] = field(default_factory=list)

    @property
    def ever(self) -> int:
        """How many connections were ever opened."""
        return len(self.passed)

    def heal(self) -> None:
        """Let everything pass."""
        self.faults = NetworkFaults()


@contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    """Forward to a port of this machine."""
    proxy = Proxy()

    async def listen() -> asyncio.Server:
        return await asyncio.start_server(lambda r, w: _serve(proxy, port, r, w), "127.0.0.1", 0)

    async def stop(server: asyncio.Server) -> None:
        server.close()

    with LoopThread() as thread:
        server = thread.call(listen())
        proxy.port = server.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            thread.call(stop(server))


async def _serve(proxy: Proxy, port: int, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
    """Serve one connection, until either side ends it."""
    number = len(proxy.passed)
    proxy.passed.append(0)
    proxy.open_now += 1
    to_server: asyncio.StreamWriter | None = None
    ways: list[asyncio.Task[None]] = []
    try:
        if proxy.faults.refuse:
            proxy.struck += 1
            return
        server, to_server = await asyncio.open_connection("127.0.0.1", port)
        ways = [asyncio.create_task(_there(client, to_server))]
        ways.append(asyncio.create_task(_back(proxy, number, server, to_client)))
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        to_client.close()
        if to_server is not None:
            to_server.close()
        proxy.open_now -= 1


async def _there(client: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await client.read(_BLOCK):
            to_server.write(data)
            await to_server.drain()


async def _back(proxy: Proxy, number: int, server: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
    """Pass what the server sends, with the faults that are set at the time."""
    with suppress(ConnectionError):
        while data := await server.read(_BLOCK):
            faults, start = proxy.faults, proxy.passed[number]
            ends = [at for at in (faults.cut_after, faults.stall_after) if at is not None and at < start + len(data)]
            if ends:
                data = data[: max(0, min(ends) - start)]
            if faults.corrupt_at is not None and start <= faults.corrupt_at < start + len(data):
                here = faults.corrupt_at - start
                data = data[:here] + bytes([data[here] ^ 0xFF]) + data[here + 1 :]
                proxy.struck += 1
            await _send(proxy, number, data, to_client)
            if ends:
                proxy.struck += 1
                if min(ends) == faults.stall_after:
                    await asyncio.Event().wait()
                to_client.transport.abort()
                return


async def _send(proxy: Proxy, number: int, data: bytes, to_client: asyncio.StreamWriter) -> None:
    """Send at the speed there is, which may change meanwhile."""
    while data:
        speed = proxy.faults.bytes_per_second
        piece = data if speed is None else data[: max(1, int(speed * _TICK))]
        to_client.write(piece)
        await to_client.drain()
        proxy.passed[number] += len(piece)
        data = data[len(piece) :]
        if speed is not None:
            await asyncio.sleep(len(piece) / speed)


@dataclass
class House:
    """An installation whose example feed `orders` reads from the SFTP server through a proxy."""

    installation: Installation
    sftp: SftpPeer
    api: ApiPeer
    proxy: Proxy
    parts: Parts
    oracle: Oracle = field(default_factory=Oracle)

    @property
    def inbox(self) -> Path:
        """The folder on the server."""
        return self.sftp.root / "out"

    @property
    def known_host(self) -> str:
        """How known_hosts names the proxied server."""
        return f"[127.0.0.1]:{self.proxy.port}"

    def show(self, number: int, padding: int = 0) -> bytes:
        """Put a file with six rows of its own on the server."""
        content = orders(number, padding=padding)
        self.oracle.show(self.inbox, f"orders_{number}.csv", content)
        return content

    def source(self, **keys: Any) -> None:
        """Change keys of the feed's source."""
        self.replace_source(**{**self._feed()["source"], **keys})

    def replace_source(self, **source: Any) -> None:
        """Let the feed read from another source."""
        self._path.write_text(yaml.safe_dump({**self._feed(), "source": source}), "utf-8")

    @property
    def _path(self) -> Path:
        return Path(self.installation.environ["IMPORT_PROJECT_FEEDS"]) / "orders.yaml"

    def _feed(self) -> dict[str, Any]:
        feed: dict[str, Any] = yaml.safe_load(self._path.read_text("utf-8"))
        return feed

    def attempt(self) -> list[ImportProjectError]:
        """Poll, and run what that asks for, when every wait is over. Returns the errors; any other one is raised."""
        self.installation.clock.advance(hours=2)
        began, errors = time.monotonic(), list[ImportProjectError]()
        try:
            for request in self.installation.poll(self.parts, "orders"):
                try:
                    self.installation.run(self.parts, "orders", request, owner=request.key)
                except ImportProjectError as error:
                    errors.append(error)
        except ImportProjectError as error:
            errors.append(error)
        assert time.monotonic() - began < _PATIENCE
        return errors

    def problems(self) -> tuple[str, ...]:
        """What a poll tells that asks for no run."""
        self.installation.clock.advance(hours=2)
        seen = asyncio.run(see(self.parts, self.installation.feed("orders")))
        assert seen.requests == ()
        return seen.problems

    def judge(self) -> None:
        """Without a fault, and with time: all that was shown is imported once, and stays so."""
        self.proxy.heal()
        self.source(**{key: 20 for key in self._feed()["source"] if key.endswith("_timeout")})
        for _ in range(3):
            assert self.attempt() == []
        self.oracle.check_effects(self.api)
        self.oracle.check_ledger(self.parts)


@contextmanager
def house_of(installation: Installation, sftp: SftpPeer, api: ApiPeer) -> Iterator[House]:
    """Build it; each step at the source may take two seconds."""
    with proxy_to(sftp.port) as proxy:
        environ = {**installation.environ, "BANK_PORT": str(proxy.port)}
        write_known_hosts(sftp.home, proxy.port)
        proxied = replace(installation, environ=environ).rewrite("orders")
        feeds = Path(proxied.environ["IMPORT_PROJECT_FEEDS"])
        bank = yaml.safe_load((feeds / "bankgiro.yaml").read_text("utf-8"))
        feed = yaml.safe_load((feeds / "orders.yaml").read_text("utf-8"))
        (feeds / "orders.yaml").write_text(yaml.safe_dump({**feed, "source": bank["source"]}), "utf-8")
        parts = proxied.parts()
        house = House(installation=proxied, sftp=sftp, api=api, proxy=proxy, parts=parts)
        house.source(**dict.fromkeys(("connect_timeout", "login_timeout", "step_timeout"), 2))
        try:
            yield house
        finally:
            parts.close()
