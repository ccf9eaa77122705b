"""FTP against real pyftpdlib servers, in the clear and in TLS, with and without MLSD, and their refusals."""

import asyncio
import os
import posixpath
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from import_project.errors import (
    ConfigError,
    FileVanished,
    HostKeyRefused,
    LoginRefused,
    SourceDenied,
    SourceError,
    SourceUnreachable,
)
from import_project.records.files import Staged
from import_project.sources.base import Source
from import_project.sources.ftp import FtpSource
from import_project.sources.ftp_listing import UNKNOWN_TIME, Entry, NotAListing, read_list, read_mlsd
from import_project.sources.ftp_login import FtpLogin
from import_project.store.landing import Landing
from import_project_tests.ftp_servers import FtpPeer, ftp_peer
from import_project_tests.sources.contract import FolderContract, FolderInbox, aside, claim, listing, received, use
from import_project_tests.sources.test_sftp import silent_server

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


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[FtpPeer]:
    with ftp_peer(tmp_path / "plain", "none") as peer:
        yield peer


class FtpContract(FolderContract):
    """The whole contract, and what only the bytes of FTP can break."""

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
    def peer(self, plain: FtpPeer) -> FtpPeer:
        return plain


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


class TestRefusals:
    @pytest.fixture(params=["none", "explicit"])
    def peer(self, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[FtpPeer]:
        with ftp_peer(tmp_path / "ftp", request.param) as peer:
            FolderInbox(peer.root / "in").drop(content=b"x" * (2 << 20))
            yield peer

    @pytest.fixture
    def source(self, peer: FtpPeer) -> FtpSource:
        return FtpSource(login(peer), "in")

    def landed(self, tmp_path: Path) -> list[Path]:
        return [p for p in (tmp_path / "l").rglob("*") if p.is_file()]

    def test_cut_connection_is_unreachable_and_lands_nothing(
        self, peer: FtpPeer, source: FtpSource, tmp_path: Path
    ) -> None:
        peer.faults.cut_after_bytes = 1 << 20
        with pytest.raises(SourceUnreachable, match=r"cannot read in/a\.csv at ftps?://acme@127"):
            received(source, HERE, 2 << 20, Landing(tmp_path / "l"))
        assert self.landed(tmp_path) == []

    def test_transfer_that_the_server_ends_early(self, peer: FtpPeer, source: FtpSource, tmp_path: Path) -> None:
        peer.faults.end_after_bytes = 1 << 20
        with pytest.raises(SourceUnreachable, match="426"):
            received(source, HERE, 2 << 20, Landing(tmp_path / "l"))
        assert self.landed(tmp_path) == []

    @pytest.mark.parametrize("answer", ["451 Disk error.", "551 Disk error."])
    def test_whole_bytes_without_226_are_not_enough(
        self, peer: FtpPeer, source: FtpSource, tmp_path: Path, answer: str
    ) -> None:
        peer.faults.instead_of_226 = answer
        with pytest.raises(SourceError, match=answer):
            received(source, HERE, 2 << 20, Landing(tmp_path / "l"))
        assert self.landed(tmp_path) == []

    def test_server_that_stops_sending_is_cut_off(self, peer: FtpPeer, tmp_path: Path) -> None:
        peer.faults.stall_after_bytes = 1 << 20
        source = FtpSource(replace(login(peer), step_timeout=0.5), "in")
        with pytest.raises(SourceUnreachable, match="no answer in time"):
            received(source, HERE, 2 << 20, Landing(tmp_path / "l"))
        assert self.landed(tmp_path) == []

    def test_cancelled_step_is_cut_off_and_the_next_one_works(self, peer: FtpPeer, source: FtpSource) -> None:
        peer.faults.stall_after_bytes = 1 << 20

        async def cancel(ready: Source) -> int:
            async def read() -> None:
                async for _ in ready.open(HERE, 2 << 20):
                    pass

            with pytest.raises(TimeoutError):
                await asyncio.wait_for(read(), 0.5)
            return len((await ready.list(lambda _: True)).files)

        started = datetime.now(UTC)
        assert use(source, cancel) == 1
        assert (datetime.now(UTC) - started).total_seconds() < 5

    @pytest.mark.parametrize("command", ["MLSD", "MLST", "CWD", "MKD", "RNFR", "RNTO", "RETR"])
    @pytest.mark.parametrize("answer", ["550 Permission denied.", "553 Not for you."])
    def test_forbidden_steps_are_named(
        self, peer: FtpPeer, source: FtpSource, tmp_path: Path, command: str, answer: str
    ) -> None:
        with pytest.raises(SourceDenied, match=f"cannot .* in.* at .*{answer}"):
            self.all_steps(peer, source, tmp_path, {command: answer})
        assert (peer.root / "in/a.csv").exists() == (command != "RETR")

    @pytest.mark.parametrize("command", ["MLSD", "MKD", "RNFR", "RNTO", "RETR"])
    def test_refusal_that_tells_no_reason_is_no_vanished_file(
        self, peer: FtpPeer, source: FtpSource, tmp_path: Path, command: str
    ) -> None:
        with pytest.raises(SourceDenied, match="550 It did not work"):
            self.all_steps(peer, source, tmp_path, {command: "550 It did not work."})

    def all_steps(self, peer: FtpPeer, source: FtpSource, tmp_path: Path, deny: dict[str, str]) -> None:
        async def run(ready: Source) -> None:
            peer.faults.deny.update(deny)
            await ready.list(lambda _: True)
            await ready.claim(HELD)
            await Landing(tmp_path / "l").receive(ready.open(HELD, 2 << 20), expected_size=2 << 20)

        use(source, run)

    @pytest.mark.parametrize("command", ["STOR", "RNTO", "DELE", "MKD"])
    def test_rights_that_are_missing_are_found_by_trying(self, peer: FtpPeer, source: FtpSource, command: str) -> None:
        peer.faults.deny = {command: "550 No."}
        with pytest.raises(SourceDenied, match=r"cannot write into in/\.processing at .*550 No"):
            use(source, lambda s: s.try_out(".processing"))

    def test_missing_folder_is_an_error_and_not_an_empty_inbox(self, peer: FtpPeer) -> None:
        with pytest.raises(FileVanished, match=r"cannot open nowhere at .* no such file or folder"):
            listing(FtpSource(login(peer), "nowhere"))

    def test_server_that_is_busy(self, peer: FtpPeer, source: FtpSource) -> None:
        peer.faults.deny["USER"] = "421 Too many users."
        with pytest.raises(SourceUnreachable, match="421 Too many users"):
            listing(source)

    @pytest.mark.parametrize(
        ("username", "password"), [("acme", "wrong-password"), ("nobody", "right-password"), ("\u00e5ke", "l\u00f6sen")]
    )
    def test_refused_logins(self, peer: FtpPeer, username: str, password: str) -> None:
        given = replace(login(peer), username=username, password=password)
        with pytest.raises(LoginRefused, match="login refused") as error:
            listing(FtpSource(given, "in"))
        assert password not in str(error.value)
        assert password not in repr(given)

    def test_server_that_repeats_the_password(self, peer: FtpPeer) -> None:
        peer.faults.deny["PASS"] = "530 PASS right-password is wrong."
        with pytest.raises(LoginRefused, match=r"PASS \*\*\* is wrong") as error:
            listing(FtpSource(login(peer), "in"))
        assert "right-password" not in str(error.value)

    def test_password_with_a_line_break(self, peer: FtpPeer) -> None:
        with pytest.raises(ConfigError, match="holds a line break"):
            listing(FtpSource(replace(login(peer), password="right-password\n"), "in"))

    def test_nobody_listens(self, peer: FtpPeer) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            given = replace(login(peer), port=taken.getsockname()[1])
            with pytest.raises(SourceUnreachable, match=r"cannot open in at .*refused"):
                listing(FtpSource(given, "in"))

    def test_server_that_never_greets(self, peer: FtpPeer) -> None:
        with silent_server() as port:
            given = replace(login(peer), port=port, connect_timeout=0.5)
            with pytest.raises(SourceUnreachable, match="no answer in time"):
                listing(FtpSource(given, "in"))


class TestTrust:
    @pytest.fixture
    def peer(self, tmp_path: Path) -> Iterator[FtpPeer]:
        with ftp_peer(tmp_path / "ftp", "explicit") as peer:
            yield peer

    def no_password_left(self, peer: FtpPeer) -> bool:
        return not [c for c in peer.commands if c.startswith("PASS")]

    def test_unknown_authority(self, peer: FtpPeer) -> None:
        with pytest.raises(HostKeyRefused, match="name its authority as ca_file"):
            listing(FtpSource(replace(login(peer), ca_file=None), "."))
        assert self.no_password_left(peer)

    def test_certificate_for_another_host(self, tmp_path: Path) -> None:
        with ftp_peer(tmp_path / "other", "explicit", made_for="ftp.example.org") as peer:
            with pytest.raises(HostKeyRefused, match="ask the partner for a certificate for this host name"):
                listing(FtpSource(login(peer), "."))
            assert self.no_password_left(peer)

    def test_server_without_tls_gets_no_password(self, plain: FtpPeer, peer: FtpPeer) -> None:
        with pytest.raises(SourceDenied, match="offers no TLS"):
            listing(FtpSource(replace(login(peer), port=plain.port), "."))
        assert self.no_password_left(plain)

    def test_plain_login_where_tls_is_required(self, peer: FtpPeer) -> None:
        with pytest.raises(SourceError, match="TLS required"):
            listing(FtpSource(replace(login(peer), tls="none"), "."))

    def test_implicit_login_to_an_explicit_server(self, peer: FtpPeer) -> None:
        with pytest.raises(SourceUnreachable):
            listing(FtpSource(replace(login(peer), tls="implicit", connect_timeout=1), "."))

    @pytest.mark.parametrize("text", [None, "no certificate"])
    def test_ca_file_that_is_none(self, peer: FtpPeer, tmp_path: Path, text: str | None) -> None:
        ca_file = tmp_path / "mine.pem"
        if text is not None:
            ca_file.write_text(text, "utf-8")
        with pytest.raises(ConfigError, match=r"mine\.pem .* cannot be used"):
            listing(FtpSource(replace(login(peer), ca_file=ca_file), "."))


def names(entries: list[Entry]) -> list[tuple[str, int]]:
    return [(e.name, e.size) for e in entries if e.is_file]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-rw-r--r--    1 1000     1000           5 Nov 14 22:13 a.csv", ("a.csv", 5)),
        ("-rw-r--r--    1 ftp      ftp            5 Nov 14  2023 a.csv", ("a.csv", 5)),
        ("-rw-r--r--    1 ftp      ftp   3000000000 Feb 29  2024 a b  c.csv", ("a b  c.csv", 3_000_000_000)),
        ("-rw-r--r--    1 ftp      ftp            5 Nov  4 02:13  leading.csv", (" leading.csv", 5)),
        ("-rw-r--r--    1 ftp      ftp            5 Nov  4 02:13 9 Nov 14 22:13 x.csv", ("9 Nov 14 22:13 x.csv", 5)),
        ("-rw-r--r--+   1 CORP\\Domain Users g     5 Nov  4 02:13 a.csv", ("a.csv", 5)),
        ("-rwsr-xr-t.   1 me                     5 Nov  4 02:13 a.csv", ("a.csv", 5)),
        ("-rw-r--r--    1 me  us                 5 2023-11-14 22:13 a.csv", ("a.csv", 5)),
        ("lrwxrwxrwx    1 ftp      ftp           11 Nov 14 22:13 a.csv -> /etc/passwd", None),
        ("drwxr-xr-x    2 ftp      ftp         4096 Nov 14 22:13 a.csv", None),
        ("prw-r--r--    1 ftp      ftp            0 Nov 14 22:13 a.csv", None),
        ("crw-rw-rw-    1 root     root       1,   3 Nov 14 22:13 a.csv", None),
        ("11-14-23  10:13PM                    5 a b.csv", ("a b.csv", 5)),
        ("11-14-2023  22:13                    5 a.csv", ("a.csv", 5)),
        ("11-14-23  10:13PM       <DIR>          a.csv", None),
        ("11-14-23  10:13PM       <SYMLINK>      a.csv", None),
    ],
)
@pytest.mark.parametrize("around", ["{}\r\n", "total 1\r\n{}\r\n", "{}", "{}\n"])
def test_lines_of_list(line: str, expected: tuple[str, int] | None, around: str) -> None:
    assert names(read_list(around.format(line).encode())) == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("type=file;size=5;modify=20231114221320; a b.csv", ("a b.csv", 5)),
        ("Type=File;Size=5;Modify=20231114221320.123;UNIX.mode=0644;  a.csv", (" a.csv", 5)),
        ("type=file;size=5;modify=20231114221320;perm=r; a;b=c; d.csv", ("a;b=c; d.csv", 5)),
        ("type=OS.unix=slink:/etc/pass wd;size=5; a.csv", None),
        ("type=OS.unix=symlink;size=5; a.csv", None),
        ("type=dir;modify=20231114221320; a.csv", None),
        ("type=cdir;modify=20231114221320; .", None),
    ],
)
def test_lines_of_mlsd(line: str, expected: tuple[str, int] | None) -> None:
    assert names(read_mlsd(f"{line}\r\n".encode())) == ([expected] if expected else [])


