"""Looking at inboxes and fetching from them: against rclone, OpenSSH's sftp and a bare os.scandir, on one server."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from benchmarks.figure import Figure, compared, turns
from benchmarks.peers import NO_HASHES, SshServer, far_away, run_peer, ssh_server
from import_project.config.load import LoadedFeed
from import_project.pipeline.compare import partition_key
from import_project.pipeline.parts import Parts
from import_project.pipeline.see import see
from import_project.records.files import ArrivalState, Listed, Staged
from import_project.sources.sftp import SftpSource
from import_project.store.landing import Landing
from import_project.store.ledger.tables import arrivals
from import_project_tests.installation import Installation

SFTP_KNOWN, LOCAL_KNOWN = 5_000, 100_000
BIG = 512 << 20
SMALL, SMALL_SIZE, IN_FLIGHT = 1_000, 20_000, 128
ONE_WAY = 10.0  # milliseconds
GCM = "-caes128-gcm@openssh.com"


def run() -> list[Figure]:
    """Run all of them; each in folders that are gone afterwards."""
    figures: list[Figure] = []
    for measure in (known_sftp, known_local, big_file, small_files, memory):
        with TemporaryDirectory(prefix="inbox-bench-") as folder, ssh_server(Path(folder) / "ssh") as server:
            figures += measure(Path(folder), server)
    return figures


def known_sftp(home: Path, server: SshServer) -> list[Figure]:
    """A poll that finds nothing new."""
    remote, copied = home / "remote", home / "copied"
    _write_files(remote, SFTP_KNOWN, b"x" * 100)
    copy = server.rclone(remote, copied, *NO_HASHES)
    run_peer(copy)
    parts, loaded = _feed(home, server, "bankgiro", remote)
    poll = _known_poll(parts, loaded, SFTP_KNOWN)
    ours, peer = turns(poll, lambda: run_peer(copy))
    parts.close()
    what = f"SFTP files a second in a poll over {SFTP_KNOWN:,} known ones"
    name, goal = "rclone copy, nothing to do", "at most 2x its time: 0.5"
    return [compared(what, SFTP_KNOWN, ours, peer, peer_name=name, at_least=0.5, goal=goal)]


def known_local(home: Path, server: SshServer) -> list[Figure]:
    """The same in a folder of this machine."""
    inbox = home / "inbox"
    _write_files(inbox, LOCAL_KNOWN, b"")
    parts, loaded = _feed(home, server, "orders", inbox)

    def scan() -> None:
        with os.scandir(inbox) as entries:
            assert sum(entry.stat(follow_symlinks=False).st_size == 0 for entry in entries) == LOCAL_KNOWN

    ours, peer = turns(_known_poll(parts, loaded, LOCAL_KNOWN), scan)
    parts.close()
    what = f"local files a second in a poll over {LOCAL_KNOWN:,} known ones"
    name, goal = "os.scandir with stat", "under 3x its time: 0.334"
    return [compared(what, LOCAL_KNOWN, ours, peer, peer_name=name, at_least=1 / 3, goal=goal)]


def big_file(home: Path, server: SshServer) -> list[Figure]:
    """One big file, from connecting to being on disk."""
    _write_big(home / "remote")
    fetched = home / "fetched"
    fetched.mkdir()

    def ours() -> None:
        asyncio.run(_received(server, home / "remote", Landing(fetched)))

    def sftp(*options: str) -> Callable[[], object]:
        return lambda: run_peer(server.sftp(*options), f"get {home}/remote/big {fetched}/")

    ours_taken, *peers = turns(ours, sftp(), sftp(GCM), rounds=7, between=lambda: _tidy(home))
    goals = [("OpenSSH sftp", 1.0, "as fast: 1"), ("OpenSSH sftp, aes128-gcm", None, "none: not its default")]
    return [
        compared("MB a second of one 512 MB file", BIG / 1e6, ours_taken, taken, peer_name=n, at_least=a, goal=g)
        for taken, (n, a, g) in zip(peers, goals, strict=True)
    ]


def small_files(home: Path, server: SshServer) -> list[Figure]:
    """Many small files over a long link, as `pipeline.receive` fetches one: claimed, looked at, read, looked at."""
    remote = home / "remote"
    _write_files(remote, SMALL, os.urandom(SMALL_SIZE // 2), other=SMALL_SIZE // 2)
    fetched = home / "fetched"
    fetched.mkdir()
    with far_away(server, milliseconds=ONE_WAY) as far:

        def fetch(*, claiming: bool) -> Callable[[], None]:
            return lambda: asyncio.run(_fetched(far, remote, Landing(fetched), claiming=claiming))

        def rclone(*options: str) -> Callable[[], object]:
            return lambda: run_peer(far.rclone(remote, fetched, *NO_HASHES, *options))

        def sftp() -> None:
            run_peer(far.sftp(), f"get {remote}/* {fetched}/")

        works = [fetch(claiming=True), fetch(claiming=False), rclone("--transfers=8")]
        claiming, reading, eight = turns(*works, rounds=5, between=lambda: _tidy(home))
        slow, four = turns(sftp, rclone(), rounds=1, between=lambda: _tidy(home))
    what = f"files a second of {SMALL:,} of 20 KB over 20 ms"
    peers = [
        (slow, "OpenSSH sftp get *", 20.0),
        (eight, "rclone, 8 transfers, no hashes", 3.0),
        (four, "rclone, its default of 4 transfers, no hashes", 3.0),
    ]
    return [
        compared(f"{what}, {how}", SMALL, ours, peer, peer_name=name, at_least=least, goal=f"{least:.0f}x as fast")
        for how, ours in (("claimed", claiming), ("only read", reading))
        for peer, name, least in peers
    ]


def memory(home: Path, server: SshServer) -> list[Figure]:
    """What receiving a big file takes of memory, in a process of its own."""
    _write_big(home / "remote")
    command = [sys.executable, "-m", "benchmarks.inbox", str(server.home), str(server.port), str(home)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    idle, most = (float(n) for n in told.split())
    return [
        Figure(
            what="MB of memory for a 512 MB file, above idle (less is better)",
            ours=most - idle,
            peer=64,
            peer_name="the limit",
            goal="under 64 MB",
            met=most - idle < 64,
            told=f"{idle:.1f} MB when connected, {most:.1f} MB at most",
        )
    ]


async def _received(
    server: SshServer, remote: Path, landing: Landing, connected: Callable[[], object] = lambda: None
) -> None:
    big = Staged(name="big", held_as="big")
    async with SftpSource(server.login, str(remote)) as source:
        connected()
        landed = await landing.receive(source.open(big, BIG), expected_size=BIG)
    assert landed.size == BIG


async def _fetched(server: SshServer, remote: Path, landing: Landing, *, claiming: bool) -> None:
    places = asyncio.Semaphore(IN_FLIGHT)
    async with SftpSource(server.login, str(remote)) as source:

        async def fetch(listed: Listed) -> str:
            held_as = f".processing/{listed.name}" if claiming else listed.name
            file = Staged(name=listed.name, held_as=held_as)
            async with places:
                if claiming:
                    assert await source.claim(file)
                before = await source.facts(file)
                landed = await landing.receive(source.open(file, before.size), expected_size=before.size)
                assert before == await source.facts(file)
            return landed.sha256

        listing = await source.list(lambda _: True)
        landed = await asyncio.gather(*(fetch(file) for file in listing.files))
    assert len({*landed}) == SMALL


def _feed(home: Path, server: SshServer, name: str, inbox: Path) -> tuple[Parts, LoadedFeed]:
    """An installation whose feed `name` looks at `inbox` and may move nothing there."""
    login = server.login
    environ = {
        "BANK_HOST": login.host,
        "BANK_PORT": str(login.port),
        "BANK_USER": login.username,
        "BANK_KEY": login.private_key or "",
        "BANK_KNOWN_HOSTS": str(login.known_hosts),
        "BANK_FOLDER": str(inbox),
        "ORDERS_INBOX": str(inbox),
        "ERP_URL": "http://127.0.0.1:1",
        "ERP_TOKEN": "none",
        "IMPORT_PROJECT_HOME": str(home / "state"),
        "IMPORT_PROJECT_FEEDS": str(Path(__file__).parents[1] / "feeds"),
    }
    installation = Installation(home=home, environ=environ)
    return installation.parts(), installation.changed(name, source={"read_only": True}, pattern={"glob": "*.dat"})


def _known_poll(parts: Parts, loaded: LoadedFeed, count: int) -> Callable[[], None]:
    """Make all files in the feed's inbox ones that were imported long ago, and return the poll that looks at them."""

    async def listed() -> tuple[Listed, ...]:
        async with parts.open_source(loaded) as source:
            return (await source.list(lambda _: True)).files

    now = datetime.now(UTC) - timedelta(days=1)
    files = asyncio.run(listed())
    assert len(files) == count
    parts.ledger.sightings.see(loaded.name, [(f, 0, partition_key(f, now)) for f in files], now)
    with parts.ledger.database.write() as connection:
        connection.execute(sa.update(arrivals).values(state=ArrivalState.DONE, looked_at=now))

    def poll() -> None:
        seen = asyncio.run(see(parts, loaded))
        assert (seen.requests, seen.waiting, seen.problems) == ((), 0, ())

    poll()
    return poll


