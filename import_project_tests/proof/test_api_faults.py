"""A receiving API at its worst: it fails before any effect, answers with floods, points to other hosts, is down for
hours, loses what it took. Whatever it does, each row takes effect once, and nobody else is told of it.
"""

import asyncio
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from import_project.errors import ApiUnavailable, ImportProjectError
from import_project.records.postings import UNSENT
from import_project_tests.cli.test_postings import LISTED, LOOKED_UP, asked
from import_project_tests.http_servers import ApiPeer, api_peer, http_server
from import_project_tests.installation import Installation, environment
from import_project_tests.pipeline.row_feeds import order, orders, outcome_of, run_orders

_AT_ONCE = 8  # feeds/apis/erp.yaml
_POLLS, _EVERY = 72, 300
_MIB = 1 << 20
#: `ru_maxrss` counts what the process was that forked it; this is what it is itself.
_CHILD = """
from pathlib import Path
from import_project_tests.pipeline import kill_child
kill_child.main("orders", 1_000_000_000)
status = Path("/proc/self/status").read_text()
print(status.split("VmHWM:")[1].split()[0])
"""


def bodies(api: ApiPeer) -> dict[str, set[str]]:
    """All bodies that each key was sent with."""
    found: dict[str, set[str]] = {}
    for key, _, raw in api.calls:
        found.setdefault(key, set()).add(raw)
    return found


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_same_key_and_body_until_it_takes_effect(installation: Installation, api: ApiPeer, status: int) -> None:
    parts = installation.parts()
    api.mode, api.fail_status = "fail", status
    with pytest.raises(ApiUnavailable):
        run_orders(installation, parts, orders(order(1), order(2), order(3)))
    for turn in range(3):
        installation.clock.advance(hours=1)
        for request in installation.poll(parts, "orders"):
            with pytest.raises(ApiUnavailable):
                installation.run(parts, "orders", request, owner=f"run-{turn + 2}")
    assert (len(api.calls) > 3, api.effects) == (True, [])
    api.mode = "ok"
    installation.clock.advance(hours=1)
    (request,) = installation.poll(parts, "orders")
    installation.run(parts, "orders", request, owner="run-9")
    assert outcome_of(parts, "orders_1.csv").counts.posted == 3
    assert max(Counter(key for key, _, _ in api.calls).values()) > 1, "nothing was sent again"
    assert [len(sent) for sent in bodies(api).values()] == [1, 1, 1], "the very same body each time"
    assert sorted(body["order_id"] for _, _, body in api.effects) == ["AB-000001", "AB-000002", "AB-000003"]
    assert set(api.times()) == set(bodies(api))


def test_huge_answer_is_bounded_and_told(installation: Installation, api: ApiPeer) -> None:
    """50 MB in answer to each post: none of it is kept, and what took effect with it is not done twice."""
    api.receipt = json.dumps({"receipt": "x" * 50_000_000})
    (installation.inbox / "orders_1.csv").write_bytes(orders(*(order(n) for n in range(1, 9))))
    spent = imported(installation, 2)
    assert len(api.effects) >= 1
    api.receipt = ""
    plain = imported(installation, 2, ahead=3600)
    assert spent.peak - plain.peak < 100 * _MIB, "eight answers of 50 MB came at once"
    assert (api.times().most_common(1)[0][1], len(api.effects)) == (1, 8)
    parts = installation.parts()
    assert outcome_of(parts, "orders_1.csv").counts.posted == 8
    parts.close()


def test_huge_answer_is_told(installation: Installation, api: ApiPeer) -> None:
    api.receipt = json.dumps({"receipt": "x" * 50_000_000})
    parts = installation.parts()
    with pytest.raises(ApiUnavailable, match="over 1 MiB"):
        run_orders(installation, parts, orders(order(1)))
    (kept,) = parts.ledger.dead_letters.kept(states=UNSENT)
    assert "the answer to POST /orders is over 1 MiB" in (kept.receipt or "")
    assert len(kept.receipt or "") < 200


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_other_host_is_asked(installation: Installation, api: ApiPeer, status: int) -> None:
    """An API that sends us elsewhere, with our token: told; and once it is itself again, all takes effect there."""
    with api_peer() as other, http_server(pointing_to(other.url, status)) as url:
        moved = replace(installation, environ={**installation.environ, "ERP_URL": url})
        parts = moved.parts()
        with pytest.raises(ImportProjectError, match=str(status)):
            run_orders(moved, parts, orders(order(1), order(2)))
        parts.close()
        installation.clock.advance(hours=1)
        parts = installation.parts()
        (request,) = installation.poll(parts, "orders")
        installation.run(parts, "orders", request, owner="run-2")
        parts.close()
        assert (other.calls, other.methods, other.effects) == ([], [], [])
    assert sorted(body["order_id"] for _, _, body in api.effects) == ["AB-000001", "AB-000002"]
    assert set(api.times().values()) == {1}


def pointing_to(url: str, status: int) -> Starlette:
    async def elsewhere(request: Request) -> Response:
        return Response(status_code=status, headers={"location": f"{url}{request.url.path}"})

    return Starlette(routes=[Route("/{path:path}", elsewhere, methods=["GET", "POST"])])


