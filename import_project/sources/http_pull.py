"""Files at addresses of HTTP servers, through httpx. HTTP has no listing and moves nothing, so the addresses are given,
and a file is held where it lies. Which days' addresses they are, and when they are looked at, is not known here; what
an answer means, `http_answers` tells."""

import asyncio
import base64
import contextlib
import logging
import re
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Self

from import_project.errors import (
    ConfigError,
    FileChanged,
    FileVanished,
    ImportProjectError,
    SourceDenied,
    SourceUnreachable,
)
from import_project.records.files import Listed, Staged
from import_project.sources.base import Claimed, Listing, printable, safe
from import_project.sources.http_answers import Pace, by_name, check, check_body, dated, http_errors, listed, shown
from import_project.sources.public_hosts import PublicHosts, Resolve, resolve

if TYPE_CHECKING:
    import httpx

_AT_ONCE, _REDIRECTS = 8, 5
# A server without HEAD, or one that tells too little there, is asked for the first byte; an empty file has none (416).
_LOOKS: tuple[tuple[str, dict[str, str]], ...] = (("HEAD", {}), ("GET", {"Range": "bytes=0-0"}), ("GET", {}))


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpPlace:
    """Addresses, each of a file that may not be there yet, and as whom to ask. Secrets stay unseen. Times: seconds."""

    urls: tuple[str, ...] = field(repr=False)  # a query may be secret
    token: str | None = field(default=None, repr=False)
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    connect_timeout: float = 15.0
    step_timeout: float = 60.0  # for an answer to begin, for each pause in its body, and for a body to crawl
    pauses: tuple[float, ...] = (0.2, 0.5, 1.0, 2.0)  # before a cut body is continued
    allow_hosts: tuple[str, ...] = ()  # further hosts that a redirect may lead to
    private_network: bool = False  # whether names may stand for addresses that are not public


