"""One file's whole way from each kind of source, as a feed's YAML names it: imported once, and set aside where it can be."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

from import_project.demo import files
from import_project_tests.file_server import file_server
from import_project_tests.ftp_servers import ftp_peer
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation
from import_project_tests.object_servers import HttpInbox, gcs_server, s3_server
from import_project_tests.pipeline.test_inbox import imported, states
from import_project_tests.sources.contract import FolderInbox


class Partner(Protocol):
    """The sender's side."""

    def drop(self, path: str, content: bytes) -> None: ...
    def paths(self) -> set[str]: ...


@dataclass
class WebPartner:
    folder: dict[str, bytes]

    def drop(self, path: str, content: bytes) -> None:
        self.folder[f"/out/{path}"] = content

    def paths(self) -> set[str]:
        return {path.rsplit("/", 1)[1] for path in self.folder}


@dataclass
class Kind:
    """A source's keys, the environment that its secrets are in, and the partner behind it."""

    source: Mapping[str, Any]
    environ: Mapping[str, str]
    partner: Partner


@pytest.fixture(params=["ftp", "s3", "gcs", "http_pull"])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kind]:
    with ExitStack() as open_:
        yield {"ftp": _ftp, "s3": _s3, "gcs": _gcs, "http_pull": _http}[request.param](open_, tmp_path)


def _ftp(open_: ExitStack, tmp_path: Path) -> Kind:
    peer = open_.enter_context(ftp_peer(tmp_path / "ftp", "explicit"))
    keys = {"host": "127.0.0.1", "port": peer.port, "username": peer.username, "ca_file": str(peer.ca_file)}
    source = {"kind": "ftp", **keys, "password": {"env": "SECRET"}, "path": "out"}
    return Kind(source, {"SECRET": "right-password"}, FolderInbox(peer.root / "out"))


def _s3(open_: ExitStack, _: Path) -> Kind:
    url = open_.enter_context(s3_server())
    # moto takes any signature, and shows nothing to whom has none
    signed = "AWS4-HMAC-SHA256 Credential=P/20261122/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    partner = HttpInbox(f"{url}/acme", "out", {"authorization": signed})
    open_.callback(partner.close)
    keys = {"bucket": "acme", "prefix": "out", "endpoint": url, "access_key_id": "a"}
    return Kind({"kind": "s3", **keys, "secret_access_key": {"env": "SECRET"}}, {"SECRET": "s"}, partner)


def _gcs(open_: ExitStack, _: Path) -> Kind:
    peer = open_.enter_context(gcs_server())
    partner = HttpInbox(f"{peer.url}/acme", "out", {"Authorization": f"Bearer {peer.token()}"})
    open_.callback(partner.close)
    keys = {"bucket": "acme", "prefix": "out", "endpoint": peer.url}
    source = {"kind": "gcs", **keys, "service_account_key": {"env": "SECRET"}}
    return Kind(source, {"SECRET": peer.service_account()}, partner)


def _http(open_: ExitStack, _: Path) -> Kind:
    peer = open_.enter_context(file_server()).fresh()
    peer.authorization = "Bearer s"
    source = {"kind": "http_pull", "urls": [f"{peer.url}/out/{files.ORDERS_NAME}"], "token": {"env": "SECRET"}}
    return Kind(source, {"SECRET": "s"}, WebPartner(peer.files))


def test_file_is_imported_once_and_set_aside(installation: Installation, api: ApiPeer, kind: Kind) -> None:
    installed = installation.rewrite("orders", poll={"every_seconds": 5})
    installed = replace(installed, environ={**installed.environ, **kind.environ})
    path = installed.home / "feeds/orders.yaml"
    data = yaml.safe_load(path.read_text("utf-8"))
    path.write_text(yaml.safe_dump({**data, "source": dict(kind.source)}), "utf-8")
    parts, feed = installed.parts(), installed.feed("orders")
    kind.partner.drop(files.ORDERS_NAME, files.orders_csv())
    imported(installed, parts, feed)
    assert states(parts) == ["done"]
    assert len(api.effects) == 5
    for _ in range(3):
        assert installed.poll(parts, feed) == ()
    (left,) = kind.partner.paths()
    if feed.feed.source.read_only:
        assert left == files.ORDERS_NAME
    else:
        assert left.startswith(".archive/")
    more = files.orders_csv() + b"AB-000011;Ny Kund AB;2026-11-21;12,00;SEK;1\r\n"
    kind.partner.drop(files.ORDERS_NAME, more)
    imported(installed, parts, feed, "run-2")
    assert states(parts) == ["done", "done"]
    assert len(api.effects) == 6
    parts.close()
