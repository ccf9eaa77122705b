"""Names that must stand for public addresses: a partner's name that leads into a network of ours would make us its hand
there (server-side request forgery). What is asked of a host is not known here."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpcore

from import_project.errors import SourceDenied

#: Networks whose addresses lead to an IPv4 address in them, and where its bits begin: NAT64, 6to4, the oldest form.
_CARRIERS = ((IPv6Network("64:ff9b::/96"), 0), (IPv6Network("2002::/16"), 80), (IPv6Network("::/96"), 0))
#: A house's own NAT64 (RFC 8215): where in its addresses the IPv4 one lies, only the house knows.
_OWN_NAT64 = IPv6Network("64:ff9b:1::/48")

#: Returns the addresses of a host, for a port; raises OSError when it has none.
Resolve = Callable[[str, int], Awaitable[list[str]]]


class PublicHosts(httpcore.AsyncNetworkBackend):
    """Connects to the very addresses it has looked at, so that a name cannot change its mind in between.

    An address that is written as such, and `localhost`, are what whoever wrote them means. Raises SourceDenied for a
    name with an address that is private, of this machine, or of its network.
    """

    def __init__(self, beneath: httpcore.AsyncNetworkBackend, resolve: Resolve) -> None:
        self._beneath = beneath
        self._resolve = resolve

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of a host that answers."""
        addresses = [host] if _meant(host) else await self._public(host, port)
        for address in addresses[:-1]:
            try:
                return await self._beneath.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._beneath.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raise SourceDenied: no address names one."""
        raise SourceDenied(f"cannot read from the socket {path}: it is of this machine")

    async def sleep(self, seconds: float) -> None:
        """Wait, as httpcore wishes."""
        await self._beneath.sleep(seconds)

    async def _public(self, host: str, port: int) -> list[str]:
        try:
            addresses = await self._resolve(host, port)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        for address in addresses:
            if not _public(address.partition("%")[0]):
                told = f"{host} is at {address}, which is an address of a private network"
                raise SourceDenied(told, do="if it is meant, `private_network: true` beside the addresses says so")
        return addresses


def _public(text: str) -> bool:
    """Whether an address is one of the open network; of those that carry an IPv4 address in them, whether that is."""
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        for network, shift in _CARRIERS:
            if address in network:
                return _public(str(IPv4Address((int(address) >> shift) & 0xFFFFFFFF)))
        if address.is_site_local or address in _OWN_NAT64:
            return False
    return address.is_global and not address.is_multicast


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host as this machine knows them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _meant(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return host == "localhost"
    return True
