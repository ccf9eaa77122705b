"""The sender's server and the network as they should not be: cut, damaged, silent, slow, forbidding. The example feed
`orders` reads through a proxy; each time everything is imported exactly once in the end, says the oracle. Files that
change while they are read are `test_reading`'s.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import asyncssh
import pytest
import yaml

from import_project.errors import HostKeyRefused, ImportProjectError, SourceError, SourceUnreachable
from import_project.pipeline.see import see
from import_project.records.files import ArrivalState
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation
from import_project_tests.proof.oracle import Oracle, orders
from import_project_tests.proof.proxy import House, NetworkFaults, house_of
from import_project_tests.servers import SftpPeer

_BANNER = len(f"SSH-2.0-AsyncSSH_{asyncssh.__version__}\r\n")
_PADDING = 33_000  # of six rows: a file of about 200 KB
#: Where a server's stream is by so many bytes, and what is not possible when it ends there.
PLACES = {
    "banner": (3, "connect"),
    "key exchange": (650, "connect"),
    "login": (3_900, "connect"),
    "listing": (5_100, "list"),
    "first byte": (5_900, "read"),
    "half": (105_000, "read"),
    "last bytes": (204_400, "read"),
}


@pytest.fixture
def house(installation: Installation, sftp: SftpPeer, api: ApiPeer) -> Iterator[House]:
    with house_of(installation, sftp, api) as made:
        yield made


@pytest.mark.parametrize("kind", ["posix_rename", "rename"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_rename_whose_answer_is_cut_off(house: House, sftp: SftpPeer, kind: str, when: str) -> None:
    """Claims and archives are looked for on both sides: nothing is read twice, lost or put over another (N3)."""
    house.show(1)
    cuts = sftp.faults.cut_renames
    cuts[kind, when] = 1
    for _ in range(6):
        house.attempt()
    assert cuts[kind, when] == 0
    house.judge()
    house.oracle.check_archive(house.inbox)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fault", ["cut_after", "corrupt_at"])
def test_stream_that_is_cut_or_damaged(house: House, fault: str, place: str) -> None:
    """Cut by a reset (N3), or one byte of it is another (N13), at each of the places, again and again."""
    at, step = PLACES[place]
    house.show(1, padding=_PADDING)
    if step == "read":
        assert house.attempt() == []
    house.proxy.faults = NetworkFaults()
    setattr(house.proxy.faults, fault, at)
    for turn in range(2):
        (error,) = house.attempt()
        assert isinstance(error, SourceError), error
        assert f"cannot {step}" in error.what
        assert house.proxy.struck > turn
        assert house.api.effects == []
    house.judge()
    house.oracle.check_archive(house.inbox)


@pytest.mark.parametrize("at", [11, 22, 572, 814, 1133, 1452, 1474, 2805])
def test_greeting_that_is_damaged(house: House, at: int) -> None:
    """One byte of the version or the key exchange is another (N13): an error of ours, and a good import afterwards."""
    house.show(1)
    house.proxy.faults = NetworkFaults(corrupt_at=at)
    (error,) = house.attempt()
    assert isinstance(error, SourceUnreachable | HostKeyRefused), error
    house.judge()


@pytest.mark.parametrize("fault", ["cut_after", "corrupt_at"])
@pytest.mark.parametrize("place", ["half", "last bytes"])
def test_lost_connection_is_not_called_a_refusal(house: House, fault: str, place: str) -> None:
    """The connection breaks in the SFTP session (N3, N13): unreachable, not denied."""
    house.show(1, padding=_PADDING)
    assert house.attempt() == []
    setattr(house.proxy.faults, fault, PLACES[place][0])
    (error,) = house.attempt()
    assert isinstance(error, SourceUnreachable), repr(error)


@pytest.mark.parametrize(
    ("after", "key"),
    [
        pytest.param(0, "login_timeout", id="before the banner"),
        pytest.param(_BANNER, "connect_timeout", id="after it"),
        pytest.param(700, "login_timeout", id="key exchange"),
        pytest.param(3_900, "login_timeout", id="login"),
        pytest.param(4_350, "step_timeout", id="opening"),
    ],
)
def test_silence_ends_in_time(house: House, after: int, key: str) -> None:
    """The server says nothing more (N2): the feed's own time-out ends it, each by itself."""
    house.show(1)
    house.source(**{**dict.fromkeys(("connect_timeout", "login_timeout", "step_timeout"), 60), key: 1})
    house.proxy.faults = NetworkFaults(stall_after=after)
    began = time.monotonic()
    (error,) = house.attempt()
    assert time.monotonic() - began < 10
    assert isinstance(error, SourceUnreachable), error
    assert house.proxy.struck == 1
    house.judge()
    house.oracle.check_archive(house.inbox)


