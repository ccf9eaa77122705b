"""A real HTTP server of files for the tests, with ETag, Range, If-Range and TLS; its faults are switched on per test. It
runs in a thread of this process, for all tests of a module, and records what each asks."""

import asyncio
import hashlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from ipaddress import IPv4Address
from pathlib import Path

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

MODIFIED_AT = 1_700_000_000  # seconds since 1970
_CHUNK = 64 * 1024


@dataclass
class FileFaults:
    """What the server leaves out or breaks."""

    no_head: int | None = None  # the status that HEAD gets
    no_head_size: bool = False  # HEAD does not tell the size
    no_ranges: bool = False
    no_size: bool = False
    no_preconditions: bool = False  # If-Match is not looked at
    etag: bool = True
    weak: bool = False
    last_modified: bool = True
    answer: tuple[int, dict[str, str]] | None = None  # status and headers of every answer
    headers: dict[str, str] = field(default_factory=dict)  # of every file
    cuts: list[int] = field(default_factory=list)  # each of the next bodies breaks off after so many bytes
    when_cut: Callable[[], None] = lambda: None
    body: bytes | None = None  # what a GET sends in place of the file, its length not told
    stall_heads: bool = False
    slow: float = 0  # seconds before each answer
    stall_after: int | None = None
    crawl: tuple[int, float] | None = None  # so many bytes of a body at once, and the seconds before each
    redirects: dict[str, str] = field(default_factory=dict)  # path and where it leads


@dataclass(frozen=True)
class Asked:
    """One request, as it came."""

    method: str
    path: str
    query: bytes
    headers: Headers
    client: tuple[str, int]  # address and port


