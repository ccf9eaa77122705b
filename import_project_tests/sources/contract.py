"""What every source must do; each protocol's test class gives `inbox` (the folder behind it) and `source`."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from import_project.errors import FileVanished
from import_project.sources.base import Listing, Source
from import_project.store.landing import Landing


def use(source: Source, work: Callable[[Source], Awaitable[Any]]) -> Any:
    """Open the source, do one thing, close it."""

    async def opened() -> Any:
        async with source as ready:
            return await work(ready)

    return asyncio.run(opened())


def listing(source: Source, wanted: Callable[[str], bool] = lambda _: True) -> Listing:
    found: Listing = use(source, lambda s: s.list(wanted))
    return found


class SourceContract:
    """Subclassed by each protocol."""

    HELD = ".processing/1-a.csv"

    def drop(self, inbox: Path, name: str = "a.csv", content: bytes = b"hello") -> Path:
        path = inbox / name
        path.write_bytes(content)
        os.utime(path, (1_700_000_000, 1_700_000_000))
        return path

    def test_lists_wanted_regular_files_with_size_and_mtime(self, inbox: Path, source: Source) -> None:
        self.drop(inbox)
        self.drop(inbox, "b.txt")
        (inbox / "folder.csv").mkdir()
        os.mkfifo(inbox / "pipe.csv")
        (inbox / "link.csv").symlink_to("/etc/passwd")
        (file,) = listing(source, lambda n: n.endswith(".csv")).files
        assert (file.name, file.size, file.mtime) == ("a.csv", 5, datetime.fromtimestamp(1_700_000_000, UTC))

    def test_empty_inbox(self, inbox: Path, source: Source) -> None:
        assert listing(source) == Listing(files=())
        assert inbox.is_dir()

    @pytest.mark.parametrize(
        "name", ["new\nline.csv", "esc\x1b[2J.csv", "back\\slash.csv", ".hidden.csv", "rtl\u202e.csv"]
    )
    def test_unsafe_names_are_told_and_left(self, inbox: Path, source: Source, name: str) -> None:
        self.drop(inbox, name)
        found = listing(source, lambda n: n.endswith(".csv"))
        assert found.files == ()
        (told,) = found.unsafe
        assert told.isprintable()
        assert (inbox / name).exists()

    def test_claim_moves_the_file_and_can_be_repeated(self, inbox: Path, source: Source) -> None:
        self.drop(inbox)
        assert use(source, lambda s: s.claim("a.csv", self.HELD)) is True
        assert not (inbox / "a.csv").exists()
        assert (inbox / self.HELD).read_bytes() == b"hello"
        assert use(source, lambda s: s.claim("a.csv", self.HELD)) is True

    def test_claim_of_what_is_gone(self, inbox: Path, source: Source) -> None:
        assert use(source, lambda s: s.claim("a.csv", self.HELD)) is False
        assert not (inbox / self.HELD).exists()

    def test_namesake_that_comes_after_the_claim_is_left_alone(self, inbox: Path, source: Source) -> None:
        self.drop(inbox)
        use(source, lambda s: s.claim("a.csv", self.HELD))
        self.drop(inbox, content=b"another")
        use(source, lambda s: s.claim("a.csv", ".processing/2-a.csv"))
        assert (inbox / self.HELD).read_bytes() == b"hello"
        assert (inbox / ".processing/2-a.csv").read_bytes() == b"another"

    def test_one_of_many_claimers_wins(self, inbox: Path, source: Source) -> None:
        self.drop(inbox)

        async def race(ready: Source) -> list[bool]:
            return list(await asyncio.gather(*(ready.claim("a.csv", f".processing/{n}-a.csv") for n in range(8))))

        assert use(source, race).count(True) == 1
        assert len(list((inbox / ".processing").iterdir())) == 1

    @pytest.mark.parametrize("size", [0, 1, 5, 700_001, 3 << 20])
    def test_streams_every_byte(self, inbox: Path, source: Source, tmp_path: Path, size: int) -> None:
        content = os.urandom(size)
        self.drop(inbox, content=content)
        use(source, lambda s: s.claim("a.csv", self.HELD))
        landing = Landing(tmp_path / "landing")
        landed = use(source, lambda s: landing.receive(s.open(self.HELD), expected_size=size))
        assert landing.read(landed.sha256) == content

    def test_facts_of_a_held_file(self, inbox: Path, source: Source) -> None:
        self.drop(inbox)
        use(source, lambda s: s.claim("a.csv", self.HELD))
        facts = use(source, lambda s: s.facts(self.HELD))
        assert (facts.size, facts.mtime) == (5, datetime.fromtimestamp(1_700_000_000, UTC))
        with pytest.raises(FileVanished):
            use(source, lambda s: s.facts(".processing/none"))

    def test_set_aside_and_again(self, inbox: Path, source: Source) -> None:
        self.drop(inbox)
        use(source, lambda s: s.claim("a.csv", self.HELD))
        target = ".archive/2026/11/21/a.csv"
        for _ in range(2):
            assert use(source, lambda s: s.set_aside(self.HELD, target, if_taken=f"{target}.dup-1")) == target
        assert (inbox / target).read_bytes() == b"hello"
        assert not (inbox / self.HELD).exists()

    def test_set_aside_never_overwrites(self, inbox: Path, source: Source) -> None:
        self.drop(inbox)
        use(source, lambda s: s.claim("a.csv", self.HELD))
        (inbox / ".failed").mkdir()
        (inbox / ".failed/a.csv").write_bytes(b"older")
        taken = ".failed/a.csv.dup-7"
        for _ in range(2):
            assert use(source, lambda s: s.set_aside(self.HELD, ".failed/a.csv", if_taken=taken)) == taken
        assert (inbox / ".failed/a.csv").read_bytes() == b"older"
        assert (inbox / taken).read_bytes() == b"hello"

    def test_set_aside_of_what_is_gone(self, inbox: Path, source: Source) -> None:
        with pytest.raises(FileVanished):
            use(source, lambda s: s.set_aside(self.HELD, ".failed/a.csv", if_taken=".failed/a.csv.dup-1"))
        assert inbox.is_dir()
