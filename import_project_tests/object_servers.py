"""Object stores for the tests: S3 by moto, Google's XML API by a server of our own, Azure by Azurite as a child process.

Ours answers only what the connector asks, with Google's rules for preconditions; it proves our side, not Google's.
"""

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
import logging
import os
import posixpath
import shutil
import socket
import subprocess
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode
from xml.sax.saxutils import escape

import httpx
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from import_project_tests.http_servers import http_server

_PAGE = 1000


@contextmanager
def s3_server() -> Iterator[str]:
    """S3 by moto, in a thread; its buckets live as long as this process. Gives its address."""
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


class HttpInbox:
    """A partner's side of a prefix in a bucket, by plain HTTP; what S3 and Google have in common."""

    key_tag, token_tag, token_name = "Key", "NextContinuationToken", "continuation-token"

    def __init__(self, bucket_url: str, prefix: str, headers: dict[str, str] | None = None) -> None:
        self.bucket_url = bucket_url
        self.prefix = prefix
        self._http = httpx.Client(headers=headers)
        self._http.put(bucket_url, params=self.of_bucket()).raise_for_status()

    def close(self) -> None:
        self._http.close()

    def of_bucket(self) -> dict[str, str]:
        return {}

    def of_listing(self) -> dict[str, str]:
        return {"list-type": "2"}

    def _url(self, path: str) -> str:
        return f"{self.bucket_url}/{quote(posixpath.normpath(f'{self.prefix}/{path}'))}"

    def drop(self, path: str = "a.csv", content: bytes = b"hello") -> None:
        self._http.put(self._url(path), content=content).raise_for_status()

    def make_folder(self, path: str) -> None:
        """Make what a console shows as a folder: an empty object whose key ends in a slash."""
        self._http.put(f"{self._url(path)}/").raise_for_status()

    def read(self, path: str) -> bytes | None:
        answer = self._http.get(self._url(path))
        return answer.content if answer.is_success else None

    def remove(self, path: str) -> None:
        self._http.delete(self._url(path)).raise_for_status()

    def paths(self) -> set[str]:
        found: set[str] = set()
        query = {**self.of_bucket(), **self.of_listing(), "prefix": f"{self.prefix}/"}
        while True:
            page = ET.fromstring(self._http.get(self.bucket_url, params=query).raise_for_status().content)
            keys = [e.text or "" for e in page.iter() if e.tag.endswith(self.key_tag)]
            found.update(k.removeprefix(f"{self.prefix}/") for k in keys)
            more = [e.text for e in page.iter() if e.tag.endswith(self.token_tag) and e.text]
            if not more:
                return found
            query[self.token_name] = more[0]


@dataclass(frozen=True)
class _Stored:
    content: bytes
    generation: int
    mtime: datetime

    @property
    def headers(self) -> dict[str, str]:
        return {
            "etag": f'"{hashlib.md5(self.content).hexdigest()}"',
            "x-goog-generation": str(self.generation),
            "last-modified": format_datetime(self.mtime, usegmt=True),
        }