def test_server_that_crawls_delays_no_other_feed(house: House, tmp_path: Path) -> None:
    """2000 bytes a second (N5): polls and runs end in time, and meanwhile a local inbox is imported."""
    house.show(1, padding=_PADDING)
    house.source(login_timeout=10)
    house.installation = house.installation.rewrite("bankgiro")
    local = write_local_feed(house.installation, tmp_path / "local")
    oracle = Oracle()
    oracle.show(local, "orders_2.csv", orders(2))
    assert house.attempt() == []
    house.proxy.faults = NetworkFaults(bytes_per_second=2000)
    with pytest.raises(SourceUnreachable, match="was not listed within"):
        asyncio.run(see(house.parts, house.installation.feed("orders"), within=timedelta(seconds=1)))
    errors: list[ImportProjectError] = []
    crawling = threading.Thread(target=lambda: errors.extend(house.attempt()))
    crawling.start()
    quick = house.installation.parts()
    request = house.installation.poll_until_ready(quick, "local")
    house.installation.run(quick, "local", request)
    assert crawling.is_alive()
    oracle.check_effects(house.api)
    oracle.check_ledger(quick, "local")
    quick.close()
    crawling.join()
    assert [type(error) for error in errors] == [SourceUnreachable]
    house.proxy.heal()
    for _ in range(2):
        assert house.attempt() == []
    house.oracle.check_ledger(house.parts)
    Oracle(shown={**house.oracle.shown, **oracle.shown}).check_effects(house.api)


def write_local_feed(installation: Installation, inbox: Path) -> Path:
    """A feed `local` beside the others, like `orders`, of a folder of this machine."""
    inbox.mkdir()
    feeds = Path(installation.environ["IMPORT_PROJECT_FEEDS"])
    feed = yaml.safe_load((feeds / "orders.yaml").read_text("utf-8"))
    feed |= {"feed": "local", "source": {"kind": "local_fs", "path": str(inbox)}}
    (feeds / "local.yaml").write_text(yaml.safe_dump(feed), "utf-8")
    return inbox


def test_listing_that_fails_half_way(house: House) -> None:
    """READDIR fails after some names (N6): an error each time, and no file that was not shown counts as gone."""
    for number in (1, 2, 3):
        house.show(number)
    for n in range(200):
        (house.inbox / f"orders_1_{n:03}.txt").touch()
    assert house.attempt() == []
    for shown in (0, 3, 132, 203):
        house.sftp.faults.fail_list_after = shown
        (error,) = house.attempt()
        assert isinstance(error, SourceError), error
        assert "cannot list" in error.what
        known = house.parts.ledger.sightings.unended("orders")
        assert sorted((a.name, a.state, a.missing) for a in known) == [
            (f"orders_{number}.csv", ArrivalState.SEEN, 0) for number in (1, 2, 3)
        ]
    house.sftp.faults.fail_list_after = None
    house.judge()


@pytest.mark.parametrize("denied", ["mkdir", "plain rename"])
def test_archive_that_is_forbidden(house: House, denied: str) -> None:
    """No right to make its folder, or to move into it (N7): imported all the same, told, moved when it is allowed."""
    (house.inbox / ".processing").mkdir()
    house.show(1)
    house.sftp.faults.deny.add(denied)
    for _ in range(2):
        assert house.attempt() == []
    house.oracle.check_effects(house.api)
    for _ in range(2):
        (problem,) = house.problems()
        assert "orders_1.csv" in problem
        assert "permission denied" in problem
    assert len(list((house.inbox / ".processing").iterdir())) == 1
    house.sftp.faults.deny.clear()
    assert house.problems() == ()
    house.oracle.check_archive(house.inbox)
    house.judge()


