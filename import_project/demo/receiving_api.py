"""A small receiving HTTP API in its own process: `python -m import_project.demo.receiving_api HOME`.

It holds open invoices, takes payments and orders, and appends every effect to `effects.jsonl`. A request whose
idempotency key it has had is answered as before and has no effect.
"""

import json
import os
import socket
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PAGE = 3


class Books:
    """Open invoices and the effects of requests, kept in a folder so that a restart forgets nothing."""

    def __init__(self, home: Path) -> None:
        self._effects_path = home / "effects.jsonl"
        self._calls_path = home / "calls.log"
        self.invoices: dict[str, dict[str, Any]] = {
            i["invoice_id"]: i for i in json.loads((home / "invoices.json").read_text(encoding="utf-8"))
        }
        self._seen: set[str] = set()
        if self._effects_path.exists():
            for line in self._effects_path.read_text(encoding="utf-8").splitlines():
                self._apply(json.loads(line))

    def open_invoices(self) -> list[dict[str, Any]]:
        """Return invoices with an open amount, by id."""
        return [i for _, i in sorted(self.invoices.items()) if Decimal(i["open_amount"]) != 0]

    def called(self, what: str) -> None:
        """Note a request, whether it has an effect or not."""
        with self._calls_path.open("a", encoding="utf-8") as calls:
            calls.write(what + "\n")

    def take(self, key: str, path: str, body: dict[str, Any]) -> bool:
        """Apply a request once. Returns whether its key was new."""
        if key in self._seen:
            return False
        effect = {"key": key, "path": path, "body": body}
        with self._effects_path.open("a", encoding="utf-8") as effects:
            effects.write(json.dumps(effect) + "\n")
            effects.flush()
            os.fsync(effects.fileno())
        self._apply(effect)
        return True

    def _apply(self, effect: dict[str, Any]) -> None:
        self._seen.add(effect["key"])
        invoice = self.invoices.get(effect["body"].get("invoice_id", ""))
        if invoice is not None:
            invoice["open_amount"] = str(Decimal(invoice["open_amount"]) - Decimal(effect["body"]["amount"]))


def application(home: Path, token: str) -> Starlette:
    """Build the API over the books in `home`; every request needs the bearer token."""
    books = Books(home)

    async def guard(request: Request, call_next: RequestResponseEndpoint) -> Response:
        books.called(f"{request.method} {request.url.path}")
        if request.headers.get("authorization") != f"Bearer {token}":
            return JSONResponse({"error": "unknown token"}, status_code=401)
        return await call_next(request)

    async def invoices(request: Request) -> Response:
        start = int(request.query_params.get("from", "0"))
        found = books.open_invoices()
        more = f"/invoices?status=open&from={start + PAGE}" if start + PAGE < len(found) else None
        return JSONResponse({"items": found[start : start + PAGE], "next": more})

    async def take(request: Request) -> Response:
        key = request.headers.get("idempotency-key")
        if not key:
            return JSONResponse({"error": "an Idempotency-Key is needed"}, status_code=400)
        body = await request.json()
        wanted = request.path_params.get("invoice_id")
        if wanted is not None and wanted not in books.invoices:
            return JSONResponse({"error": f"no invoice {wanted}"}, status_code=404)
        new = books.take(key, request.url.path, body)
        return JSONResponse({"receipt": key[:12]}, status_code=201 if new else 200)

    routes = [
        Route("/invoices", invoices),
        Route("/invoices/{invoice_id}/payments", take, methods=["POST"]),
        Route("/unmatched-payments", take, methods=["POST"]),
        Route("/orders", take, methods=["POST"]),
    ]
    return Starlette(routes=routes, middleware=[Middleware(BaseHTTPMiddleware, dispatch=guard)])


def _main(home: Path, port: int) -> None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        return  # the port is taken: without the line that names it, the caller knows
    print(listener.getsockname()[1], flush=True)
    server = uvicorn.Server(uvicorn.Config(application(home, os.environ["ERP_TOKEN"]), log_level="warning"))
    server.run(sockets=[listener])


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
