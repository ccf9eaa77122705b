"""What every source must do. Each protocol's test class gives `inbox` (what stands behind the source, looked at past it)
and `source`; what a protocol cannot have (links in a bucket, a name's bytes) it says by a class attribute."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import chdir
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pytest

from import_project.errors import FileVanished
from import_project.records.files import Listed, Staged
from import_project.sources.base import Listing, Source
from import_project.store.landing import Landing

DROPPED_AT = 1_700_000_000
UNSAFE_NAMES = ["new\nline.csv", "esc\x1b[2J.csv", "back\\slash.csv", ".hidden.csv", "rtl\u202e.csv"]


class Inbox(Protocol):
    """A partner's side of an inbox, and what a person there would see."""

    def drop(self, path: str = "a.csv", content: bytes = b"hello") -> None:
        """Put a file there, its mtime DROPPED_AT where that can be chosen."""

    def read(self, path: str) -> bytes | None:
        """Return what lies at a path, or None."""

    def paths(self) -> set[str]:
        """Return the paths of all files, below the inbox."""


class FolderInbox:
    """A folder on disk."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root

    def drop(self, path: str = "a.csv", content: bytes = b"hello") -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.utime(file, (DROPPED_AT, DROPPED_AT))

    def read(self, path: str) -> bytes | None:
        file = self.root / path
        return file.read_bytes() if file.is_file() else None

    def paths(self) -> set[str]:
        return {str(p.relative_to(self.root)) for p in self.root.rglob("*") if p.is_file()}


def use(source: Source, work: Callable[[Source], Awaitable[Any]]) -> Any:
    """Open the source, do one thing, close it."""

    async def opened() -> Any:
        async with source as ready:
            return await work(ready)

    return asyncio.run(opened())


def listing(source: Source, wanted: Callable[[str], bool] = lambda _: True) -> Listing:
    found: Listing = use(source, lambda s: s.list(wanted))
    return found


def names(source: Source) -> set[str]:
    return {f.name for f in listing(source).files}


def received(source: Source, file: Staged, size: int, landing: Landing) -> bytes:
    landed = use(source, lambda s: landing.receive(s.open(file, size), expected_size=size))
    return landing.read(landed.sha256)


def claim(source: Source, file: Staged) -> bool:
    return bool(use(source, lambda s: s.claim(file)))


def aside(source: Source, file: Staged, target: str, if_taken: str = ".failed/taken.csv") -> str:
    return str(use(source, lambda s: s.set_aside(file, target, if_taken=if_taken)))


class ListingContract:
    """What can be asked of every source, also of one where nothing may be moved."""

    #: whether the store keeps a file's mtime as the sender set it
    mtime_is_the_senders = True
    #: names that can exist there and that nobody should use
    unsafe_names = UNSAFE_NAMES

    def seen(self, source: Source, name: str = "a.csv") -> Listed:
        return next(f for f in listing(source).files if f.name == name)

    def test_lists_wanted_files_with_size_and_mtime(self, inbox: Inbox, source: Source) -> None:
        inbox.drop()
        inbox.drop("b.txt")
        inbox.drop("folder.csv/c.csv")
        (file,) = listing(source, lambda n: n.endswith(".csv")).files
        assert (file.name, file.size) == ("a.csv", 5)
        if self.mtime_is_the_senders:
            assert file.mtime == datetime.fromtimestamp(DROPPED_AT, UTC)
        assert file.mtime.microsecond == 0
        assert self.seen(source) == file  # the same facts at each look

    def test_empty_inbox(self, source: Source, inbox: Inbox) -> None:
        assert listing(source) == Listing(files=())
        assert inbox.paths() == set()

    def test_unsafe_names_are_told_and_left(self, inbox: Inbox, source: Source) -> None:
        for name in self.unsafe_names:
            inbox.drop(name)
        found = listing(source, lambda n: n.endswith(".csv"))
        assert found.files == ()
        assert len(found.unsafe) == len(self.unsafe_names)
        assert all(told.isprintable() for told in found.unsafe)
        assert inbox.paths() == set(self.unsafe_names)

    @pytest.mark.parametrize("size", [0, 1, 5, 700_001, 3 << 20])
    def test_streams_every_byte_in_place(self, inbox: Inbox, source: Source, tmp_path: Path, size: int) -> None:
        content = os.urandom(size)
        inbox.drop(content=content)
        seen = self.seen(source)
        here = Staged(name="a.csv", held_as="a.csv", version=seen.version)
        assert use(source, lambda s: s.facts(here)) == seen
        assert received(source, here, size, Landing(tmp_path / "landing")) == content
        assert names(source) == {"a.csv"}

    def test_file_that_is_gone(self, inbox: Inbox, source: Source, tmp_path: Path) -> None:
        here = Staged(name="a.csv", held_as="a.csv", version='"0123"')
        with pytest.raises(FileVanished):
            use(source, lambda s: s.facts(here))
        with pytest.raises(FileVanished):
            received(source, here, 5, Landing(tmp_path / "landing"))
        assert inbox.paths() == set()

    def test_no_writer_is_seen_where_there_is_none(self, inbox: Inbox, source: Source) -> None:
        inbox.drop()
        assert use(source, lambda s: s.being_written("a.csv")) is False


class SourceContract(ListingContract):
    """What can be asked of a source that may claim and move."""

    HELD = ".processing/0123456789-a.csv"

    def staged(self, source: Source, held_as: str = HELD) -> Staged:
        """The file as a poll has seen it."""
        return Staged(name="a.csv", held_as=held_as, version=self.seen(source).version)

    def claimed(self, inbox: Inbox, source: Source) -> Staged:
        inbox.drop()
        file = self.staged(source)
        assert claim(source, file) is True
        return file

    def test_claim_takes_the_file_from_the_listing_and_can_be_repeated(
        self, inbox: Inbox, source: Source, tmp_path: Path
    ) -> None:
        file = self.claimed(inbox, source)
        assert names(source) == set()
        assert claim(source, file) is True
        assert received(source, file, 5, Landing(tmp_path / "landing")) == b"hello"

    def test_claim_of_what_is_gone(self, inbox: Inbox, source: Source) -> None:
        assert claim(source, Staged(name="a.csv", held_as=self.HELD, version='"0123"')) is False
        assert inbox.paths() == set()

    def test_namesake_that_comes_after_the_claim_is_another_file(
        self, inbox: Inbox, source: Source, tmp_path: Path
    ) -> None:
        file = self.claimed(inbox, source)
        inbox.drop(content=b"another")
        second = self.staged(source, ".processing/9876543210-a.csv")
        assert claim(source, second) is True
        assert received(source, second, 7, Landing(tmp_path / "landing")) == b"another"
        if second.version is None:  # a store that replaces in place has nothing of the first any more
            assert received(source, file, 5, Landing(tmp_path / "landing")) == b"hello"

    def test_one_of_many_claimers_wins(self, inbox: Inbox, source: Source) -> None:
        inbox.drop()
        file = self.staged(source)

        async def race(ready: Source) -> list[bool]:
            rivals = (replace(file, held_as=f".processing/{n}-a.csv") for n in range(8))
            return list(await asyncio.gather(*(ready.claim(rival) for rival in rivals)))

        assert use(source, race).count(True) == 1
        assert len(use(source, lambda s: s.held(".processing"))) == 1

    def test_held_files_are_found_again(self, inbox: Inbox, source: Source) -> None:
        assert use(source, lambda s: s.held(".processing")) == ()
        file = self.claimed(inbox, source)
        (found,) = use(source, lambda s: s.held(".processing"))
        assert found.held_as == file.held_as
        assert found.file.size == 5
        assert found.file.name in {file.name, Path(file.held_as).name}

    def test_facts_of_a_held_file(self, inbox: Inbox, source: Source) -> None:
        inbox.drop()
        seen = self.seen(source)
        file = self.staged(source)
        claim(source, file)
        assert use(source, lambda s: s.facts(file)) == seen

    def test_set_aside_and_again(self, inbox: Inbox, source: Source) -> None:
        file = self.claimed(inbox, source)
        target = ".archive/2026/11/21/a.csv"
        for _ in range(2):
            assert aside(source, file, target) == target
        assert inbox.read(target) == b"hello"
        assert inbox.paths() == {target}

    def test_set_aside_never_overwrites(self, inbox: Inbox, source: Source) -> None:
        file = self.claimed(inbox, source)
        inbox.drop(".failed/a.csv", b"older")
        taken = ".failed/a.csv.dup-7"
        for _ in range(2):
            assert aside(source, file, ".failed/a.csv", taken) == taken
        assert inbox.read(".failed/a.csv") == b"older"
        assert inbox.read(taken) == b"hello"

    def test_set_aside_of_what_is_gone(self, inbox: Inbox, source: Source) -> None:
        with pytest.raises(FileVanished):
            aside(source, Staged(name="a.csv", held_as=self.HELD, version='"0123"'), ".failed/a.csv")
        assert inbox.paths() == set()

    def test_namesake_in_the_inbox_survives_the_setting_aside(self, inbox: Inbox, source: Source) -> None:
        file = self.claimed(inbox, source)
        inbox.drop(content=b"another")
        try:
            place = aside(source, file, ".archive/a.csv")
        except FileVanished:
            assert file.version is not None  # replaced in place: there is nothing of ours to move
        else:
            assert inbox.read(place) == b"hello"
        assert inbox.read("a.csv") == b"another"
        assert names(source) == {"a.csv"}

    def test_rights_can_be_tried_out_and_nothing_is_left(self, inbox: Inbox, source: Source) -> None:
        use(source, lambda s: s.try_out(".processing"))
        assert inbox.paths() == set()


class FolderContract(SourceContract):
    """What only a real folder behind the source can hold."""

    #: What is told as unsafe; a source that cannot tell these from folders tells nothing.
    SPECIAL: ClassVar[frozenset[str]] = frozenset({"pipe.csv", "link.csv", "loop.csv", "socket.csv"})

    def test_links_pipes_and_folders_are_not_listed(self, inbox: FolderInbox, source: Source) -> None:
        inbox.drop()
        (inbox.root / "folder.csv").mkdir()
        os.mkfifo(inbox.root / "pipe.csv")
        (inbox.root / "link.csv").symlink_to("/etc/passwd")
        (inbox.root / "loop.csv").symlink_to("loop.csv")
        with socket.socket(socket.AF_UNIX) as listening, chdir(inbox.root):  # a socket's path must be short
            listening.bind("socket.csv")
        assert names(source) == {"a.csv"}
        assert set(listing(source).unsafe) == self.SPECIAL

    def test_names_of_255_bytes_and_twins_in_other_normal_forms(self, inbox: FolderInbox, source: Source) -> None:
        twins = {"caf\u00e9.csv", "cafe\u0301.csv", "-rf.csv", "con", "x" * 251 + ".csv"}
        for name in twins:
            inbox.drop(name)
        assert names(source) == twins