def test_times_of_mlsd() -> None:
    times = {"20231114221320": datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), "19100": UNKNOWN_TIME, "": UNKNOWN_TIME}
    for text, expected in times.items():
        (entry,) = read_mlsd(f"type=file;size=5;modify={text}; a.csv\r\n".encode())
        assert entry.mtime == expected


@pytest.mark.parametrize("read", [read_list, read_mlsd])
def test_name_with_line_breaks_is_one_name(read: Callable[[bytes], list[Entry]]) -> None:
    begin = b"type=file;size=5; " if read is read_mlsd else b"-rw-r--r-- 1 u g 5 Nov 14 22:13 "
    entries = read(begin + b"a.csv\r\nb.csv\r\n" + begin + b"c\nd.csv\r\n" + begin + b"e.csv\r\n")
    assert [e.name for e in entries] == ["a.csv\r\nb.csv", "c\nd.csv", "e.csv"]


@pytest.mark.parametrize("content", [b"", b"total 0\r\n", b"\r\n"])
def test_empty_listings(content: bytes) -> None:
    assert read_list(content) == []


@pytest.mark.parametrize("read", [read_list, read_mlsd])
@pytest.mark.parametrize("content", [b"A.CSV;1  5/9  14-NOV-2023 22:13\r\n", b"a.csv\r\n", b"-" * 100_000])
def test_listing_in_no_known_form_is_an_error(read: Callable[[bytes], list[Entry]], content: bytes) -> None:
    with pytest.raises(NotAListing, match="no known form"):
        read(content)