@dataclass
class GcsPeer:
    """Google's XML API as far as we use it.

    `forbidden` are methods answered by 403; `before_delete` is called before a deletion looks at its precondition;
    where it `stalls`, half of an object is sent.
    """

    url: str = ""
    stalls: bool = False
    before_delete: Callable[[dict[str, "_Stored"], str], None] = lambda _objects, _key: None
    forbidden: set[str] = field(default_factory=set)
    buckets: dict[str, dict[str, _Stored]] = field(default_factory=dict)
    generations: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    private_key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    def service_account(self, private_key: rsa.RSAPrivateKey | None = None) -> str:
        """Return the service account's JSON, with our key or another."""
        pem = (private_key or self.private_key).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        account = {"private_key": pem.decode(), "private_key_id": "1", "client_email": "acme@example.test"}
        return json.dumps({"type": "service_account", **account})

    def token(self) -> str:
        """Return a token as a service account makes it for itself."""
        head, body = (_url64(json.dumps(part).encode()) for part in ({"alg": "RS256"}, {"iss": "partner"}))
        signature = self.private_key.sign(f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{head}.{body}.{_url64(signature)}"

    def knows(self, authorization: str) -> bool:
        signed, _, signature = authorization.removeprefix("Bearer ").rpartition(".")
        try:
            given = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
            self.private_key.public_key().verify(given, signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, ValueError):
            return False
        return True


def _url64(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def _refused(status: int, code: str) -> Response:
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>see the code</Message></Error>"
    return Response(text, status, media_type="application/xml")


def _listing(objects: dict[str, _Stored], query: dict[str, str]) -> Response:
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    after = query.get("continuation-token", "")
    entries: dict[str, str] = {}
    for key in sorted(k for k in objects if k.startswith(prefix)):
        rest = key.removeprefix(prefix)
        if delimiter and delimiter in rest:
            folder = escape(prefix + rest.split(delimiter)[0] + delimiter)
            entries[folder] = f"<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>"
        else:
            entries[key] = (
                f"<Contents><Key>{escape(key)}</Key><Size>{len(objects[key].content)}</Size>"
                f"<LastModified>{objects[key].mtime.strftime('%Y-%m-%dT%H:%M:%S.%fZ')}</LastModified>"
                f"<ETag>{escape(objects[key].headers['etag'])}</ETag></Contents>"
            )
    names = [name for name in sorted(entries) if name > after]
    page = names[:_PAGE]
    more = f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if len(names) > _PAGE else ""
    body = "".join(entries[name] for name in page) + more
    return Response(f"<ListBucketResult>{body}</ListBucketResult>", media_type="application/xml")


def _gcs(peer: GcsPeer) -> Starlette:
    async def answer(request: Request) -> Response:
        if not peer.knows(request.headers.get("authorization", "")):
            return _refused(401, "AuthenticationRequired")
        if request.method in peer.forbidden:
            return _refused(403, "AccessDenied")
        return await do(request)

    async def do(request: Request) -> Response:
        bucket, _, key = request.path_params["path"].partition("/")
        if request.method == "PUT" and not key:
            peer.buckets[bucket] = {}
        if bucket not in peer.buckets:
            return _refused(404, "NoSuchBucket")
        objects = peer.buckets[bucket]
        if not key:
            return _listing(objects, dict(request.query_params))
        if request.method == "DELETE":
            peer.before_delete(objects, key)
        there = objects.get(key)
        only_if = request.headers.get("x-goog-if-generation-match")
        if only_if is not None and only_if != str(there.generation if there else 0):
            return _refused(412, "PreconditionFailed")
        if request.method == "PUT":
            content = await request.body()
            if copied := request.headers.get("x-goog-copy-source"):
                original = objects.get(unquote(copied).lstrip("/").partition("/")[2])
                if original is None:
                    return _refused(404, "NoSuchKey")
                content = original.content
            objects[key] = _Stored(content, next(peer.generations), datetime.now(UTC))
            return Response(headers=objects[key].headers)
        if there is None:
            return _refused(404, "NoSuchKey")
        if request.method == "DELETE":
            del objects[key]
            return Response(status_code=204)
        return sent(request, there)

    def sent(request: Request, there: _Stored) -> Response:
        if request.headers.get("if-match", there.headers["etag"]) != there.headers["etag"]:
            return _refused(412, "PreconditionFailed")
        if request.method == "HEAD":
            return Response(headers={**there.headers, "content-length": str(len(there.content))})
        if peer.stalls:
            return StreamingResponse(half(there), headers={**there.headers, "content-length": str(len(there.content))})
        return Response(there.content, headers=there.headers)

    async def half(there: _Stored) -> AsyncIterator[bytes]:
        yield there.content[: len(there.content) // 2]
        while peer.stalls:  # noqa: ASYNC110 - set from another thread, which an Event would not bear
            await asyncio.sleep(0.02)

    methods = ["GET", "HEAD", "PUT", "DELETE"]
    return Starlette(routes=[Route("/{path:path}", answer, methods=methods)])


@contextmanager
def gcs_server() -> Iterator[GcsPeer]:
    """Google's XML API on a free port."""
    peer = GcsPeer()
    with http_server(_gcs(peer)) as url:
        peer.url = url
        yield peer


#: Azurite's own account and key, which its documentation publishes
AZURITE_ACCOUNT = "devstoreaccount1"
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def azure_sas(rights: str = "rwdlac") -> str:
    """Return a SAS for the whole account of Azurite, good for years."""
    fields = {
        "sp": rights,
        "ss": "b",
        "srt": "sco",
        "st": "",
        "se": "2099-01-01T00:00:00Z",
        "sip": "",
        "spr": "",
        "sv": "2023-11-03",
    }
    signed = "\n".join([AZURITE_ACCOUNT, *fields.values(), "", ""]).encode()
    digest = hmac.new(base64.b64decode(AZURITE_KEY), signed, hashlib.sha256).digest()
    return urlencode({**{k: v for k, v in fields.items() if v}, "sig": base64.b64encode(digest).decode()})


class AzureInbox(HttpInbox):
    """A partner's side of a container, by plain HTTP with a SAS."""

    key_tag, token_tag, token_name = "Name", "NextMarker", "marker"

    def __init__(self, container_url: str, prefix: str) -> None:
        super().__init__(container_url, prefix, {"x-ms-blob-type": "BlockBlob"})

    def of_bucket(self) -> dict[str, str]:
        return {"restype": "container", **dict(parse_qsl(azure_sas()))}

    def of_listing(self) -> dict[str, str]:
        return {"comp": "list"}

    def _url(self, path: str) -> str:
        return f"{super()._url(path)}?{azure_sas()}"


def azurite_program() -> str | None:
    """Where Azurite's blob server is, if it is: on the PATH, or where npm puts its programs."""
    if found := shutil.which("azurite-blob"):
        return found
    if (npm := shutil.which("npm")) is None:
        return None
    root = subprocess.run([npm, "root", "-g"], capture_output=True, text=True, check=True, timeout=30).stdout.strip()
    return shutil.which("azurite-blob", path=os.fspath(Path(root).parent.parent / "bin"))


@contextmanager
def azurite_server(program: str) -> Iterator[str]:
    """Azurite as a child process, holding everything in memory. Gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence", "--silent"]
    command += ["--disableTelemetry", "--skipApiVersionCheck"]
    with tempfile.TemporaryFile() as log, subprocess.Popen(command, stdout=log, stderr=log) as child:
        try:
            for _ in range(300):
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    log.seek(0)
                    assert child.poll() is None, log.read().decode()
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/{AZURITE_ACCOUNT}"
        finally:
            child.terminate()
