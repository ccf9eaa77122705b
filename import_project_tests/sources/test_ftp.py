"""FTP against real pyftpdlib servers, in the clear and in TLS, with and without MLSD, and their refusals."""

import asyncio
import os
import posixpath
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from import_project.errors import (
    FileVanished,
    SourceDenied,
)
from import_project.records.files import Staged
from import_project.sources.base import Source
from import_project.sources.ftp import FtpSource
from import_project.sources.ftp_listing import UNKNOWN_TIME
from import_project.sources.ftp_login import FtpLogin
from import_project.store.landing import Landing
from import_project_tests.ftp_servers import FtpPeer, ftp_peer
from import_project_tests.sources.contract import FolderContract, FolderInbox, aside, claim, listing, received, use

HELD = Staged(name="a.csv", held_as=FolderContract.HELD)
HERE = Staged(name="a.csv", held_as="a.csv")


def login(peer: FtpPeer) -> FtpLogin:
    return FtpLogin(
        host="127.0.0.1",
        port=peer.port,
        username=peer.username,
        password="right-password",
        tls=peer.tls,
        ca_file=peer.ca_file,
        connect_timeout=5,
        step_timeout=10,
    )


class FtpContract(FolderContract):
    """The whole contract, and what only the bytes of FTP can break."""

    SPECIAL = frozenset()

    @pytest.fixture
    def inbox(self, peer: FtpPeer) -> FolderInbox:
        return FolderInbox(peer.root / "in box")

    @pytest.fixture
    def source(self, peer: FtpPeer, inbox: FolderInbox) -> FtpSource:
        return FtpSource(login(peer), "in box")

    def test_line_ends_in_the_bytes_stay_as_they_are(
        self, inbox: FolderInbox, source: FtpSource, tmp_path: Path
    ) -> None:
        content = os.urandom(3 << 20) + b"\r\n\n\r\xff\x00" * 1000
        inbox.drop(content=content)
        assert received(source, HERE, len(content), Landing(tmp_path / "l")) == content

    def test_one_of_many_connections_wins(self, peer: FtpPeer, inbox: FolderInbox, source: FtpSource) -> None:
        inbox.drop()

        async def race() -> list[bool]:
            async def run(n: int) -> bool:
                async with FtpSource(login(peer), "in box") as rival:
                    return await rival.claim(replace(HELD, held_as=f".processing/{n}-a.csv"))

            return list(await asyncio.gather(*(run(n) for n in range(8))))

        assert asyncio.run(race()).count(True) == 1
        assert len(inbox.paths()) == 1

    def test_names_with_blanks_and_bytes_that_look_like_line_ends(
        self, inbox: FolderInbox, source: FtpSource, tmp_path: Path
    ) -> None:
        name = "\u00c5 b  c.csv"  # in UTF-8 the first letter ends with 0x85, in Latin-1 a line end
        inbox.drop(name, b"x")
        file = Staged(name=name, held_as=f".processing/{name}")
        assert claim(source, file) is True
        assert [f.held_as for f in use(source, lambda s: s.held(".processing"))] == [file.held_as]
        assert use(source, lambda s: s.facts(file)).size == 1
        assert received(source, file, 1, Landing(tmp_path / "l")) == b"x"
        assert aside(source, file, ".archive/1/a.csv") == ".archive/1/a.csv"

    def test_name_that_is_no_text_is_told_and_stops_no_listing(self, inbox: FolderInbox, source: FtpSource) -> None:
        inbox.drop("good.csv")
        Path(os.fsdecode(os.fsencode(inbox.root) + b"/caf\xe9.csv")).write_bytes(b"x")
        found = listing(source)
        assert [f.name for f in found.files] == ["good.csv"]
        assert len(found.unsafe) == 1

    def test_first_bytes_of_a_longer_file_and_the_next_step(
        self, inbox: FolderInbox, source: FtpSource, tmp_path: Path
    ) -> None:
        inbox.drop(content=b"x" * (5 << 20))
        landing = Landing(tmp_path / "l")

        async def read_then_look(ready: Source) -> tuple[int, int]:
            landed = await landing.receive(ready.open(HERE, 1 << 20), expected_size=1 << 20)
            return landed.size, (await ready.facts(HERE)).size

        assert use(source, read_then_look) == (1 << 20, 5 << 20)

    def test_reader_that_stops_early_leaves_no_thread_and_a_usable_source(
        self, inbox: FolderInbox, source: FtpSource
    ) -> None:
        inbox.drop(content=b"x" * (20 << 20))

        async def stop_early(ready: Source) -> int:
            chunks = ready.open(HERE, 20 << 20)
            first = await anext(chunks)
            await asyncio.sleep(0.3)  # until it has read ahead as far as it may
            await chunks.aclose()  # type: ignore[attr-defined]
            assert len((await ready.list(lambda _: True)).files) == 1
            return len(first)

        assert 0 < use(source, stop_early) <= 1 << 20
        assert [t.name for t in threading.enumerate() if t.name.startswith("ftp")] == []

    def test_absolute_target(self, peer: FtpPeer, inbox: FolderInbox, source: FtpSource) -> None:
        file = self.claimed(inbox, source)
        target = posixpath.join(peer.root_there, "done/2026/a.csv")
        assert aside(source, file, target) == target
        assert (peer.root / "done/2026/a.csv").read_bytes() == b"hello"

    def test_folder_that_goes_while_connected_is_an_error(
        self, peer: FtpPeer, inbox: FolderInbox, source: FtpSource
    ) -> None:
        async def lose(ready: Source) -> None:
            inbox.root.rename(peer.root / "elsewhere")
            await ready.list(lambda _: True)

        with pytest.raises(FileVanished, match="no such file or folder"):
            use(source, lose)

    def test_both_places_are_taken(self, inbox: FolderInbox, source: FtpSource) -> None:
        file = self.claimed(inbox, source)
        inbox.drop(".failed/a.csv", b"older")
        inbox.drop(".failed/taken.csv", b"oldest")
        with pytest.raises(SourceDenied, match="exist already"):
            aside(source, file, ".failed/a.csv")
        assert inbox.read(file.held_as) == b"hello"


