"""gz and zst: whole streams, cut ones, other bytes behind them, and what they cost."""

import gzip
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from import_project.errors import NotAllowed, Unreadable
from import_project.packing.caps import Caps
from import_project.packing.streams import gz as members_of_gz
from import_project_tests.packing.archives import MIB, Bench, gz, gz_zeros, zst

# 60 letters "a": with a checksum, and with a window of 256 MiB, both by the zstd program, version 1.5.
ZST_CHECKED = bytes.fromhex("28b52ffd243c45000010616101003f0116b0c95fc1")
WINDOW_256M = bytes.fromhex("28b52ffd009045000010616101003f0116")
SKIPPABLE = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"


@pytest.mark.parametrize("pack", [gz, zst])
@pytest.mark.parametrize("content", [b"", b"a", b"row\n" * 100_000, bytes(3 * MIB)])
def test_round_trip(bench: Bench, pack: type[bytes], content: bytes) -> None:
    assert bench.contents(pack(content)) == {None: content}


@pytest.mark.parametrize("pack", [gz, zst])
def test_streams_one_behind_another_are_read_whole(bench: Bench, pack: type[bytes]) -> None:
    packed = pack(b"one") + pack(b"") + pack(b"two" * 1000) + pack(b"")
    assert bench.contents(packed) == {None: b"one" + b"two" * 1000}


def test_gz_may_end_in_zeros_only(bench: Bench) -> None:
    assert bench.contents(gz(b"a") + bytes(2 * MIB + 3)) == {None: b"a"}
    for tail in (b"x", b"\x1f", b"\0x", bytes(2 * MIB) + b"x", b"\0" + gz(b"b")):
        with pytest.raises(Unreadable, match="other bytes follow"):
            bench.unpack(gz(b"a") + tail)


def test_gz_header_fields_are_read_over(bench: Bench) -> None:
    body = gz(b"content")[10:]
    header = b"\x1f\x8b\x08\x1c\0\0\0\0\0\xff" + struct.pack("<H", 4) + b"AB\0\0" + b"n" * MIB + b"\0" + b"comment\0"
    assert bench.contents(header + body) == {None: b"content"}


@pytest.mark.parametrize("packed", [gz(b"row\n" * 50), ZST_CHECKED, zst(b"row\n" * 50) + SKIPPABLE])
def test_every_cut_is_seen(bench: Bench, packed: bytes) -> None:
    frame = len(packed) - len(SKIPPABLE)  # a cut between two frames leaves a whole file
    for size in range(4, len(packed)):
        if packed.endswith(SKIPPABLE) and size == frame:
            continue
        with pytest.raises(Unreadable):
            bench.unpack(packed[:size])


@pytest.mark.parametrize("packed", [gz(b"row\n" * 50), ZST_CHECKED])
def test_checksums_and_lengths_are_verified(bench: Bench, packed: bytes) -> None:
    for place in range(len(packed) - 4, len(packed)):
        broken = bytearray(packed)
        broken[place] ^= 1
        with pytest.raises(Unreadable):
            bench.unpack(bytes(broken))
    crc = len(packed) - 8
    with pytest.raises(Unreadable):
        bench.unpack(packed[:crc] + bytes([packed[crc] ^ 1]) + packed[crc + 1 :])


@pytest.mark.parametrize("tail", [b"\0", b"x", b"xyzzy", bytes(512), gz(b"a")])
def test_zst_has_nothing_behind_it(bench: Bench, tail: bytes) -> None:
    with pytest.raises(Unreadable):
        bench.unpack(zst(b"a") + tail)


def test_zst_skippable_frames_are_read_over(bench: Bench) -> None:
    assert bench.contents(SKIPPABLE + ZST_CHECKED + SKIPPABLE) == {None: b"a" * 60}


def test_zst_window_is_bounded(bench: Bench) -> None:
    with pytest.raises(NotAllowed, match="128 MiB"):
        bench.unpack(WINDOW_256M)


@pytest.mark.parametrize("packed", [gz_zeros(32 * MIB), zst(bytes(32 * MIB))])
@pytest.mark.parametrize(
    ("caps", "match", "most"),
    [(Caps(), "200 times", 10 * MIB), (Caps(max_ratio=10**6, max_bytes=5 * MIB), "more than 5242880 bytes", 5 * MIB)],
)
def test_bombs_stop_at_the_caps(bench: Bench, packed: bytes, caps: Caps, match: str, most: int) -> None:
    with pytest.raises(NotAllowed, match=match):
        bench.unpack(packed, caps=caps)
    assert bench.on_disk <= most


def test_a_bomb_of_many_gz_members_stops_at_the_caps(bench: Bench) -> None:
    with pytest.raises(NotAllowed, match="200 times"):
        bench.unpack(gz_zeros(MIB) * 30)
    assert bench.on_disk <= 10 * MIB


@pytest.mark.parametrize("member", [gzip.compress(b"", mtime=0), gzip.compress(b"a", mtime=0), zst(b""), zst(b"a")])
def test_many_tiny_streams_take_linear_time(bench: Bench, member: bytes) -> None:
    count = MIB // len(member)
    begin = time.perf_counter()
    (member_file,) = bench.unpack(member * count).members
    assert member_file.path.stat().st_size in {0, count}
    assert time.perf_counter() - begin < 5


def test_gz_members_are_limited(tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    packed.write_bytes(gz(b"a") * 5)
    assert b"".join(members_of_gz(packed, 5)) == b"aaaaa"
    with pytest.raises(NotAllowed, match="more than 4 members"):
        list(members_of_gz(packed, 4))


def test_stored_deflate_blocks_come_whole(bench: Bench) -> None:
    packer = zlib.compressobj(0, zlib.DEFLATED, 31)
    content = bytes(range(256)) * 20_000
    assert bench.contents(packer.compress(content) + packer.flush()) == {None: content}


def test_memory_stays_flat(tmp_path: Path) -> None:
    (tmp_path / "zeros.gz").write_bytes(gz_zeros(90 * MIB))
    (tmp_path / "into").mkdir()
    program = """
import resource, sys
from pathlib import Path
from import_project.packing.caps import Caps
from import_project.packing.unpack import unpack
root = Path(sys.argv[1])
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
(member,) = unpack(root / "zeros.gz", root / "into", caps=Caps(max_ratio=2000)).members
print(peak() - before, member.path.stat().st_size)
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    grown, size = map(int, done.stdout.split())
    assert size == 90 * MIB
    assert grown < 40 * 1024, f"{grown} KiB"
