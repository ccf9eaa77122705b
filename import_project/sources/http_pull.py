"""Files at addresses of HTTP servers, through httpx. HTTP has no listing and moves nothing, so the addresses are given,
and a file is held where it lies. Which days' addresses they are, and when they are looked at, is not known here."""

import asyncio
import base64
import contextlib
import logging
import re
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote

from import_project.errors import (
    ConfigError,
    FileChanged,
    FileVanished,
    HostKeyRefused,
    LoginRefused,
    SourceDenied,
    SourceUnreachable,
)
from import_project.records.files import Listed, Staged
from import_project.sources.base import Claimed, Listing, printable, safe

if TYPE_CHECKING:
    import httpx

_AT_ONCE, _REDIRECTS = 8, 5
_PAUSES = (0.2, 0.5, 1.0, 2.0)  # seconds before a cut body is continued, each time longer
_SETTLED = timedelta(seconds=60)  # a Last-Modified younger than this may stand for two versions
_STRONG_TAG = re.compile(r'"[\x21\x23-\x7e]{0,500}"')
# A server that has no HEAD is asked for the first byte; an empty file has none (416).
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
    step_timeout: float = 60.0  # for an answer to begin, and for each pause in its body
    allow_hosts: tuple[str, ...] = ()  # further hosts that a redirect may lead to


