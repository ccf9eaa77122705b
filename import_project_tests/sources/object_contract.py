"""What every bucket must do, whatever store it is in; and the seam between two steps where tests cut in."""

import asyncio
import json
import os
import posixpath
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from typing import Any

import pytest

from import_project.errors import (
    ConfigError,
    FileVanished,
    SourceDenied,
    SourceUnreachable,
)
from import_project.records.files import Listed, Staged
from import_project.sources.base import Source
from import_project.sources.object_bucket import Bucket
from import_project.sources.object_login import ObjectPlace
from import_project.sources.object_store import ObjectStoreSource
from import_project_tests.sources.contract import (
    Inbox,
    SourceContract,
    aside,
    claim,
    listing,
    names,
    use,
)
from import_project_tests.sources.test_sftp import silent_server

SECRET = "the-secret-itself"
TARGET, TAKEN = ".archive/2026/11/22/a.csv", ".archive/2026/11/22/a.csv.dup-7"


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

    def empty(self, inbox: Any) -> None:
        for path in inbox.paths():
            inbox.remove(path)

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

    def test_both_places_taken(self, inbox: Inbox, source: ObjectStoreSource) -> None:
        file = self.claimed(inbox, source)
        inbox.drop(TARGET, b"one")
        inbox.drop(TAKEN, b"two")
        with pytest.raises(SourceDenied, match="exist already"):
            aside(source, file, TARGET, TAKEN)
        assert inbox.read("a.csv") == b"hello"
        assert names(source) == set()

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
            with pytest.raises(SourceDenied, match="not what we wrote"):
                use(source, lambda s: s.held(".processing"))
            assert names(source) == set()

    @pytest.mark.parametrize(
        "forged",
        [
            {"held_as": "../other/9-a.csv"},
            {"held_as": ".processing/deeper/9-a.csv"},
            {"held_as": ".processing/9-a\x1b[2J.csv"},
            {"to": "../other/a.csv"},
            {"size": -1},
            {"to": 5},
            {"mtime": "yesterday"},
            {"mtime": "2026-11-27T10:00:00"},
            {"mtime": 5},
            {"size": 1 << 70},
            {"size": "5"},
        ],
    )
    def test_claim_that_a_sender_has_changed(
        self, inbox: Inbox, source: ObjectStoreSource, forged: dict[str, Any]
    ) -> None:
        file = self.claimed(inbox, source)
        (ours,) = (p for p in inbox.paths() if p.endswith(".claim"))
        inbox.drop(ours, json.dumps({**json.loads(inbox.read(ours) or b""), **forged}).encode())
        for doing in (lambda s: s.held(".processing"), lambda s: s.set_aside(file, TARGET, if_taken=TAKEN)):
            with pytest.raises(SourceDenied, match="not what we wrote"):
                use(source, doing)

    def test_claim_leads_into_no_other_inbox(self, inbox: Inbox, place: ObjectPlace, source: ObjectStoreSource) -> None:
        """By what a sender wrote into it: a place to set the file aside, or another file to take."""
        file = self.claimed(inbox, source)
        (ours,) = (p for p in inbox.paths() if p.endswith(".claim"))
        told = json.loads(inbox.read(ours) or b"")
        there = posixpath.normpath(f"/{place.key('../other/b.csv')}")
        inbox.drop(ours, json.dumps({**told, "to": there, "moved": True}).encode())
        with pytest.raises(SourceDenied, match="says that it is at"):
            aside(source, file, TARGET)
        inbox.drop(ours, json.dumps({**told, "to": there}).encode())
        assert aside(source, file, TARGET) == TARGET
        assert inbox.read("../other/b.csv") is None
        inbox.drop("../other/b.csv", b"not yours")
        (other,) = use(
            ObjectStoreSource(replace(place, prefix=posixpath.dirname(there).strip("/"))), lambda s: s.list(bool)
        ).files
        taken = Staged(name=there, held_as=".processing/9-b.csv", version=other.version)
        name = source._claim_name(taken.name, taken.version)  # as the sender computes it
        forged = {**told, "name": there, "version": other.version, "held_as": taken.held_as}
        inbox.drop(f".processing/{name}", json.dumps(forged).encode())
        with pytest.raises(SourceDenied, match="not what we wrote"):
            use(source, lambda s: s.held(".processing"))
        assert inbox.read("../other/b.csv") == b"not yours"

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
            "from import_project.sources.object_login import ObjectPlace\n"
            "from import_project.sources.object_store import ObjectStoreSource\n"
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
