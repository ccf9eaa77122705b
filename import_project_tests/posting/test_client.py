"""The API client: what it sends, what it refuses to believe."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from import_project.errors import ApiAnswerUnusable, ApiRefusesUs, ApiUnavailable, PostingError
from import_project.posting.client import ImportApiClient
from import_project_tests.http_servers import ApiPeer


def answering(handle: Callable[[httpx.Request], httpx.Response]) -> ImportApiClient:
    return ImportApiClient("http://erp.example/v1", "t0ken", "acme", transport=httpx.MockTransport(handle))


def items(client: ImportApiClient, path: str = "/invoices") -> list[Any]:
    async def collect() -> list[Any]:
        async with client:
            return [item async for item in client.pages(path)]

    return asyncio.run(collect())


def test_token_tenant_and_base_path_are_sent() -> None:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"items": []})

    assert items(answering(handle)) == []
    (request,) = seen
    assert str(request.url) == "http://erp.example/v1/invoices"
    assert request.headers["authorization"] == "Bearer t0ken"
    assert request.headers["x-tenant-id"] == "acme"


def test_pages_are_followed_over_real_http(api: ApiPeer) -> None:
    api.invoices = [{"invoice_id": str(n)} for n in range(5)]
    client = ImportApiClient(api.url, api.token)
    assert [i["invoice_id"] for i in items(client)] == ["0", "1", "2", "3", "4"]


def test_fractions_stay_exact() -> None:
    found = items(answering(lambda _: httpx.Response(200, text='{"items": [{"open_amount": 0.10, "n": 3}]}')))
    assert found == [{"open_amount": "0.10", "n": 3}]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(503), ApiUnavailable),
        (httpx.Response(429), ApiUnavailable),
        (httpx.Response(401), ApiRefusesUs),
        (httpx.Response(403), ApiRefusesUs),
        (httpx.Response(404), ApiAnswerUnusable),
        (httpx.Response(302, headers={"location": "http://evil.example/"}), ApiAnswerUnusable),
        (httpx.Response(200, text="<html>log in</html>"), ApiAnswerUnusable),
        (httpx.Response(200, json=[1]), ApiAnswerUnusable),
        (httpx.Response(200, json={"items": 3}), ApiAnswerUnusable),
        (httpx.Response(200, json={"items": [], "next": "http://evil.example/more"}), ApiAnswerUnusable),
    ],
)
def test_answers_that_are_not_believed(answer: httpx.Response, error: type[PostingError]) -> None:
    with pytest.raises(error) as raised:
        items(answering(lambda _: answer))
    assert "t0ken" not in str(raised.value)


def test_token_never_goes_to_another_host() -> None:
    hosts: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(200, json={"items": [], "next": "//evil.example/more"})

    with pytest.raises(ApiAnswerUnusable, match="on another host"):
        items(answering(handle))
    assert hosts == ["erp.example"]


def test_huge_answer_is_cut_off() -> None:
    body = json.dumps({"items": ["x" * (65 << 20)]})
    with pytest.raises(ApiAnswerUnusable, match="over 64 MiB"):
        items(answering(lambda _: httpx.Response(200, text=body)))


def test_broken_connection_is_unavailable() -> None:
    def handle(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(ApiUnavailable, match="refused"):
        items(answering(handle))