class HttpPullSource:
    """Files that can only be read, each named by the last part of its address. ConfigError: one that cannot be used."""

    def __init__(self, place: HttpPlace, resolve: Resolve = resolve) -> None:
        self._place = place
        self._resolve = resolve
        self._urls = by_name(place.urls)
        self._login = _login(place)
        self._client: httpx.AsyncClient

    async def __aenter__(self) -> Self:
        """Make the client; the first question connects. Raises ConfigError when `ca_file` cannot be used."""
        import httpx

        place = self._place
        try:
            trusted = ssl.create_default_context(cafile=place.ca_file) if place.ca_file else _known_authorities()
        except OSError as error:
            raise ConfigError(f"the certificates in {place.ca_file} cannot be used: {error}") from error
        logging.getLogger("httpx").setLevel(logging.WARNING)  # below, it logs each address with its query
        plain = {"Accept-Encoding": "identity"}  # so that sizes and ranges are those of the file
        timeout = httpx.Timeout(None, connect=place.connect_timeout)
        self._client = httpx.AsyncClient(verify=trusted, headers=plain, timeout=timeout)
        if not place.private_network:  # httpx has no other way to it that leaves it the environment's proxies
            pool = self._client._transport._pool  # type: ignore[attr-defined] # noqa: SLF001
            pool._network_backend = PublicHosts(pool._network_backend, self._resolve)  # noqa: SLF001
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def list(self, wanted: Callable[[str], bool]) -> Listing:
        """Look at the wanted addresses, a few at once. 404 and 410: no file yet; any other error is the listing's.

        Looks under way end by themselves: httpx leaves a connection open that is cancelled while TLS is agreed upon.
        """
        gate, failed = asyncio.Semaphore(_AT_ONCE), list[ImportProjectError]()

        async def look(name: str) -> Listed | None:
            async with gate:
                try:
                    return None if failed else await self._look(name)
                except ImportProjectError as error:
                    failed.append(error)
                    return None

        looked = await asyncio.gather(*(look(name) for name in self._urls if wanted(name)))
        if failed:
            raise failed[0]
        there = [file for file in looked if file]
        unsafe = tuple(printable(file.name) for file in there if not safe(file.name))
        return Listing(files=tuple(file for file in there if safe(file.name)), unsafe=unsafe)

    async def held(self, folder: str) -> tuple[Claimed, ...]:
        """No file can be moved into a folder."""
        return ()

    async def being_written(self, name: str) -> bool:
        """No HTTP server tells."""
        return False

    async def claim(self, file: Staged) -> bool:
        """Whether the file is there, in the version that was seen. Nothing holds it there: the ledger alone claims."""
        with contextlib.suppress(FileVanished):
            return bool(await self.facts(file))
        return False

    async def facts(self, file: Staged) -> Listed:
        """Ask again; a changed ETag is another file."""
        now = await self._look(file.name)
        if now is None or (file.version is not None and now.version != file.version):
            raise FileVanished(f"{self._shown(file.name)} is gone or was replaced")
        return now

    async def open(self, file: Staged, size: int) -> AsyncIterator[bytes]:
        """Read exactly `size` bytes of one version; where the connection is cut, go on from there, a few times.

        Raises FileChanged when the file is longer or shorter, or when another version turns up on the way, and
        SourceUnreachable when it crawls in.
        """
        import httpx

        what = f"cannot read {self._shown(file.name)}"
        asked = {"If-Match": file.version} if file.version else {}
        pin = ("etag", file.version) if file.version else None
        came = 0
        with http_errors(what):
            for pause in (*self._place.pauses, None):
                pace = Pace(what, self._place.step_timeout)
                try:
                    async with self._ask("GET", file.name, asked) as answer:
                        check(answer, what, file.name)
                        check_body(answer, what, came, size, pin)
                        pin = pin or dated(answer)
                        body = answer.aiter_raw()
                        while chunk := await pace.next(body):
                            came += len(chunk)
                            if came > size:
                                raise FileChanged(f"{what}: more than the {size} listed bytes came")
                            yield chunk
                except (httpx.NetworkError, httpx.RemoteProtocolError):
                    if came == 0:
                        raise
                if came == size:
                    return
                if came == 0 or pin is None or pause is None:
                    raise SourceUnreachable(f"{what}: cut off after {came} of {size} bytes", do="the next try goes on")
                await asyncio.sleep(pause)
                asked |= {"Range": f"bytes={came}-", "If-Range": pin[1]}

    async def set_aside(self, file: Staged, target: str, *, if_taken: str) -> str:
        """Raise SourceDenied. Callers move nothing at a source that only reads."""
        raise SourceDenied(f"cannot set {file.name} aside: an HTTP source only reads")

    async def try_out(self, folder: str) -> None:
        """Raise SourceDenied. Callers need no rights to move at a source that only reads."""
        raise SourceDenied(f"cannot write into {folder}: an HTTP source only reads")

    def _shown(self, name: str) -> str:
        if name not in self._urls:
            raise FileVanished(f"no address of the feed ends with {printable(name)} any more")
        return shown(self._urls[name])

    async def _look(self, name: str) -> Listed | None:
        what, why = f"cannot look at {self._shown(name)}", "the server takes neither HEAD nor GET"
        with http_errors(what):
            for method, asked in _LOOKS:
                async with self._ask(method, name, asked) as answer:
                    if answer.status_code in {404, 410}:
                        return None
                    # A presigned address is signed for GET alone: HEAD gets 403.
                    if answer.status_code in {405, 416, 501} or (answer.status_code, method) == (403, "HEAD"):
                        continue
                    if (file := listed(answer, what, name)) is not None:
                        return file
                    why = "the server does not tell the file's size"
        raise SourceDenied(f"{what}: {why}")

    @contextlib.asynccontextmanager
    async def _ask(self, method: str, name: str, asked: dict[str, str]) -> AsyncIterator["httpx.Response"]:
        """Give the answer, its body still to come. Redirects are followed here: httpx would follow them to any host."""
        first = url = self._urls[name]
        hosts = {first.host, *(host.lower() for host in self._place.allow_hosts)}
        for _ in range(_REDIRECTS + 1):
            login = self._login if (url.host, url.port) == (first.host, first.port) else {}
            request = self._client.build_request(method, url, headers=asked | login)
            async with asyncio.timeout(self._place.connect_timeout + self._place.step_timeout):
                answer = await self._client.send(request, stream=method == "GET")
            async with contextlib.aclosing(answer):
                if answer.next_request is None:
                    yield answer
                    return
                url = answer.next_request.url.copy_with(userinfo=b"")
            if url.scheme not in {"https", request.url.scheme}:
                raise SourceDenied(f"{shown(first)} redirects from https to {url.scheme}, which anybody could read")
            if url.host not in hosts:
                raise SourceDenied(f"{shown(first)} redirects to {url.host}", do="allow_hosts may name that host")
        raise SourceDenied(f"{shown(first)} redirects more than {_REDIRECTS} times")


@cache
def _known_authorities() -> ssl.SSLContext:
    """Return httpx's trusted authorities, read once: that takes 30 ms, and sources are opened at each look."""
    import httpx

    return httpx.create_ssl_context()


def _login(place: HttpPlace) -> dict[str, str]:
    if place.token is not None:
        if not re.fullmatch(r"[\x21-\x7e]+", place.token):  # else httpx would show it in its error
            raise ConfigError("the token is empty or has a blank, a line break or a letter that cannot be sent")
        return {"Authorization": f"Bearer {place.token}"}
    if place.username is not None:
        both = base64.b64encode(f"{place.username}:{place.password or ''}".encode())
        return {"Authorization": f"Basic {both.decode()}"}
    return {}
