"""Buckets: S3 on moto and Google's XML API on a server of our own. Crashes and senders come between every two steps."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
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
    FileVanished,
    LoginRefused,
    SourceDenied,
    SourceError,
    SourceUnreachable,
)
from import_project.records.files import Listed, Staged
from import_project.sources.base import Source
from import_project.sources.object_claims import Bucket
from import_project.sources.object_store import ObjectPlace, ObjectStoreSource
from import_project.store.landing import Landing
from import_project_tests.object_servers import GcsPeer, HttpInbox, gcs_server, s3_server
from import_project_tests.sources.contract import (
    Inbox,
    SourceContract,
    aside,
    claim,
    listing,
    names,
    received,
    use,
)
from import_project_tests.sources.test_sftp import silent_server

SECRET = "the-secret-itself"
TARGET, TAKEN = ".archive/2026/11/22/a.csv", ".archive/2026/11/22/a.csv.dup-7"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture(scope="module")
def google() -> Iterator[GcsPeer]:
    with gcs_server() as peer:
        yield peer


class CutOffError(Exception):
    """The process dies here."""


class Steps(Bucket):
    """The real steps, counted; after the n-th of them something happens."""

    def __init__(self, place: ObjectPlace) -> None:
        super().__init__(place)
        self.arm(0, nothing)

    def arm(self, after: int, happens: Callable[[], Awaitable[None]]) -> None:
        self.taken, self._after, self._happens = 0, after, happens

    async def _count(self, step: Awaitable[Any]) -> Any:
        done = await step
        self.taken += 1
        if self.taken == self._after:
            await self._happens()
        return done

    async def head(self, key: str) -> Listed | None:
        found: Listed | None = await self._count(super().head(key))
        return found

    async def read(self, key: str) -> bytes | None:
        content: bytes | None = await self._count(super().read(key))
        return content

    async def write(self, key: str, content: bytes, *, new: bool) -> bool:
        return bool(await self._count(super().write(key, content, new=new)))

    async def copy(self, key: str, to: str) -> bool:
        return bool(await self._count(super().copy(key, to)))

    async def remove(self, key: str, version: str | None = None) -> None:
        await self._count(super().remove(key, version))


async def nothing() -> None:
    pass


async def cut_off() -> None:
    raise CutOffError


async def shown(source: Source) -> set[str]:
    return {f.name for f in (await source.list(lambda _: True)).files}


async def seen(source: Source, held_as: str = SourceContract.HELD) -> Staged:
    (file,) = (await source.list(lambda _: True)).files
    return Staged(name=file.name, held_as=held_as, version=file.version)


def disturbed(place: ObjectPlace, work: Callable[[Source, Source, Steps], Awaitable[None]]) -> None:
    """Open two sources on one place: the first works, the second is disturbed by what its steps are armed with."""

    async def opened() -> None:
        steps = Steps(place)
        async with ObjectStoreSource(place) as calm, ObjectStoreSource(place, bucket=steps) as shaky:
            await work(calm, shaky, steps)

    asyncio.run(opened())


class BucketInbox(Inbox):
    """What these tests also need of the partner's side."""

    def remove(self, path: str) -> None:
        """Take an object away."""