def _tidy(home: Path) -> None:
    """Put claimed files back, remove what was fetched, and leave no writing to disk to the next round."""
    for held in (home / "remote").glob(".processing/*"):
        held.rename(home / "remote" / held.name)
    shutil.rmtree(home / "fetched")
    (home / "fetched").mkdir()
    os.sync()


def _write_files(folder: Path, count: int, content: bytes, other: int = 0) -> None:
    """Write files whose last `other` bytes are all their own."""
    folder.mkdir()
    for n in range(count):
        (folder / f"statement-{n:06}.dat").write_bytes(content + os.urandom(other))


def _write_big(folder: Path) -> None:
    folder.mkdir()
    with (folder / "big").open("wb") as out:
        for _ in range(BIG >> 20):
            out.write(os.urandom(1 << 20))


def _memory_mb(line: str) -> float:
    text = Path("/proc/self/status").read_text("utf-8")
    return float(text.split(f"{line}:")[1].split()[0]) / 1024


def _receive_and_tell(server: SshServer, home: Path) -> None:
    """Print this process's memory once connected, and the most it ever was."""
    idle: list[float] = []
    landing = Landing(home / "landing")
    asyncio.run(_received(server, home / "remote", landing, lambda: idle.append(_memory_mb("VmRSS"))))
    print(idle[0], _memory_mb("VmHWM"))


if __name__ == "__main__":
    _receive_and_tell(SshServer(home=Path(sys.argv[1]), port=int(sys.argv[2])), Path(sys.argv[3]))