@pytest.mark.parametrize("there", ["same bytes", "other bytes", "both places"])
def test_archive_place_that_is_taken(house: House, there: str) -> None:
    """Somebody's file has the name in the archive (N8): it stays as it is, ours goes beside it or waits. No loop."""
    content = house.show(1)
    assert house.attempt() == []
    (arrival,) = house.parts.ledger.sightings.unended("orders")
    archive = house.inbox / f".archive/{arrival.first_seen_at:%Y/%m/%d}"
    archive.mkdir(parents=True)
    beside = f"orders_1.csv.dup-{int(arrival.first_seen_at.timestamp() * 1000)}"
    theirs = {"orders_1.csv": content if there == "same bytes" else b"theirs"}
    theirs |= {beside: b"theirs, too"} if there == "both places" else {}
    for name, taken in theirs.items():
        (archive / name).write_bytes(taken)
    house.judge()
    for _ in range(3):
        problems = house.problems()
        assert len(problems) == (there == "both places"), problems
    found = {path.name: path.read_bytes() for path in archive.iterdir()}
    assert found == {beside: content, **theirs}, "only ours came, if there is room for it"
    held = [path.read_bytes() for path in (house.inbox / ".processing").iterdir()]
    assert held == ([content] if there == "both places" else [])
    house.oracle.check_effects(house.api)


@pytest.mark.parametrize("algorithm", ["ssh-ed25519", "ecdsa-sha2-nistp256"])
def test_host_key_is_rotated_with_both_pinned(house: House, algorithm: str) -> None:
    """A server that shows either of two pinned keys is the one we know; one whose key is neither is refused (N11)."""
    house.show(1)
    known = house.sftp.known_hosts
    shown = known.read_text("utf-8").strip()
    for refused in (strange_key(house), f"{strange_key(house)}\n{strange_key(house)}", ""):
        known.write_text(f"{refused}\n", "utf-8")
        (error,) = house.attempt()
        assert isinstance(error, HostKeyRefused), error
    assert house.parts.ledger.sightings.unended("orders") == []
    known.write_text(f"{strange_key(house, algorithm)}\n{shown}\n", "utf-8")
    house.judge()
    house.show(2)
    known.write_text(f"{shown}\n{strange_key(house, algorithm)}\n", "utf-8")
    house.judge()
    house.oracle.check_archive(house.inbox)


def strange_key(house: House, algorithm: str = "ssh-ed25519") -> str:
    """A line of known_hosts with a key that is not the server's."""
    return f"{house.known_host} {asyncssh.generate_private_key(algorithm).export_public_key().decode().strip()}"


def test_strange_host_key_of_another_algorithm_is_told(house: House) -> None:
    """Only a key of another algorithm is pinned (N11): refused, with the advice for host keys. A server that hangs up
    may do so before it has told why: then it is only unreachable, that time."""
    house.sftp.known_hosts.write_text(f"{strange_key(house, 'ecdsa-sha2-nistp256')}\n", "utf-8")
    errors = [type(error) for _ in range(5) for error in house.attempt()]
    assert len(errors) == 5
    assert {HostKeyRefused} <= set(errors) <= {HostKeyRefused, SourceUnreachable}


def test_no_connection_is_left_open(house: House) -> None:
    """Whatever ends a poll, its connection is closed (N12)."""
    house.show(1)
    faults = [
        NetworkFaults(),
        NetworkFaults(refuse=True),
        *(NetworkFaults(cut_after=at) for at, step in PLACES.values() if step != "read"),
        *(NetworkFaults(corrupt_at=at) for at, step in PLACES.values() if step != "read"),
    ]
    for turn in range(20):
        house.proxy.faults = faults[turn % len(faults)]
        assert len(house.attempt()) == (turn % len(faults) > 0)
    patience = time.monotonic() + 5
    while house.proxy.open_now and time.monotonic() < patience:
        time.sleep(0.02)
    assert house.proxy.open_now == 0
    assert house.proxy.ever >= 20
    house.judge()
