"""What every request and answer meets before any route: headers that keep answers to themselves, and a limit to bodies.
Who asks is told in `tokens`."""

from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Bytes of a body that is no file; it is read as a whole, before it is known who sends it.
MOST_BODY = 1 << 18
#: Routes that read files, piece by piece, once they know who sends them.
_FILES = ("/jobs/ingest", "/corrections")


class Guarded:
    """Lets no answer be framed, sniffed, kept by others, or load anything from elsewhere; and no body be too large."""

    _HEADERS: Mapping[str, str] = {
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "content-security-policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
        "cache-control": "no-store",
    }

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["path"].endswith(_FILES):
            await self._app(scope, receive, guarded)
            return
        told = Headers(scope=scope).get("content-length", "0")
        if not told.isdigit() or len(told) > len(str(MOST_BODY)) or int(told) > MOST_BODY:
            answer = JSONResponse({"error": _TOO_LARGE, "do": None}, status_code=413, headers={"connection": "close"})
            await answer(scope, receive, guarded)
            return
        await self._app(scope, _limited(receive), guarded)


_TOO_LARGE = f"more than {MOST_BODY:,} bytes that are no file"


def _limited(receive: Receive) -> Receive:
    """Read a body that does not say its size, up to the limit."""
    size = 0

    async def received() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MOST_BODY:
            raise HTTPException(413, _TOO_LARGE)
        return message

    return received