@dataclass
class FilePeer:
    """The files by path, `/in/a.csv`, and who may read them: everybody when `authorization` is None."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    modified: dict[str, float] = field(default_factory=dict)
    authorization: str | None = None
    faults: FileFaults = field(default_factory=FileFaults)
    asked: list[Asked] = field(default_factory=list)
    under_way: int = 0
    most_at_once: int = 0

    def ranges(self) -> list[str | None]:
        """The Range of each GET."""
        return [asked.headers.get("range") for asked in self.asked if asked.method == "GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        asked = Asked(scope["method"], scope["path"], scope["query_string"], Headers(scope=scope), scope["client"])
        self.asked.append(asked)
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            await asyncio.sleep(self.faults.slow)
            await self._answer(asked, scope, receive, send)
        finally:
            self.under_way -= 1

    async def _answer(self, asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
        if self.faults.stall_heads:
            await _gone(receive)
        elif (response := self._instead_of_a_file(asked)) is not None:
            await response(scope, receive, send)
        else:
            await self._send_file(asked, receive, send)

    def _instead_of_a_file(self, asked: Asked) -> Response | None:
        faults, content = self.faults, self.files.get(asked.path)
        if faults.answer is not None:
            return Response(status_code=faults.answer[0], headers=faults.answer[1])
        if self.authorization is not None and asked.headers.get("authorization") != self.authorization:
            return Response("who are you", 401)
        if asked.path in faults.redirects:
            return Response(status_code=302, headers={"location": faults.redirects[asked.path]})
        if content is None:
            return Response("<h1>not here</h1>", 404, media_type="text/html")
        if asked.method == "HEAD" and faults.no_head is not None:
            return Response(status_code=faults.no_head)
        match = asked.headers.get("if-match")
        if match is not None and match != self._etag(content) and not faults.no_preconditions:
            return Response(status_code=412)
        if (part := _part(asked)) and part[0] >= len(content) and not faults.no_ranges:
            return Response(status_code=416, headers={"content-range": f"bytes */{len(content)}"})
        return None

    async def _send_file(self, asked: Asked, receive: Receive, send: Send) -> None:
        faults, content = self.faults, self.files[asked.path]
        headers = self._validators(asked.path, content)
        part, start, end = _part(asked), 0, len(content)
        if part and not faults.no_ranges and asked.headers.get("if-range") in {None, *headers.values()}:
            start, end = part[0], min(end, part[1])
            headers["content-range"] = f"bytes {start}-{end - 1}/{len(content)}"
        body = content[start:end]
        if faults.body is not None and asked.method == "GET":
            body = faults.body
        elif not (faults.no_size or (faults.no_head_size and asked.method == "HEAD")):
            headers["content-length"] = str(len(body))
        status = 206 if "content-range" in headers else 200
        headers |= faults.headers
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        cut = faults.cuts.pop(0) if faults.cuts and asked.method == "GET" else None
        stop = min(len(body), *(n for n in (cut, faults.stall_after) if n is not None), len(body))
        chunk, pause = faults.crawl if faults.crawl and asked.method == "GET" else (_CHUNK, 0)
        for begin in range(0, stop, chunk):
            if pause and await _gone_within(receive, pause):
                return
            await send(
                {"type": "http.response.body", "body": body[begin : min(begin + chunk, stop)], "more_body": True}
            )
        if cut is not None:
            faults.when_cut()
        elif stop < len(body):
            await _gone(receive)
        else:
            await send({"type": "http.response.body"})

    def _validators(self, path: str, content: bytes) -> dict[str, str]:
        told: dict[str, str] = {}
        if self.faults.etag:
            told["etag"] = self._etag(content)
        if self.faults.last_modified:
            told["last-modified"] = formatdate(self.modified.get(path, MODIFIED_AT), usegmt=True)
        return told

    def _etag(self, content: bytes) -> str:
        return ("W/" if self.faults.weak else "") + f'"{hashlib.sha256(content).hexdigest()[:16]}"'


def _part(asked: Asked) -> tuple[int, int] | None:
    """The first byte that is asked for, and the one behind the last."""
    found = re.fullmatch(r"bytes=(\d+)-(\d*)", asked.headers.get("range", ""))
    return (int(found[1]), int(found[2]) + 1 if found[2] else 1 << 60) if found else None


async def _gone(receive: Receive) -> None:
    """Wait until the client has gone."""
    message = await receive()
    while message["type"] != "http.disconnect":
        message = await receive()


async def _gone_within(receive: Receive, seconds: float) -> bool:
    """Wait, and tell whether the client has gone."""
    try:
        await asyncio.wait_for(_gone(receive), seconds)
    except TimeoutError:
        return False
    return True


@dataclass
class FileServer:
    """A server whose peer is another one in each test, because to start and stop a server takes 0.2 seconds."""

    url: str
    peer: FilePeer = field(default_factory=FilePeer)

    def fresh(self) -> FilePeer:
        """Return a peer without files, faults and memory, which answers from now on."""
        self.peer = FilePeer(url=self.url)
        return self.peer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self.peer(scope, receive, send)


@contextmanager
def file_server(certificate: Path | None = None) -> Iterator[FileServer]:
    """Serve files on a free port, over TLS when there is a certificate; a PEM file with its key."""
    listener = socket.create_server(("127.0.0.1", 0))
    served = FileServer(f"http{'s' if certificate else ''}://127.0.0.1:{listener.getsockname()[1]}")
    config = uvicorn.Config(
        served,
        log_level="critical",
        lifespan="off",
        ws="none",
        ssl_certfile=certificate,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make an authority, and a certificate of it for 127.0.0.1. Returns the PEM files of authority, and server with key."""
    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _certificate("Test authority", authority_key, "Test authority", authority_key)
    server = _certificate("127.0.0.1", server_key, "Test authority", authority_key)
    pem = serialization.Encoding.PEM
    key = server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files = folder / "authority.pem", folder / "server.pem"
    files[0].write_bytes(authority.public_bytes(pem))
    files[1].write_bytes(server.public_bytes(pem) + key)
    return files


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, issuer_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    root, now = key is issuer_key, datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=root, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not root,
                key_cert_sign=root,
                crl_sign=root,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if not root:
        made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(name))]), critical=False)
    return made.sign(issuer_key, hashes.SHA256())
