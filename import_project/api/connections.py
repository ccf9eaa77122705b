"""How long the desk's server waits for a request. What a request meets is in `guard`."""

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol


class Impatient(AutoHTTPProtocol):  # type: ignore[misc,valid-type]  # uvicorn chooses its class when it is imported
    """A connection on which no request is under way is closed after a while: uvicorn itself waits for a request's
    header for ever."""

    #: Seconds in which a connection must have brought a request's header; at most twice as many.
    patience = 10.0
    _idle = False
    _seen: Any = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to look at it."""
        super().connection_made(transport)
        self._look()

    def _look(self) -> None:
        if self.transport.is_closing():
            return
        cycle: Any = self.cycle
        idle = cycle is None or cycle.response_complete
        if idle and self._idle and cycle is self._seen:
            self.transport.close()
            return
        self._idle, self._seen = idle, cycle
        self.loop.call_later(self.patience, self._look)
