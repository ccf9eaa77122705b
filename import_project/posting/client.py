"""One shared HTTP client for one API, with its token, tenant and time-outs. No retries, no ledger."""

import json
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import httpx

from import_project.errors import ApiAnswerUnusable, ApiRefusesUs, ApiUnavailable
from import_project.records.postings import Posting

_LARGEST_ANSWER = 64 << 20
_TRY_LATER = frozenset({408, 409, 425, 429})
_REFUSED = frozenset({401, 403})
_MOST_PAGES = 100_000


def try_later(status: int) -> bool:
    """Whether a status says that the same request may be right later."""
    return status in _TRY_LATER or status >= 500


def refuses_us(status: int) -> bool:
    """Whether a status is about our token or rights, not about the request."""
    return status in _REFUSED


class ImportApiClient:
    """An async context manager; TLS is verified, redirects are not followed, so that the token stays with its host."""

    def __init__(
        self,
        base_url: str,
        token: str,
        tenant_id: str | None = None,
        *,
        timeout_seconds: float = 30.0,
        concurrency: int = 8,
        key_header: str = "Idempotency-Key",
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        if tenant_id is not None:
            headers["X-Tenant-Id"] = tenant_id
        limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
        self._base = httpx.URL(base_url)
        self._client = httpx.AsyncClient(
            base_url=base_url, headers=headers, timeout=timeout_seconds, limits=limits, transport=transport
        )
        self.concurrency = concurrency
        self._key_header = key_header

    async def __aenter__(self) -> Self:
        """Open the connection pool."""
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        await self._client.__aexit__(kind, error, trace)

    async def post(self, posting: Posting) -> tuple[int, str]:
        """Post a frozen body as it is, with its key. Returns status and answer. Raises ApiUnavailable when no answer
        came."""
        headers = {"Content-Type": "application/json", self._key_header: posting.key}
        return await self._send("POST", posting.path, content=posting.body.encode(), headers=headers)

    async def get(self, path: str) -> Any:
        """Return the JSON answer to a GET, numbers with a fraction as text-exact strings.

        Raises ApiUnavailable, ApiRefusesUs, or ApiAnswerUnusable for any other answer than 200 with JSON.
        """
        status, text = await self._send("GET", path)
        if try_later(status):
            raise ApiUnavailable(f"GET {path} answered {status}", do="the next try goes on")
        if refuses_us(status):
            raise ApiRefusesUs(f"GET {path} answered {status}", do="check the API's token and its rights")
        if status != 200:
            raise ApiAnswerUnusable(f"GET {path} answered {status}")
        try:
            return json.loads(text, parse_float=str)
        except ValueError:
            raise ApiAnswerUnusable(f"the answer to GET {path} is no JSON") from None

    async def pages(self, path: str) -> AsyncIterator[dict[str, Any]]:
        """Yield the items of all pages: `{"items": [...], "next": path or null}`. A page of another host is refused."""
        following: str | None = path
        for _ in range(_MOST_PAGES):
            if following is None:
                return
            if self._base.join(following).host != self._base.host:
                raise ApiAnswerUnusable(f"the next page of {path} is on another host")
            page = await self.get(following)
            if not isinstance(page, dict) or not isinstance(page.get("items"), list):
                raise ApiAnswerUnusable(f"a page of {path} has no items")
            for item in page["items"]:
                yield item
            following = page.get("next")
        raise ApiAnswerUnusable(f"{path} has more than {_MOST_PAGES} pages")

    async def _send(
        self, method: str, path: str, *, content: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        try:
            async with self._client.stream(method, path, content=content, headers=headers) as answer:
                received = bytearray()
                async for chunk in answer.aiter_bytes():
                    received += chunk
                    if len(received) > _LARGEST_ANSWER:
                        raise ApiAnswerUnusable(f"the answer to {method} {path} is over {_LARGEST_ANSWER >> 20} MiB")
                return answer.status_code, received.decode("utf-8", "replace")
        except httpx.HTTPError as error:
            what = str(error) or type(error).__name__
            raise ApiUnavailable(f"{method} {self._base.host} {path}: {what}", do="the next try goes on") from error
