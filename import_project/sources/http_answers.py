"""What an HTTP address and the answer from it mean for a file: its name, size and version, how fast it comes, or one of
our errors. Nothing is asked here."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
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
from import_project.records.files import Listed

if TYPE_CHECKING:
    import httpx

_SETTLED = timedelta(seconds=60)  # a Last-Modified younger than this may stand for two versions
_STRONG_TAG = re.compile(r'"[\x21\x23-\x7e]{0,500}"')
_SLOWEST = 1024  # bytes a second


class Pace:
    """Whether a body comes fast enough. Only the waiting for it counts, not what the reader does in between."""

    def __init__(self, what: str, seconds: float) -> None:
        self._what, self._seconds = what, seconds
        self._waited, self._came = 0.0, 0

    async def next(self, body: AsyncIterator[bytes]) -> bytes:
        """Return the next chunk, or nothing at the end.

        Raises TimeoutError when none comes for `seconds`, SourceUnreachable for less than 1 KiB/s over so long.
        """
        clock = asyncio.get_running_loop().time
        began = clock()
        chunk = await asyncio.wait_for(anext(body, b""), self._seconds)
        self._waited, self._came = self._waited + clock() - began, self._came + len(chunk)
        if chunk and self._waited >= self._seconds:
            if self._came < _SLOWEST * self._waited:
                told = f"only {self._came} bytes came in {self._waited:.1f} seconds"
                raise SourceUnreachable(f"{self._what}: {told}", do="ask the partner why the server is so slow")
            self._waited, self._came = 0.0, 0
        return chunk


def shown(url: "httpx.URL") -> str:
    """Return an address as errors name it: without the query, which may be secret."""
    return f"{url.scheme}://{url.netloc.decode()}{url.raw_path.partition(b'?')[0].decode()}"


def by_name(urls: tuple[str, ...]) -> dict[str, "httpx.URL"]:
    """Return addresses by the file name that each ends with. Raises ConfigError for one that cannot be used."""
    import httpx

    named: dict[str, httpx.URL] = {}
    for nth, text in enumerate(urls, 1):
        try:
            url = httpx.URL(text)
        except httpx.InvalidURL:
            url = httpx.URL()
        if url.scheme not in {"http", "https"} or not url.host or url.userinfo:
            raise ConfigError(f"address {nth} must be http or https, with a host and without a login in it")
        name = unquote(shown(url).rpartition("/")[2], errors="surrogateescape")
        if not name or name in named:
            raise ConfigError(f"{shown(url)} ends with {'the name of another address' if name else 'no file name'}")
        named[name] = url
    return named


def check(answer: "httpx.Response", what: str, name: str) -> None:
    """Raise the error that an answer without the file stands for; `what` could not be done."""
    status, headers = answer.status_code, answer.headers
    if status in {404, 410, 412, 416}:
        raise FileVanished(f"{what}: it is gone or was replaced ({status})")
    if status == 401:
        raise LoginRefused(f"{what}: the server answered 401", do="check the token, or user name and password")
    if status == 403:  # also what stores say of a file that is not there yet: the next poll asks again
        raise SourceDenied(f"{what}: the server answered 403", do="check the token's rights, and the address")
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


def check_body(answer: "httpx.Response", what: str, came: int, size: int, pin: tuple[str, str] | None) -> None:
    """Check that the rest of the listed version follows, from the byte `came` on.

    `pin` is the header that tells the version, and its value there. Raises FileChanged for other bytes, and
    SourceUnreachable when the server begins anew.
    """
    headers, rest = answer.headers, answer.status_code == 206
    if pin is not None and headers.get(pin[0]) != pin[1]:
        raise FileChanged(f"{what}: it was replaced after {came} of {size} bytes had come")
    if rest != (came > 0):
        raise SourceUnreachable(f"{what}: cut off after {came} bytes, and the server cannot send the rest alone")
    due = f"bytes {came}-{size - 1}/{size}" if rest else str(size)
    told = headers.get("content-range", "nothing") if rest else headers.get("content-length", due)
    if told != due:
        raise FileChanged(f"{what}: the server sends {told[:60]} where {due} was listed")


def listed(answer: "httpx.Response", what: str, name: str) -> Listed | None:
    """Return what an answer tells of the file, or None when it does not tell the size."""
    check(answer, what, name)
    part = answer.headers.get("content-range", "").rpartition("/")[2]
    size = part if answer.status_code == 206 else answer.headers.get("content-length", "")
    if not re.fullmatch(r"[0-9]{1,18}", size):
        return None
    tag, written = answer.headers.get("etag", ""), _time(answer, "last-modified")
    version = tag if _STRONG_TAG.fullmatch(tag) else None
    if version is None and written is None:
        raise SourceDenied(f"{what}: it tells neither ETag nor Last-Modified, so new cannot be told from old")
    return Listed(name=name, size=int(size), mtime=written or datetime.fromtimestamp(0, UTC), version=version)


def dated(answer: "httpx.Response") -> tuple[str, str] | None:
    """Return the header that tells this version from all others, where there is no ETag."""
    written, now = _time(answer, "last-modified"), _time(answer, "date")
    sure = written is not None and now is not None and now - written >= _SETTLED
    return ("last-modified", answer.headers["last-modified"]) if sure else None


def _time(answer: "httpx.Response", header: str) -> datetime | None:
    with contextlib.suppress(ValueError):
        return parsedate_to_datetime(answer.headers.get(header, "")).replace(tzinfo=UTC)  # HTTP knows no other zone
    return None


@contextlib.contextmanager
def http_errors(what: str) -> Iterator[None]:
    """Turn httpx's errors into ours; `what` could not be done."""
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
