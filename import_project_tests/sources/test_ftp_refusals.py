"""What FTP servers refuse and break, in the clear and in TLS, and whom we refuse."""

import asyncio
import socket
from collections.abc import Iterator
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
from import_project.sources.base import Source
from import_project.sources.ftp import FtpSource
from import_project.store.landing import Landing
from import_project_tests.ftp_servers import FtpPeer, ftp_peer
from import_project_tests.sources.contract import FolderInbox, listing, received, use
from import_project_tests.sources.test_ftp import HELD, HERE, login
from import_project_tests.sources.test_sftp import silent_server


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[FtpPeer]:
    with ftp_peer(tmp_path / "plain", "none") as peer:
        yield peer


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
