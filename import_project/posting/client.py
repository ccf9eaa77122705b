"""One shared HTTP client for one API, with its token, tenant and time-outs. No retries, no ledger."""

import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from import_project.errors import ApiAnswerUnusable, ApiRefusesUs, ApiUnavailable
from import_project.posting.answers import Reply, refuses_us, try_later
from import_project.posting.transport import fast_transport
from import_project.records.postings import Posting

_LARGEST_ANSWER = 64 << 20
_MOST_PAGES = 100_000
_MOST_PATHS = 10_000
_JSON = (b"Content-Type", b"application/json")


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
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        if tenant_id is not None:
            headers["X-Tenant-Id"] = tenant_id
        self._base = httpx.URL(base_url)
        carrier = transport or fast_transport(
            connections=concurrency, connect_seconds=connect_seconds, timeout_seconds=timeout_seconds, ca_file=ca_file
        )
        self._client = httpx.AsyncClient(base_url=base_url, headers=headers, timeout=timeout_seconds, transport=carrier)
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
        return await self.send(posting.method, posting.path, posting.body, posting.key)

    async def send(self, method: str, path: str, content: str, key: str) -> Reply:
        """Send JSON under a key with any method. Returns the reply, or why none came."""
        try:
            return await self._send(method, path, content.encode(), [_JSON, (self._key_header, key.encode())])
        except (ApiUnavailable, ApiAnswerUnusable) as error:  # too large an answer is no whole one
            return Reply(status=None, text=error.what)

    async def get(self, path: str, *, missing: Any = None) -> Any:
        """Return the JSON answer to a GET, numbers with a fraction as text-exact strings; `missing`, where it is given,
        for a 404.

        Raises ApiUnavailable, ApiRefusesUs, or ApiAnswerUnusable for any other answer than 200 with JSON.
        """
        reply = await self._send("GET", path)
        status = reply.status or 0
        if try_later(status):
            raise ApiUnavailable(f"GET {path} answered {status}", do="the next try goes on")
        if refuses_us(status):
            raise ApiRefusesUs(f"GET {path} answered {status}", do="check the API's token and its rights")
        if status == 404 and missing is not None:
            return missing
        if status != 200:
            raise ApiAnswerUnusable(f"GET {path} answered {status}")
        try:
            return json.loads(reply.text, parse_float=str)
        except ValueError:
            raise ApiAnswerUnusable(f"the answer to GET {path} is no JSON") from None

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
        self, method: str, path: str, content: bytes = b"", headers: Iterable[tuple[bytes, bytes]] = ()
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
                    if len(received) > _LARGEST_ANSWER:
                        raise ApiAnswerUnusable(f"the answer to {method} {path} is over {_LARGEST_ANSWER >> 20} MiB")
            finally:
                await answer.aclose()
        except httpx.HTTPError as error:
            what = str(error) or type(error).__name__
            raise ApiUnavailable(f"{method} {self._base.host} {path}: {what}", do="the next try goes on") from error
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
            known = self._client.build_request("GET", path).url
            meant = self._base.join(path)  # which reads //host/path as a browser does
            if (meant.scheme, meant.host, meant.port) != (self._base.scheme, self._base.host, self._base.port):
                raise ApiAnswerUnusable(f"{path} is on another host: the token stays with its own")
            self._urls[path] = known
        return known