class ObjectContract(SourceContract):
    """What every bucket must do, whatever its kind. The test class gives `place` and `inbox`."""

    mtime_is_the_senders = False
    #: what this machine's environment could tempt the library with
    ambient: dict[str, str]
    #: control characters in a key make the library refuse the listing; see the test of that
    unsafe_names = ["back\\slash.csv", ".hidden.csv", "rtl\u202e.csv"]  # noqa: RUF012

    @pytest.fixture
    def source(self, place: ObjectPlace) -> ObjectStoreSource:
        return ObjectStoreSource(place)

    def one_at(self, inbox: Inbox, path: str, content: bytes = b"hello") -> None:
        assert inbox.paths() == {path}
        assert inbox.read(path) == content

    def test_every_byte_of_a_name(self, inbox: Inbox, source: ObjectStoreSource) -> None:
        for name in ("50% \u00e4+ (1)'&=.csv", "a?b#c.csv", "%2e%2F.csv", "x" * 200 + ".csv"):
            inbox.drop(name)
            (file,) = listing(source).files
            assert file.name == name
            held = Staged(name=name, held_as=f".processing/1-{name}", version=file.version)
            assert claim(source, held) is True
            assert names(source) == set()
            assert aside(source, held, f".archive/{name}") == f".archive/{name}"
            assert inbox.read(f".archive/{name}") == b"hello"
            assert names(source) == set()

    def test_empty_file_can_be_set_aside(self, inbox: Inbox, source: ObjectStoreSource) -> None:
        inbox.drop(content=b"")
        file = self.staged(source)
        claim(source, file)
        assert aside(source, file, TARGET) == TARGET
        self.one_at(inbox, TARGET, b"")

    def test_absolute_folders_are_the_buckets(self, inbox: Inbox, place: ObjectPlace) -> None:
        source = ObjectStoreSource(place, "/held")
        inbox.drop()
        file = self.staged(source, "/held/1-a.csv")
        assert claim(source, file) is True
        assert names(source) == set()
        (held,) = use(source, lambda s: s.held("/held"))
        assert held.held_as == "/held/1-a.csv"
        other = ObjectStoreSource(replace(place, prefix="other"), "/held")
        assert use(other, lambda s: s.held("/held")) == ()
        assert aside(source, file, "/done/a.csv") == "/done/a.csv"
        root = ObjectStoreSource(replace(place, prefix="done"))
        assert names(root) == {"a.csv"}
        assert inbox.paths() == set()

    def test_claim_cut_off_after_any_step(self, inbox: BucketInbox, place: ObjectPlace) -> None:
        async def work(calm: Source, shaky: Source, steps: Steps) -> None:
            for step in range(1, 9):
                inbox.drop()
                file = await seen(calm)
                steps.arm(step, cut_off)
                try:
                    assert await shaky.claim(file) is True
                except CutOffError:
                    first = step == 1  # only looked: anybody may still have it
                    rival = replace(file, held_as=".processing/9-a.csv")
                    assert await calm.claim(rival) is first
                    assert await calm.claim(file) is not first
                    assert await shown(calm) == set()
                    assert await calm.set_aside(rival if first else file, TARGET, if_taken=TAKEN) == TARGET
                    self.one_at(inbox, TARGET)
                    self.empty(inbox)
                    continue
                assert step == 4
                return
            pytest.fail("never ended")

        disturbed(place, work)

    @pytest.mark.parametrize("content", [b"hello", b""])
    @pytest.mark.parametrize("older", [False, True])
    def test_set_aside_cut_off_after_any_step(
        self, inbox: BucketInbox, place: ObjectPlace, content: bytes, older: bool
    ) -> None:
        expected = TAKEN if older else TARGET

        async def work(calm: Source, shaky: Source, steps: Steps) -> None:
            for step in range(1, 20):
                if older:
                    inbox.drop(TARGET, b"older")
                inbox.drop(content=content)
                file = await seen(calm)
                assert await calm.claim(file) is True
                steps.arm(step, cut_off)
                try:
                    await shaky.set_aside(file, TARGET, if_taken=TAKEN)
                except CutOffError:
                    assert await shown(calm) == set()  # neither shown again nor lost on the way
                    assert content in {inbox.read("a.csv"), inbox.read(expected)}
                    for _ in range(2):
                        assert await calm.set_aside(file, TARGET, if_taken=TAKEN) == expected
                    assert inbox.paths() == ({TARGET, TAKEN} if older else {TARGET})
                    assert inbox.read(expected) == content
                    self.empty(inbox)
                    continue
                assert step > 10
                return
            pytest.fail("never ended")

        disturbed(place, work)

    @pytest.mark.parametrize("newer", [b"newer", b"a longer one"])
    def test_sender_replaces_after_any_step_of_setting_aside(
        self, inbox: BucketInbox, place: ObjectPlace, newer: bytes
    ) -> None:
        async def replaced() -> None:
            inbox.drop(content=newer)

        async def work(calm: Source, shaky: Source, steps: Steps) -> None:
            ends: set[str | None] = set()
            for step in range(1, 20):
                inbox.drop()
                file = await seen(calm)
                assert await calm.claim(file) is True
                steps.arm(step, replaced)
                try:
                    at: str | None = await shaky.set_aside(file, TARGET, if_taken=TAKEN)
                except FileVanished:
                    at = None
                if steps.taken < step:
                    assert ends == {None, TARGET}
                    return
                ends.add(at)
                assert inbox.read("a.csv") == newer
                assert await shown(calm) == {"a.csv"}
                assert inbox.paths() == ({"a.csv", TARGET} if at else {"a.csv"})
                assert inbox.read(TARGET) == (b"hello" if at else None)
                self.empty(inbox)
            pytest.fail("never ended")

        disturbed(place, work)

    def test_sender_replaces_while_we_are_cut_off(self, inbox: BucketInbox, place: ObjectPlace) -> None:
        async def work(calm: Source, shaky: Source, steps: Steps) -> None:
            ends: set[str | None] = set()
            for step in range(1, 20):
                inbox.drop()
                file = await seen(calm)
                assert await calm.claim(file) is True
                steps.arm(step, cut_off)
                try:
                    await shaky.set_aside(file, TARGET, if_taken=TAKEN)
                except CutOffError:
                    inbox.drop(content=b"newer")
                else:
                    assert ends == {None, TARGET}
                    return
                try:
                    ends.add(await calm.set_aside(file, TARGET, if_taken=TAKEN))
                    assert inbox.read(TARGET) == b"hello"
                except FileVanished:
                    ends.add(None)
                    assert inbox.read(TARGET) in {None, b"hello"}
                assert inbox.read("a.csv") == b"newer"
                assert await shown(calm) == {"a.csv"}
                assert await calm.held(".processing") == ()
                self.empty(inbox)
            pytest.fail("never ended")

        disturbed(place, work)

    @pytest.mark.parametrize("newer", [False, True])
    def test_two_tries_of_one_move_at_once(self, inbox: BucketInbox, place: ObjectPlace, newer: bool) -> None:
        async def work(calm: Source, shaky: Source, steps: Steps) -> None:
            for step in range(1, 20):
                inbox.drop()
                file = await seen(calm)
                assert await calm.claim(file) is True

                async def other_try(file: Staged = file) -> None:
                    assert await calm.set_aside(file, TARGET, if_taken=TAKEN) == TARGET
                    if newer:
                        inbox.drop(content=b"newer")

                steps.arm(step, other_try)
                try:
                    assert await shaky.set_aside(file, TARGET, if_taken=TAKEN) == TARGET
                except FileVanished:
                    assert await calm.set_aside(file, TARGET, if_taken=TAKEN) == TARGET
                assert inbox.read(TARGET) == b"hello"
                if steps.taken < step:
                    return
                assert inbox.paths() == ({TARGET, "a.csv"} if newer else {TARGET})
                assert await shown(calm) == ({"a.csv"} if newer else set())
                self.empty(inbox)
            pytest.fail("never ended")

        disturbed(place, work)

    def empty(self, inbox: Any) -> None:
        for path in inbox.paths():
            inbox.remove(path)

    def test_stranger_takes_the_place_just_before_the_copy(self, inbox: Inbox, place: ObjectPlace) -> None:
        async def strange() -> None:
            inbox.drop(TARGET, b"strange")

        async def work(calm: Source, shaky: Source, steps: Steps) -> None:
            inbox.drop()
            file = await seen(calm)
            await calm.claim(file)
            steps.arm(4, strange)  # after the place is noted
            assert await shaky.set_aside(file, TARGET, if_taken=TAKEN) == TAKEN

        disturbed(place, work)
        assert (inbox.read(TARGET), inbox.read(TAKEN)) == (b"strange", b"hello")
        assert inbox.paths() == {TARGET, TAKEN}

    def test_both_places_taken(self, inbox: Inbox, source: ObjectStoreSource) -> None:
        file = self.claimed(inbox, source)
        inbox.drop(TARGET, b"one")
        inbox.drop(TAKEN, b"two")
        with pytest.raises(SourceDenied, match="exist already"):
            aside(source, file, TARGET, TAKEN)
        assert inbox.read("a.csv") == b"hello"
        assert names(source) == set()

    def test_replaced_between_claim_and_read(self, inbox: Inbox, source: ObjectStoreSource, tmp_path: Path) -> None:
        file = self.claimed(inbox, source)
        inbox.drop(content=b"newer")
        with pytest.raises(FileVanished):
            received(source, file, 5, Landing(tmp_path / "l"))
        with pytest.raises(FileVanished):
            use(source, lambda s: s.facts(file))
        assert inbox.paths() == {"a.csv"}  # a claim on what is gone is none
        inbox.drop()
        assert names(source) == {"a.csv"}

    def test_replaced_between_listing_and_claim(self, inbox: Inbox, place: ObjectPlace) -> None:
        async def replaced() -> None:
            inbox.drop(content=b"newer")

        async def work(calm: Source, shaky: Source, steps: Steps) -> None:
            for step in (1, 2):
                inbox.drop()
                file = await seen(calm)
                steps.arm(step, replaced)
                assert await shaky.claim(file) is False
                assert inbox.paths() == {"a.csv"}
                assert await shown(calm) == {"a.csv"}

        disturbed(place, work)

    def test_claim_without_version(self, inbox: Inbox, source: ObjectStoreSource) -> None:
        inbox.drop()
        with pytest.raises(SourceDenied, match="no ETag"):
            claim(source, Staged(name="a.csv", held_as=self.HELD))

    def test_held_by_another(self, inbox: Inbox, source: ObjectStoreSource) -> None:
        file = self.claimed(inbox, source)
        with pytest.raises(FileVanished):
            aside(source, replace(file, held_as=".processing/9-a.csv"), TARGET)
        assert names(source) == set()
        assert aside(source, file, TARGET) == TARGET

    def test_broken_claim_is_told_and_strangers_objects_are_left(self, inbox: Inbox, source: ObjectStoreSource) -> None:
        file = self.claimed(inbox, source)
        inbox.drop(".processing/readme.txt", b"not a claim")
        assert len(use(source, lambda s: s.held(".processing"))) == 1
        (ours,) = (p for p in inbox.paths() if p.endswith(".claim"))
        assert json.loads(inbox.read(ours) or b"")["held_as"] == file.held_as
        for broken in (b"", b"{}", b"[1]", b"\xff"):
            inbox.drop(ours, broken)
            with pytest.raises(SourceDenied, match="cannot be read"):
                use(source, lambda s: s.held(".processing"))
            assert names(source) == set()

    def test_neighbours_are_not_listed(self, inbox: Inbox, place: ObjectPlace) -> None:
        inbox.drop()
        name = place.prefix.rpartition("/")[2]
        inbox.drop(f"../{name}2/b.csv")
        inbox.drop(f"../{name}.csv")
        inbox.drop("deeper/c.csv")
        assert names(ObjectStoreSource(place)) == {"a.csv"}

    def test_more_than_a_page(self, inbox: Inbox, source: ObjectStoreSource) -> None:
        wanted = {f"{n:05}.csv" for n in range(1003)}
        for name in wanted:
            inbox.drop(name)
        assert names(source) == wanted

    def test_big_file_comes_in_pieces(self, inbox: Inbox, source: ObjectStoreSource) -> None:
        content = os.urandom(5 << 20)
        inbox.drop(content=content)
        file = self.staged(source)

        async def read(ready: ObjectStoreSource) -> list[bytes]:
            return [chunk async for chunk in ready.open(file, 4 << 20)]

        chunks = use(source, read)  # type: ignore[arg-type]
        assert b"".join(chunks) == content[: 4 << 20]
        assert len(chunks) > 1
        assert max(map(len, chunks)) < 3 << 20

    def test_missing_bucket_is_an_error_and_not_an_empty_inbox(self, place: ObjectPlace) -> None:
        source = ObjectStoreSource(replace(place, bucket="no-such-bucket"))
        with pytest.raises(SourceUnreachable, match=r"no-such-bucket: no such bucket"):
            listing(source)
        with pytest.raises(SourceUnreachable, match="no such bucket"):
            use(source, lambda s: s.try_out(".processing"))

    def test_nobody_listens(self, place: ObjectPlace) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            nowhere = replace(place, endpoint=f"http://127.0.0.1:{taken.getsockname()[1]}")
            started = time.monotonic()
            with pytest.raises(SourceUnreachable, match="no connection"):
                listing(ObjectStoreSource(nowhere))
        assert time.monotonic() - started < 10

    def test_silent_server_is_cut_off(self, place: ObjectPlace) -> None:
        with silent_server() as port:
            silent = replace(place, endpoint=f"http://127.0.0.1:{port}", step_timeout=0.5, copy_timeout=0.5)
            here = Staged(name="a.csv", held_as="a.csv", version='"1"')

            async def read(ready: ObjectStoreSource) -> None:
                async for _ in ready.open(here, 1):
                    pass

            steps: list[Callable[[Any], Awaitable[Any]]] = [
                lambda s: s.list(lambda _: True),
                lambda s: s.facts(here),
                read,
            ]
            for step in steps:
                with pytest.raises(SourceUnreachable, match="no answer in time"):
                    use(ObjectStoreSource(silent), step)

    def test_login_that_is_not_given(self, place: ObjectPlace) -> None:
        none = {"access_key_id": None, "secret_access_key": None, "service_account_key": None}
        bare = replace(place, **none, account_key=None, sas=None)  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="no login for"):
            listing(ObjectStoreSource(bare))

    def test_nothing_is_taken_from_the_environment(self, place: ObjectPlace, inbox: Inbox) -> None:
        inbox.drop()
        file = self.staged(ObjectStoreSource(place))
        script = (
            "import asyncio, json, sys\n"
            "from import_project.records.files import Staged\n"
            "from import_project.sources.object_store import ObjectPlace, ObjectStoreSource\n"
            "place, file = json.load(sys.stdin)\n"
            "async def move():\n"
            "    async with ObjectStoreSource(ObjectPlace(**place)) as source:\n"
            "        await source.claim(Staged(**file))\n"
            "        await source.set_aside(Staged(**file), 'moved.csv', if_taken='taken.csv')\n"
            "asyncio.run(move())\n"
        )
        given = json.dumps([asdict(place), asdict(file)])
        command = [sys.executable, "-c", script]
        subprocess.run(command, input=given, env={**os.environ, **self.ambient}, text=True, check=True, timeout=60)
        assert inbox.paths() == {"moved.csv"}

    def test_deletes_one_version_only(self, inbox: Inbox, place: ObjectPlace) -> None:
        async def stale() -> None:
            async with Bucket(place) as bucket:
                key = place.key("a.csv")
                old = await bucket.head(key)
                assert old is not None
                inbox.drop(content=b"newer")
                await bucket.remove(key, old.version)
                await bucket.remove(place.key("never-there.csv"), old.version)

        inbox.drop()
        asyncio.run(stale())
        assert inbox.read("a.csv") == b"newer"

    def test_secrets_are_not_shown(self, place: ObjectPlace) -> None:
        shown = repr(place)
        for secret in (place.secret_access_key, place.service_account_key, place.account_key, place.sas):
            assert secret is None or secret not in shown


class TestS3(ObjectContract):
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


class TestGoogle(ObjectContract):
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
            "from import_project.sources.object_claims import Bucket, ObjectPlace\n"
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
        "from import_project.sources.object_store import ObjectPlace, ObjectStoreSource\n"
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
