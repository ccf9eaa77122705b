"""Buckets: S3 on moto and Google's XML API on a server of our own."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from import_project.errors import (
    ConfigError,
    LoginRefused,
    SourceDenied,
    SourceError,
    SourceUnreachable,
)
from import_project.sources.object_login import ObjectPlace
from import_project.sources.object_store import ObjectStoreSource
from import_project.store.landing import Landing
from import_project_tests.object_servers import GcsPeer, HttpInbox, gcs_server, s3_server
from import_project_tests.sources.contract import (
    aside,
    claim,
    listing,
    names,
    received,
    use,
)
from import_project_tests.sources.object_contract import SECRET, TARGET
from import_project_tests.sources.object_crashes import CrashContract
from import_project_tests.sources.test_sftp import silent_server


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture(scope="module")
def google() -> Iterator[GcsPeer]:
    with gcs_server() as peer:
        yield peer


class TestS3(CrashContract):
    ambient = {  # noqa: RUF012
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_SESSION_TOKEN": "ambient",
        "AWS_ACCESS_KEY_ID": "ambient",
        "AWS_SECRET_ACCESS_KEY": "ambient",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_REGION": "nowhere-1",
        "AWS_CONDITIONAL_PUT": "disabled",
    }

    @pytest.fixture
    def place(self, s3: str) -> ObjectPlace:
        return ObjectPlace(
            kind="s3",
            bucket=f"b{uuid4().hex}",
            prefix="partner/in",
            endpoint=s3,
            region="eu-north-1",
            access_key_id="AKIDEXAMPLE",
            secret_access_key=SECRET,
            connect_timeout=2,
            step_timeout=20,
        )

    @pytest.fixture
    def inbox(self, place: ObjectPlace) -> Iterator[HttpInbox]:
        # moto takes any signature, but shows what is private to nobody without one
        signed = (
            "AWS4-HMAC-SHA256 Credential=PARTNER/20261122/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
        )
        inbox = HttpInbox(f"{place.endpoint}/{place.bucket}", place.prefix, {"authorization": signed})
        yield inbox
        inbox.close()

    def test_refused_keys(self, place: ObjectPlace, inbox: HttpInbox) -> None:
        inbox.drop()
        source = ObjectStoreSource(place)
        file = self.staged(source)
        switch = f"{place.endpoint}/moto-api/reset-auth"
        httpx.post(switch, content=b"0")
        try:
            steps: list[Callable[[Any], Awaitable[Any]]] = [lambda s: s.list(lambda _: True), lambda s: s.try_out("x")]
            for step in steps:
                with pytest.raises(LoginRefused, match="InvalidAccessKeyId") as error:
                    use(source, step)
                assert SECRET not in str(error.value)
            with pytest.raises(SourceDenied, match="403"):  # the answer to HEAD has no body to tell why
                claim(source, file)
        finally:
            httpx.post(switch, content=b"inf")

    def test_folder_that_a_console_made(self, place: ObjectPlace, inbox: HttpInbox) -> None:
        inbox.make_folder("")
        inbox.make_folder("sub")
        inbox.drop()
        assert names(ObjectStoreSource(place)) == {"a.csv"}

    def test_key_that_no_path_can_have_is_told(self, place: ObjectPlace, inbox: HttpInbox) -> None:
        inbox.drop()
        inbox.drop("esc\x1b[2J.csv")
        with pytest.raises(SourceDenied, match=r"a key there cannot be used \(remove"):
            listing(ObjectStoreSource(place))


class TestGoogle(CrashContract):
    ambient = {  # noqa: RUF012
        "GOOGLE_BASE_URL": "http://127.0.0.1:1",
        "GOOGLE_SKIP_SIGNATURE": "true",
        "GOOGLE_APPLICATION_CREDENTIALS": "/nowhere",
    }

    @pytest.fixture
    def place(self, google: GcsPeer) -> ObjectPlace:
        return ObjectPlace(
            kind="gcs",
            bucket=f"b{uuid4().hex}",
            prefix="partner/in",
            endpoint=google.url,
            service_account_key=google.service_account(),
            connect_timeout=2,
            step_timeout=20,
        )

    @pytest.fixture
    def inbox(self, place: ObjectPlace, google: GcsPeer) -> Iterator[HttpInbox]:
        headers = {"authorization": f"Bearer {google.token()}"}
        inbox = HttpInbox(f"{place.endpoint}/{place.bucket}", place.prefix, headers)
        yield inbox
        inbox.close()

    def test_refused_key(self, place: ObjectPlace, google: GcsPeer, inbox: HttpInbox) -> None:
        inbox.drop()
        strange = google.service_account(rsa.generate_private_key(65537, 2048))
        with pytest.raises(LoginRefused, match="401"):
            listing(ObjectStoreSource(replace(place, service_account_key=strange)))

    def test_key_that_is_none(self, place: ObjectPlace) -> None:
        for key in (SECRET, json.dumps({"private_key": SECRET})):
            with pytest.raises(ConfigError, match="cannot be used") as error:
                listing(ObjectStoreSource(replace(place, service_account_key=key)))
            assert SECRET not in str(error.value)

    def test_replaced_between_the_last_look_and_the_deletion(
        self, place: ObjectPlace, google: GcsPeer, inbox: HttpInbox
    ) -> None:
        source = ObjectStoreSource(place)
        file = self.claimed(inbox, source)

        def replaced(objects: dict[str, Any], key: str) -> None:
            if key == place.key("a.csv"):
                objects[key] = replace(objects[key], content=b"newer", generation=next(google.generations))

        google.before_delete = replaced
        try:
            assert aside(source, file, TARGET) == TARGET
        finally:
            google.before_delete = lambda _objects, _key: None
        assert (inbox.read("a.csv"), inbox.read(TARGET)) == (b"newer", b"hello")
        assert names(source) == {"a.csv"}

    def test_download_that_stops_is_cut_off(
        self, place: ObjectPlace, google: GcsPeer, inbox: HttpInbox, tmp_path: Path
    ) -> None:
        inbox.drop(content=b"x" * (4 << 20))
        source = ObjectStoreSource(replace(place, step_timeout=1))
        file = self.staged(source)
        google.stalls = True
        try:
            with pytest.raises(SourceUnreachable, match="no answer in time"):
                received(source, file, 4 << 20, Landing(tmp_path / "l"))
        finally:
            google.stalls = False
        assert [p for p in (tmp_path / "l").rglob("*") if p.is_file()] == []

    @pytest.mark.parametrize("name", ["GOOGLE_BEARER_TOKEN", "GOOGLE_SERVICE_ACCOUNT"])
    def test_login_in_the_environment_that_the_library_would_prefer(self, place: ObjectPlace, name: str) -> None:
        script = (
            "import asyncio, json, sys\n"
            "from import_project.sources.object_bucket import Bucket, ObjectPlace\n"
            "asyncio.run(Bucket(ObjectPlace(**json.load(sys.stdin))).__aenter__())\n"
        )
        given, environment = json.dumps(asdict(place)), {**os.environ, name: "ambient"}
        command = [sys.executable, "-c", script]
        done = subprocess.run(
            command, input=given, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert f"ConfigError: {name} stands against the key given" in done.stderr

    @pytest.mark.parametrize("method", ["PUT", "DELETE"])
    def test_missing_right_is_named(self, place: ObjectPlace, google: GcsPeer, inbox: HttpInbox, method: str) -> None:
        inbox.drop()
        google.forbidden.add(method)
        try:
            with pytest.raises(SourceDenied, match=r"AccessDenied \(ask the bucket's owner"):
                use(ObjectStoreSource(place), lambda s: s.try_out(".processing"))
        finally:
            google.forbidden.clear()


def test_plain_http_only_where_the_endpoint_says_so() -> None:
    keys = {"access_key_id": "id", "secret_access_key": SECRET}
    s3 = ObjectPlace(kind="s3", bucket="b", region="eu-north-1", **keys)  # type: ignore[arg-type]
    assert s3.address == "https://s3.eu-north-1.amazonaws.com"
    assert ObjectPlace(kind="gcs", bucket="b").address == "https://storage.googleapis.com"
    azure = ObjectPlace(kind="azure_blob", bucket="b", account="acme")
    assert azure.address == "https://acme.blob.core.windows.net"
    assert (s3.name, azure.name) == ("s3://b", "azure://acme/b")
    with silent_server() as port:
        tls = replace(s3, endpoint=f"https://127.0.0.1:{port}", step_timeout=1, copy_timeout=1)
        with pytest.raises(SourceError):
            asyncio.run(_list(tls))


async def _list(place: ObjectPlace) -> None:
    async with ObjectStoreSource(place) as source:
        await source.list(lambda _: True)


@pytest.mark.parametrize("kind", ["s3", "gcs", "azure_blob"])
def test_library_that_is_missing(kind: str) -> None:
    script = (
        "import asyncio, sys\n"
        "sys.modules['obstore'] = None\n"
        "from import_project.errors import ConfigError\n"
        "from import_project.sources.object_login import ObjectPlace\n"
        "from import_project.sources.object_store import ObjectStoreSource\n"
        "async def look():\n"
        f"    async with ObjectStoreSource(ObjectPlace(kind={kind!r}, bucket='b')):\n"
        "        pass\n"
        "try:\n"
        "    asyncio.run(look())\n"
        "except ConfigError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert "source needs obstore (pip install 'import_project[objects]')" in done.stdout
