"""SFTP against a real asyncssh server, and its refusals."""

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import asyncssh
import pytest
from asyncssh.mac import get_default_mac_algs

from import_project.errors import (
    ConfigError,
    HostKeyRefused,
    LoginRefused,
    SourceDenied,
    SourceError,
    SourceUnreachable,
)
from import_project.records.files import Staged
from import_project.sources.base import Source
from import_project.sources.sftp import SftpSource
from import_project.sources.sftp_login import SftpLogin, _strong
from import_project.store.landing import Landing
from import_project_tests.servers import SftpPeer
from import_project_tests.sources.contract import FolderContract, FolderInbox, aside, claim, listing, received, use


def login(peer: SftpPeer) -> SftpLogin:
    return SftpLogin(
        host="127.0.0.1",
        port=peer.port,
        username="acme",
        known_hosts=peer.known_hosts,
        private_key=peer.user_key,
        connect_timeout=5,
        login_timeout=5,
        step_timeout=10,
    )


HELD = Staged(name="a.csv", held_as=FolderContract.HELD)


@pytest.mark.parametrize("algorithm", ["ssh-rsa", "rsa-sha2-256"])
def test_server_that_signs_with_sha1_only_is_trusted_where_the_feed_says_so(tmp_path: Path, algorithm: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_bytes(b"hello")
    key = asyncssh.generate_private_key("ssh-rsa", key_size=2048)

    class Server(asyncssh.SSHServer):
        def validate_password(self, username: str, password: str) -> bool:
            return True

        def password_auth_supported(self) -> bool:
            return True

    async def listed(*, legacy_ssh: bool) -> list[str]:
        (pair,) = asyncssh.load_keypairs([key])
        pair.host_key_algorithms, pair.sig_algorithms = [algorithm.encode()], (algorithm.encode(),)
        files = partial(asyncssh.SFTPServer, chroot=os.fsencode(tmp_path))
        async with await asyncssh.create_server(
            Server, "127.0.0.1", 0, server_host_keys=[pair], sftp_factory=files
        ) as server:
            known = tmp_path / "known_hosts"
            known.write_text(f"[127.0.0.1]:{server.get_port()} {key.export_public_key().decode()}", "utf-8")
            to = {"host": "127.0.0.1", "port": server.get_port(), "username": "acme", "password": "any"}
            given = SftpLogin(**to, known_hosts=known, legacy_ssh=legacy_ssh)  # type: ignore[arg-type]
            async with SftpSource(given, "in") as source:
                found = await source.list(lambda _: True)
        return [one.name for one in found.files]

    assert asyncio.run(listed(legacy_ssh=True)) == ["a.csv"]
    if algorithm == "ssh-rsa":
        with pytest.raises(HostKeyRefused, match=r"SHA-1 needs source.legacy_ssh"):
            asyncio.run(listed(legacy_ssh=False))
    else:
        assert asyncio.run(listed(legacy_ssh=False)) == ["a.csv"]


@pytest.mark.parametrize(
    "old",
    [{"kex_algs": ["diffie-hellman-group14-sha1"]}, {"mac_algs": ["hmac-sha1"], "encryption_algs": ["aes128-ctr"]}],
)
def test_server_that_agrees_with_sha1_only_is_told(tmp_path: Path, old: dict[str, list[str]]) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")

    async def connected() -> None:
        async with await asyncssh.create_server(
            asyncssh.SSHServer, "127.0.0.1", 0, server_host_keys=[key], **old
        ) as server:
            known = tmp_path / "known_hosts"
            known.write_text(f"[127.0.0.1]:{server.get_port()} {key.export_public_key().decode()}", "utf-8")
            given = SftpLogin(
                host="127.0.0.1", port=server.get_port(), username="acme", password="any", known_hosts=known
            )
            async with SftpSource(given, "in"):
                raise AssertionError("connected")

    with pytest.raises(SourceUnreachable, match=r"needs source\.legacy_ssh"):
        asyncio.run(connected())


def test_what_is_offered_is_what_there_is_without_what_is_weak() -> None:
    """A name that asyncssh does not know on this machine would be an error: `umac` needs a library."""
    offered = _strong()
    assert set(map(str.encode, offered["mac_algs"])) < set(get_default_mac_algs())
    everything = [name for names in offered.values() for name in names]
    assert [n for n in everything if any(weak in n for weak in ("sha1", "md5", "dss", "umac-64"))] == []
    assert {"ssh-rsa", "ssh-rsa-cert-v01@openssh.com"}.isdisjoint(everything)
    assert {"ssh-ed25519", "rsa-sha2-512", "hmac-sha2-256", "curve25519-sha256"} < set(everything)


def test_short_rsa_key_of_ours_is_refused(sftp: SftpPeer) -> None:
    key = asyncssh.generate_private_key("ssh-rsa", key_size=2048).export_private_key().decode()
    short = replace(login(sftp), private_key=key)
    with pytest.raises(ConfigError, match=r"an RSA key of 2048 bits \(make one of 3072 bits"):
        listing(SftpSource(short, "in"))
    with pytest.raises(LoginRefused):  # tried, and not one the server knows
        listing(SftpSource(replace(short, legacy_ssh=True), "in"))


class TestSftp(FolderContract):
    @pytest.fixture
    def inbox(self, sftp: SftpPeer) -> FolderInbox:
        return FolderInbox(sftp.root / "in")

    @pytest.fixture
    def source(self, sftp: SftpPeer) -> SftpSource:
        return SftpSource(login(sftp), "in")

    def test_server_without_posix_rename(self, inbox: FolderInbox, source: SftpSource, sftp: SftpPeer) -> None:
        sftp.faults.no_posix_rename = True
        inbox.drop()
        assert claim(source, HELD) is True
        assert inbox.paths() == {HELD.held_as}

    def test_password(self, inbox: FolderInbox, sftp: SftpPeer) -> None:
        inbox.drop()
        given = replace(login(sftp), private_key=None, password="right-password")
        assert len(listing(SftpSource(given, "in")).files) == 1

    @pytest.mark.parametrize("folder", [".processing", ".archive", ".archive/2026/11"])
    def test_folder_that_a_sender_turned_into_a_link_is_refused(
        self, inbox: FolderInbox, source: SftpSource, folder: str
    ) -> None:
        inbox.drop()
        outside = inbox.root.parent / "other"
        (outside / "22").mkdir(parents=True)
        (outside / "b.csv").write_bytes(b"not ours")
        (inbox.root / folder).parent.mkdir(parents=True, exist_ok=True)
        (inbox.root / folder).symlink_to(os.path.relpath(outside, (inbox.root / folder).parent))

        def moved() -> None:
            claim(source, HELD)
            aside(source, HELD, ".archive/2026/11/22/a.csv")

        with pytest.raises(SourceDenied, match="leads out of the inbox"):
            moved()
        if folder == ".processing":
            with pytest.raises(SourceDenied, match="leads out of the inbox"):
                use(source, lambda s: s.held(folder))
        assert [p.name for p in outside.rglob("*") if p.is_file()] == ["b.csv"]

    def test_cut_connection_is_unreachable_and_lands_nothing(
        self, inbox: FolderInbox, source: SftpSource, sftp: SftpPeer, tmp_path: Path
    ) -> None:
        inbox.drop(content=b"x" * (2 << 20))
        claim(source, HELD)
        sftp.faults.cut_after_bytes = 1 << 20
        with pytest.raises(SourceUnreachable, match="cannot read"):
            received(source, HELD, 2 << 20, Landing(tmp_path / "l"))
        assert [p for p in (tmp_path / "l").rglob("*") if p.is_file()] == []

    def test_server_that_stops_answering_is_cut_off(self, inbox: FolderInbox, sftp: SftpPeer, tmp_path: Path) -> None:
        inbox.drop()
        source = SftpSource(replace(login(sftp), step_timeout=0.5), "in")
        claim(source, HELD)
        sftp.faults.stall_reads = True
        with pytest.raises(SourceUnreachable, match="no answer in time"):
            received(source, HELD, 5, Landing(tmp_path / "l"))

    @pytest.mark.parametrize("operation", ["list", "rename", "read"])
    def test_forbidden_steps_are_named(
        self, inbox: FolderInbox, source: SftpSource, sftp: SftpPeer, tmp_path: Path, operation: str
    ) -> None:
        inbox.drop()
        sftp.faults.deny.add(operation)

        async def all_steps(ready: Source) -> None:
            await ready.list(lambda _: True)
            await ready.claim(HELD)
            await Landing(tmp_path / "l").receive(ready.open(HELD, 5), expected_size=5)

        with pytest.raises(SourceDenied, match="permission denied"):
            use(source, all_steps)
        assert (inbox.read("a.csv") is not None) == (operation != "read")

    def test_missing_folder_is_an_error_and_not_an_empty_inbox(self, sftp: SftpPeer) -> None:
        with pytest.raises(SourceError, match="no such file or folder"):
            listing(SftpSource(login(sftp), "nowhere"))

    def test_unknown_host_key_is_refused_before_any_password_leaves(self, sftp: SftpPeer, tmp_path: Path) -> None:
        stranger = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
        other = tmp_path / "other_known_hosts"
        for text in (f"[127.0.0.1]:{sftp.port} {stranger}", ""):
            other.write_text(text, "utf-8")
            with pytest.raises(HostKeyRefused, match="ask the partner for the key's fingerprint"):
                listing(SftpSource(replace(login(sftp), known_hosts=other), "in"))

    def test_refused_logins(self, sftp: SftpPeer) -> None:
        strange_key = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
        for given in (
            replace(login(sftp), private_key=strange_key),
            replace(login(sftp), private_key=None, password="wrong-password"),
        ):
            with pytest.raises(LoginRefused) as error:
                listing(SftpSource(given, "in"))
            assert "wrong-password" not in str(error.value)
            assert "wrong-password" not in repr(given)

    def test_key_that_is_none(self, sftp: SftpPeer) -> None:
        with pytest.raises(ConfigError, match=r"the private key for sftp://acme@127\.0\.0\.1"):
            listing(SftpSource(replace(login(sftp), private_key="no key"), "in"))

    def test_nobody_listens(self, sftp: SftpPeer) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            given = replace(login(sftp), port=taken.getsockname()[1])
            with pytest.raises(SourceUnreachable, match="cannot connect"):
                listing(SftpSource(given, "in"))

    def test_server_that_never_says_who_it_is(self, sftp: SftpPeer) -> None:
        with silent_server() as port:
            given = replace(login(sftp), port=port, connect_timeout=1, login_timeout=1)
            with pytest.raises(SourceUnreachable):
                listing(SftpSource(given, "in"))


@contextmanager
def silent_server() -> Iterator[int]:
    """Accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=5)
        for connection in held:
            connection.close()


def test_the_demo_server_jails_its_users(tmp_path: Path) -> None:
    from import_project.demo.sftp_server import serve, write_known_hosts

    (tmp_path / "outside.txt").write_text("secret", "utf-8")

    async def look() -> list[str]:
        server = await serve(tmp_path)
        known = write_known_hosts(tmp_path, server.get_port())
        given = SftpLogin(
            host="127.0.0.1",
            port=server.get_port(),
            username="acme",
            known_hosts=known,
            private_key=(tmp_path / "user_key").read_text("utf-8"),
        )
        async with SftpSource(given, "..") as source:
            names = [f.name for f in (await source.list(lambda _: True)).files]
        server.close()
        await server.wait_closed()
        return names

    assert asyncio.run(look()) == []


def test_name_that_is_no_text_is_told_and_stops_no_listing(sftp: SftpPeer) -> None:
    inbox = sftp.root / "in"
    inbox.mkdir()
    (inbox / "good.csv").write_bytes(b"x")
    Path(os.fsdecode(os.fsencode(inbox) + b"/caf\xe9.csv")).write_bytes(b"x")
    found = listing(SftpSource(login(sftp), "in"))
    assert [f.name for f in found.files] == ["good.csv"]
    assert len(found.unsafe) == 1


def test_names_that_a_hostile_server_makes_up_are_told_and_never_used(sftp: SftpPeer) -> None:
    FolderInbox(sftp.root / "in").drop("good.csv")
    sftp.faults.lies = (
        b"../x.csv",
        b"/etc/x.csv",
        b"a/../../b.csv",
        b"..\\x.csv",
        b"nul\0.csv",
        b"x" * 256,
        b".csv",
        b"",
    )
    found = listing(SftpSource(login(sftp), "in"), lambda name: name != "..")
    assert [f.name for f in found.files] == ["good.csv"]
    assert len(found.unsafe) == len(sftp.faults.lies)
    assert all(told.isprintable() for told in found.unsafe)
