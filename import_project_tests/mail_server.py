"""A real mail server for the tests: it keeps what it takes."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import Message
from typing import Any

from aiosmtpd.controller import Controller


@dataclass
class SmtpPeer:
    """What a mail server took; `refuse` answers every recipient with 550."""

    port: int = 0
    refuse: bool = False
    received: list[Message] = field(default_factory=list)

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        if self.refuse:
            return "550 nobody of this name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.received.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def mail_peer(**options: Any) -> Iterator[SmtpPeer]:
    """Run it, in a thread; options are those of its controller."""
    peer = SmtpPeer(port=free_port())
    controller = Controller(peer, hostname="127.0.0.1", port=peer.port, **options)
    controller.start()
    yield peer
    controller.stop()
