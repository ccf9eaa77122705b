"""What carries httpx's requests: reqwest, several times as fast as httpx's own with many requests under way. No request
of its own."""

import os
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from import_project.at_exit import let_threads_leave

if TYPE_CHECKING:
    from pyreqwest.client import Client

#: A server closes a connection that nobody uses after five seconds or more, often; ours is closed before.
_IDLE = timedelta(seconds=2)


def fast_transport(
    *, connections: int, connect_seconds: float, timeout_seconds: float, ca_file: Path | None
) -> httpx.AsyncBaseTransport:
    """Return a transport with time-outs for connecting, for each read and for a whole request, which ends slow answers.

    TLS is verified against the system's authorities and those in `ca_file`; redirects are not followed, cookies not
    kept. What it raises is httpx's. Transports of one process that are alike share what is behind them, so that the
    next file needs no new connection, and closing one does not close that.
    """
    from pyreqwest.compatibility.httpx import HttpxTransport

    authorities = b"" if ca_file is None else ca_file.read_bytes()
    client = _client(connections, connect_seconds, timeout_seconds, authorities, os.getpid())
    return HttpxTransport(client, close_client=False)


@lru_cache(maxsize=16)
def _client(
    connections: int, connect_seconds: float, timeout_seconds: float, authorities: bytes, _process: int
) -> "Client":
    from pyreqwest.client import ClientBuilder

    read = timedelta(seconds=timeout_seconds)
    builder = (
        ClientBuilder()
        .http1_only()
        .follow_redirects(enable=False)
        .default_cookie_store(enable=False)
        .referer(enable=False)
        .max_connections(connections)
        .pool_max_idle_per_host(connections)
        .pool_idle_timeout(_IDLE)
        .connect_timeout(timedelta(seconds=connect_seconds))
        .read_timeout(read)
        .pool_timeout(read)
        .timeout(timedelta(seconds=connect_seconds + timeout_seconds))
    )
    if authorities:
        builder = builder.add_root_certificate_pem(authorities)
    let_threads_leave()
    return builder.build()


def cause_of(error: Exception) -> str:
    """Return why a request failed, in the words of what is behind httpx: refused, no such host, a certificate."""
    causes = _causes(error)
    return (causes[-1] if causes else str(error)) or type(error).__name__


def never_left(error: Exception) -> bool:
    """Whether a request certainly never left, because no connection was made."""
    return "client error (Connect)" in _causes(error)


def _causes(error: Exception) -> list[str]:
    details = getattr(error.__cause__, "details", None)
    causes = details.get("causes", []) if isinstance(details, dict) else []
    return [str(one.get("message", "")) for one in causes]