class HttpPullSource:
    """Files that can only be read, each named by the last part of its address. ConfigError: one that cannot be used."""

    def __init__(self, place: HttpPlace) -> None:
        self._place = place
        self._urls = _by_name(place.urls)
        self._login = _login(place)
        self._gate: asyncio.Semaphore
        self._client: httpx.AsyncClient

    async def __aenter__(self) -> Self:
        """Make the client; the first question connects. Raises ConfigError when `ca_file` cannot be used."""
        import httpx

        place = self._place
        try:
            trusted = ssl.create_default_context(cafile=place.ca_file) if place.ca_file else True
        except OSError as error:
            raise ConfigError(f"the certificates in {place.ca_file} cannot be used: {error}") from error
        logging.getLogger("httpx").setLevel(logging.WARNING)  # below, it logs each address with its query
        plain = {"Accept-Encoding": "identity"}  # so that sizes and ranges are those of the file
        timeout = httpx.Timeout(None, connect=place.connect_timeout)
        self._client = httpx.AsyncClient(verify=trusted, headers=plain, timeout=timeout)
        self._gate = asyncio.Semaphore(_AT_ONCE)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def list(self, wanted: Callable[[str], bool]) -> Listing:
        """Look at the wanted addresses, a few at once. 404 and 410: no file yet; any other error is the listing's."""
        try:
            async with asyncio.TaskGroup() as group:
                looks = [group.create_task(self._look(name)) for name in self._urls if wanted(name)]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors.exceptions[0].__cause__
        there = [file for look in looks if (file := look.result())]
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

        Raises FileChanged when the file is longer or shorter, or when another version turns up on the way.
        """
        import httpx

        what = f"cannot read {self._shown(file.name)}"
        asked = {"If-Match": file.version} if file.version else {}
        pin = ("etag", file.version) if file.version else None
        came = 0
        with _http_errors(what):
            for pause in (*_PAUSES, None):
                try:
                    async with self._ask("GET", file.name, asked) as answer:
                        _check(answer, what, file.name)
                        _check_body(answer, what, came, size, pin)
                        pin = pin or _dated(answer)
                        body = answer.aiter_raw()
                        while chunk := await asyncio.wait_for(anext(body, b""), self._place.step_timeout):
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
        return _shown(self._urls[name])

    async def _look(self, name: str) -> Listed | None:
        what = f"cannot look at {self._shown(name)}"
        async with self._gate:
            with _http_errors(what):
                for method, asked in _LOOKS:
                    async with self._ask(method, name, asked) as answer:
                        if answer.status_code in {404, 410}:
                            return None
                        if answer.status_code not in {405, 416, 501}:
                            return _listed(answer, what, name)
        raise SourceDenied(f"{what}: the server takes neither HEAD nor GET")

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
                raise SourceDenied(f"{_shown(first)} redirects from https to {url.scheme}, which anybody could read")
            if url.host not in hosts:
                raise SourceDenied(f"{_shown(first)} redirects to {url.host}", do="allow_hosts may name that host")
        raise SourceDenied(f"{_shown(first)} redirects more than {_REDIRECTS} times")


def _by_name(urls: tuple[str, ...]) -> dict[str, "httpx.URL"]:
    import httpx

    named: dict[str, httpx.URL] = {}
    for nth, text in enumerate(urls, 1):
        try:
            url = httpx.URL(text)
        except httpx.InvalidURL:
            url = httpx.URL()
        if url.scheme not in {"http", "https"} or not url.host or url.userinfo:
            raise ConfigError(f"address {nth} must be http or https, with a host and without a login in it")
        name = unquote(_shown(url).rpartition("/")[2], errors="surrogateescape")
        if not name or name in named:
            raise ConfigError(f"{_shown(url)} ends with {'the name of another address' if name else 'no file name'}")
        named[name] = url
    return named


def _login(place: HttpPlace) -> dict[str, str]:
    if place.token is not None:
        if not re.fullmatch(r"[\x21-\x7e]+", place.token):  # else httpx would show it in its error
            raise ConfigError("the token is empty or has a blank, a line break or a letter that cannot be sent")
        return {"Authorization": f"Bearer {place.token}"}
    if place.username is not None:
        both = base64.b64encode(f"{place.username}:{place.password or ''}".encode())
        return {"Authorization": f"Basic {both.decode()}"}
    return {}


def _shown(url: "httpx.URL") -> str:
    return f"{url.scheme}://{url.netloc.decode()}{url.raw_path.partition(b'?')[0].decode()}"


def _check(answer: "httpx.Response", what: str, name: str) -> None:
    status, headers = answer.status_code, answer.headers
    if status in {404, 410, 412, 416}:
        raise FileVanished(f"{what}: it is gone or was replaced ({status})")
    if status in {401, 403}:
        raise LoginRefused(f"{what}: the server answered {status}", do="check the token, or user name and password")
    if status in {407, 408, 425, 429} or status >= 500:
        wait = headers.get("retry-after", "not told")[:40]
        raise SourceUnreachable(f"{what}: the server answered {status}", do=f"Retry-After: {wait}")
    if status not in {200, 206}:
        raise SourceDenied(f"{what}: the server answered {status}")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in {"text/html", "application/xhtml+xml"} and not name.lower().endswith((".htm", ".html")):
        raise SourceDenied(f"{what}: an HTML page came, perhaps a login page", do="look at the address in a browser")
    if (coding := headers.get("content-encoding", "identity").lower()) != "identity":
        raise SourceDenied(f"{what}: it came as {coding[:40]}, though the plain file was asked for")


def _check_body(answer: "httpx.Response", what: str, came: int, size: int, pin: tuple[str, str] | None) -> None:
    # `pin` is the header that tells the version, and its value there
    headers, rest = answer.headers, answer.status_code == 206
    if pin is not None and headers.get(pin[0]) != pin[1]:
        raise FileChanged(f"{what}: it was replaced after {came} of {size} bytes had come")
    if rest != (came > 0):
        raise SourceUnreachable(f"{what}: cut off after {came} bytes, and the server cannot send the rest alone")
    due = f"bytes {came}-{size - 1}/{size}" if rest else str(size)
    told = headers.get("content-range", "nothing") if rest else headers.get("content-length", due)
    if told != due:
        raise FileChanged(f"{what}: the server sends {told[:60]} where {due} was listed")


def _listed(answer: "httpx.Response", what: str, name: str) -> Listed:
    _check(answer, what, name)
    part = answer.headers.get("content-range", "").rpartition("/")[2]
    size = part if answer.status_code == 206 else answer.headers.get("content-length", "")
    if not re.fullmatch(r"[0-9]{1,18}", size):
        raise SourceDenied(f"{what}: the server does not tell the file's size")
    tag, written = answer.headers.get("etag", ""), _time(answer, "last-modified")
    version = tag if _STRONG_TAG.fullmatch(tag) else None
    if version is None and written is None:
        raise SourceDenied(f"{what}: it tells neither ETag nor Last-Modified, so new cannot be told from old")
    return Listed(name=name, size=int(size), mtime=written or datetime.fromtimestamp(0, UTC), version=version)


def _dated(answer: "httpx.Response") -> tuple[str, str] | None:
    """Return the header that tells this version from all others, where there is no ETag."""
    written, now = _time(answer, "last-modified"), _time(answer, "date")
    sure = written is not None and now is not None and now - written >= _SETTLED
    return ("last-modified", answer.headers["last-modified"]) if sure else None


def _time(answer: "httpx.Response", header: str) -> datetime | None:
    with contextlib.suppress(ValueError):
        return parsedate_to_datetime(answer.headers.get(header, "")).replace(tzinfo=UTC)  # HTTP knows no other zone
    return None


@contextlib.contextmanager
def _http_errors(what: str) -> Iterator[None]:
    import httpx

    try:
        yield
    except (TimeoutError, httpx.TimeoutException) as error:
        raise SourceUnreachable(f"{what}: no answer in time") from error
    except (httpx.HTTPError, OSError) as error:
        told = f"{what}: {str(error) or type(error).__name__}"
        if "CERTIFICATE_VERIFY_FAILED" in told:
            raise HostKeyRefused(told, do="name the certificate of the partner's authority as ca_file") from error
        raise SourceUnreachable(told) from error