@pytest.mark.parametrize("post", [LOOKED_UP, LISTED], ids=["look_up", "listing"])
def test_verify_sends_nothing(installation: Installation, api: ApiPeer, post: dict[str, object]) -> None:
    """The API has lost an effect: it is told, and nothing is posted, however often it is asked."""
    installation = installation.rewrite("orders", post=post)
    parts = installation.parts()
    run_orders(installation, parts, orders(order(1), order(2)))
    parts.close()
    lost = next(one for one in api.effects if one[2]["order_id"] == "AB-000002")
    api.effects.remove(lost)
    before, methods = list(api.calls), list(api.methods)
    for _ in range(2):
        (found,) = asked(installation, "postings", "verify", "--feed", "orders", code=1)["differences"]
        assert (found["what"], found["row_number"], found["key"]) == ("missing", 2, lost[0])
    assert (api.calls, api.methods) == (before, methods)
    assert len(api.effects) == 1


def test_keys_tell_nothing_of_the_rows(installation: Installation, api: ApiPeer) -> None:
    names = ["Åsa Öberg", "abcdef", "deadbeef", "Bo Ek"]
    rows = [f"AB-{n:06d};{name};2026-11-20;{1000 + n},50;SEK;1\n" for n, name in enumerate(names, start=770_001)]
    parts = installation.parts()
    run_orders(installation, parts, orders(*rows))
    keys = [key for key, _, _ in api.calls]
    assert len(set(keys)) == len(names)
    cells = {cell for row in rows for cell in row.strip().split(";") if len(cell) > 4}
    for key in keys:
        assert re.fullmatch(r"ip-[0-9a-f-]{32,}", key), key
        assert not [cell for cell in cells if cell.lower() in key or cell.replace(",", "").lower() in key]


@dataclass
class Books:
    """A receiving API that keeps sums, not bodies, so that it bears many rows. Down, it answers 503."""

    down: bool = True
    calls: int = 0
    most_at_once: int = 0
    amounts: dict[str, Decimal] = field(default_factory=dict)
    times: Counter[str] = field(default_factory=Counter)
    under_way: int = 0

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/orders", self.take, methods=["POST"])])

    async def take(self, request: Request) -> Response:
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            self.calls += 1
            body = await request.json()
            await asyncio.sleep(0.002)
            if self.down:
                return JSONResponse({"error": "down"}, status_code=503)
            key = request.headers["idempotency-key"]
            if key not in self.amounts:
                self.times[body["order_id"]] += 1
                self.amounts[key] = Decimal(body["amount"])
            return JSONResponse({"receipt": key[-8:]}, status_code=201)
        finally:
            self.under_way -= 1


@dataclass(frozen=True)
class Spent:
    """What a process that imported has used: bytes of memory at its peak."""

    peak: int


def imported(installation: Installation, polls: int, ahead: int = 0) -> Spent:
    """Poll so often in a process of its own, as the feed's own time between polls passes."""
    given = environment(installation) | {"AHEAD": str(ahead), "ROUNDS": str(polls)}
    done = subprocess.run([sys.executable, "-c", _CHILD], env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return Spent(peak=int(done.stdout.splitlines()[-1]) * 1024)


@contextmanager
def books(installation: Installation) -> Iterator[tuple[Books, Installation]]:
    one = Books()
    with http_server(one.app()) as url:
        changed = installation.rewrite("orders", poll={"every_seconds": _EVERY})
        yield one, replace(changed, environ={**changed.environ, "ERP_URL": url})


def outage(installation: Installation, rows: int) -> tuple[Spent, Spent]:
    """Six hours without the API, polled every five minutes; then it is back. Returns what both times took."""
    with books(installation) as (erp, made):
        (made.inbox / "orders_1.csv").write_bytes(orders(*(order(n, f"{n},25") for n in range(1, rows + 1))))
        down = imported(made, _POLLS)
        assert 1 <= erp.calls <= 2 * _POLLS, "one try after each peace, and what opened the breaker"
        assert (erp.times, erp.most_at_once <= _AT_ONCE) == ({}, True)
        erp.down, erp.calls, erp.most_at_once = False, 0, 0
        back = imported(made, 3, ahead=_POLLS * _EVERY * 2)
        assert erp.calls == rows, "each once: it answered all"
        assert 1 < erp.most_at_once <= _AT_ONCE
        assert (len(erp.times), set(erp.times.values())) == (rows, {1})
        assert sum(erp.amounts.values()) == Decimal(rows * (rows + 1)) / 2 + Decimal("0.25") * rows
        parts = made.parts()
        assert outcome_of(parts, "orders_1.csv").counts.posted == rows
        parts.close()
    return down, back


def test_long_outage(installation: Installation) -> None:
    outage(installation, 2_000)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_long_outage_of_a_hundred_thousand_rows(installation: Installation) -> None:
    for spent in outage(installation, 100_000):
        assert spent.peak < 768 * _MIB
