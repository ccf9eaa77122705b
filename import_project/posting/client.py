"""One shared HTTP client for one API, with its token, tenant and time-outs. No retries, no ledger."""

import json
import logging
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from import_project.errors import ApiAnswerUnusable, ApiRefusesUs, ApiUnavailable, ConfigError
from import_project.posting.answers import Reply, refuses_us, try_later
from import_project.posting.transport import cause_of, fast_transport, never_left
from import_project.records.postings import Posting

_LARGEST_ANSWER = 64 << 20
_MOST_PAGES = 100_000
_MOST_PATHS = 10_000
_LONGEST_PATH = 8_000
_LARGEST_RECEIPT = 1 << 20
_JSON = (b"Content-Type", b"application/json")


class _NoCookies(httpx.Cookies):
    """Keeps none: an API is known by its token, and looking for cookies costs a sixth of a post."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Take nothing."""


class _Client(httpx.AsyncClient):
    @property
    def cookies(self) -> httpx.Cookies:
        """There are none."""
        return _NoCookies()

    @cookies.setter
    def cookies(self, cookies: object) -> None:
        raise AttributeError("no cookies are kept")


class ImportApiClient:
    """An async context manager over one httpx client; `transport` stands in for the network in tests.

    TLS is verified, redirects are not followed, so that the token stays with its host. Seconds: `connect_seconds` to
    connect, `timeout_seconds` for each read, both together for a whole request.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        tenant_id: str | None = None,
        *,
        timeout_seconds: float = 30.0,
        connect_seconds: float = 10.0,
        concurrency: int = 16,
        key_header: str = "Idempotency-Key",
        ca_file: Path | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        if not all(c.isascii() and c.isprintable() for c in f"{token}{tenant_id or ''}"):
            raise ConfigError(
                "the API's token or tenant holds what no header can", do="look for a line break in its file"
            )
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        if tenant_id is not None:
            headers["X-Tenant-Id"] = tenant_id
        logging.getLogger("httpx").setLevel(logging.WARNING)  # below, it logs each address with its query
        self._base = httpx.URL(base_url)
        carrier = transport or fast_transport(
            connections=concurrency, connect_seconds=connect_seconds, timeout_seconds=timeout_seconds, ca_file=ca_file
        )
        self._client = _Client(base_url=base_url, headers=headers, timeout=timeout_seconds, transport=carrier)
        self._headers = list(self._client.headers.raw)
        self._urls: dict[str, httpx.URL] = {}
        self.concurrency = concurrency
        self._key_header = key_header.encode()

    async def __aenter__(self) -> Self:
        """Open the connection pool."""
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        await self._client.__aexit__(kind, error, trace)

    async def post(self, path: str, body: Any, *, key: str) -> Reply:
        """Post a body as JSON under an idempotency key. Returns the reply, whatever it says, or why none came."""
        return await self.send("POST", path, json.dumps(body, ensure_ascii=False, separators=(",", ":")), key)

    async def deliver(self, posting: Posting) -> Reply:
        """Send a frozen posting as it is, with its key. Returns the reply, or why none came."""
        return await self.send(posting.method, posting.path, posting.body, posting.key, most=_LARGEST_RECEIPT)

    async def send(self, method: str, path: str, content: str, key: str, *, most: int = _LARGEST_ANSWER) -> Reply:
        """Send JSON under a key with any method. Returns the reply, of at most so many bytes, or why none came."""
        headers = [_JSON, (self._key_header, key.encode())]
        try:
            return await self._send(method, path, content.encode(), headers, most=most)
        except (ApiUnavailable, ApiAnswerUnusable) as error:  # too large an answer is no whole one
            return Reply(status=None, text=error.what, left=getattr(error, "left", True))

    async def get(self, path: str, *, missing: Any = None) -> Any:
        """Return the JSON answer to a GET, numbers with a fraction as text-exact strings; `missing`, where it is given,
        for a 404.

        Raises ApiUnavailable, ApiRefusesUs, or ApiAnswerUnusable for any other answer than 200 with JSON.
        """
        reply = await self._send("GET", path)
        status, what = reply.status or 0, f"GET {_shown(path)}"
        if try_later(status):
            raise ApiUnavailable(f"{what} answered {status}", do="the next try goes on", retry_after=reply.retry_after)
        if refuses_us(status):
            raise ApiRefusesUs(f"{what} answered {status}", do="check the API's token and its rights")
        if missing is not None and (status in {204, 404} or (status == 200 and not reply.text.strip())):
            return missing
        if status != 200:
            raise ApiAnswerUnusable(f"{what} answered {status}")
        try:
            return json.loads(reply.text, parse_float=str)
        except (ValueError, RecursionError):
            raise ApiAnswerUnusable(f"the answer to {what} is no JSON") from None

    async def pages(self, path: str) -> AsyncIterator[dict[str, Any]]:
        """Yield the items of all pages: `{"items": [...], "next": path or null}`. A page of another host is refused."""
        following: str | None = path
        for _ in range(_MOST_PAGES):
            if following is None:
                return
            page = await self.get(following)
            if not isinstance(page, dict) or not isinstance(page.get("items"), list):
                raise ApiAnswerUnusable(f"a page of {path} has no items")
            for item in page["items"]:
                yield item
            following = page.get("next")
        raise ApiAnswerUnusable(f"{path} has more than {_MOST_PAGES} pages")

    async def _send(
        self,
        method: str,
        path: str,
        content: bytes = b"",
        headers: Iterable[tuple[bytes, bytes]] = (),
        *,
        most: int = _LARGEST_ANSWER,
    ) -> Reply:
        """Send a request that is built by hand: for each, httpx would parse the same address and headers anew."""
        request = httpx.Request(method, self._url(path), headers=[*self._headers, *headers], content=content)
        request.headers.encoding = "ascii"  # else guessed anew each time it is read
        try:
            answer = await self._client.send(request, stream=True)
            try:
                received = bytearray()
                async for chunk in answer.aiter_bytes():
                    received += chunk
                    if len(received) > most:
                        raise ApiAnswerUnusable(f"the answer to {method} {_shown(path)} is over {most >> 20} MiB")
            finally:
                await answer.aclose()
        except (httpx.HTTPError, ValueError) as error:  # ValueError: a header that is no text
            what = f"{method} {self._base.host}{_shown(path)}: {cause_of(error)}"
            raise ApiUnavailable(what, do="the next try goes on", left=not never_left(error)) from error
        return Reply(
            status=answer.status_code,
            text=received.decode("utf-8", "replace"),
            retry_after=answer.headers.get("retry-after"),
            html="html" in answer.headers.get("content-type", ""),
        )

    def _url(self, path: str) -> httpx.URL:
        known = self._urls.get(path)
        if known is None:
            if len(self._urls) >= _MOST_PATHS:
                self._urls.clear()
            if len(path) > _LONGEST_PATH:
                raise ApiAnswerUnusable(f"a path of {len(path):,} characters is none")
            known = self._client.build_request("GET", path).url
            meant = self._base.join(path)  # which reads //host/path as a browser does
            if (meant.scheme, meant.host, meant.port) != (self._base.scheme, self._base.host, self._base.port):
                raise ApiAnswerUnusable(f"{_shown(path)} is on another host: the token stays with its own")
            self._urls[path] = known
        return known


def _shown(path: str) -> str:
    """A path without its query, which may name a customer."""
    return path.partition("?")[0]