class TestPlainFtp(FtpContract):
    @pytest.fixture
    def peer(self, tmp_path: Path) -> Iterator[FtpPeer]:
        with ftp_peer(tmp_path / "ftp", "none") as peer:
            yield peer


class TestFtps(FtpContract):
    @pytest.fixture
    def peer(self, tmp_path: Path) -> Iterator[FtpPeer]:
        with ftp_peer(tmp_path / "ftp", "explicit") as peer:
            yield peer

    def test_data_travels_in_tls(self, peer: FtpPeer, inbox: FolderInbox, source: FtpSource) -> None:
        listing(source)
        assert peer.commands.index("PROT P") < peer.commands.index("PASV")
        assert peer.commands[0] == "AUTH TLS"
        assert "OPTS UTF8 ON" in peer.commands


class TestFtpsWithoutFacts(FtpContract):
    """LIST, SIZE and MDTM do the work of MLSD and MLST."""

    @pytest.fixture
    def peer(self, tmp_path: Path) -> Iterator[FtpPeer]:
        with ftp_peer(tmp_path / "ftp", "explicit", no_facts=True) as peer:
            yield peer

    def test_only_wanted_files_are_asked_for(self, peer: FtpPeer, inbox: FolderInbox, source: FtpSource) -> None:
        inbox.drop()
        inbox.drop("b.txt")
        listing(source, lambda n: n.endswith(".csv"))
        assert [c for c in peer.commands if c.startswith("SIZE")] == ["SIZE a.csv"]

    def test_server_that_tells_no_times(self, peer: FtpPeer, inbox: FolderInbox, source: FtpSource) -> None:
        inbox.drop()
        peer.faults.deny["MDTM"] = "500 Unknown command."
        (seen,) = listing(source).files
        assert (seen.size, seen.mtime) == (5, UNKNOWN_TIME)
        assert use(source, lambda s: s.facts(HERE)) == seen

    def test_file_that_cannot_be_asked_for_is_listed_all_the_same(
        self, peer: FtpPeer, inbox: FolderInbox, source: FtpSource
    ) -> None:
        inbox.drop()
        peer.faults.deny["SIZE"] = "550 Could not get file size."
        assert [(f.name, f.size) for f in listing(source).files] == [("a.csv", 5)]

    def test_server_without_feat(self, peer: FtpPeer, inbox: FolderInbox, source: FtpSource) -> None:
        inbox.drop()
        peer.faults.deny["FEAT"] = "502 Not here."
        assert len(listing(source).files) == 1


def test_implicit_tls(tmp_path: Path) -> None:
    with ftp_peer(tmp_path / "ftp", "implicit") as peer:
        (peer.root / "a.csv").write_bytes(b"hello")
        assert [f.size for f in listing(FtpSource(login(peer), ".")).files] == [5]
        assert peer.commands[0] == "USER acme"
