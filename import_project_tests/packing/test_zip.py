"""Zip archives: what is read, what is refused, and that no byte is read twice."""

import io
import os
import shutil
import stat
import struct
import subprocess
import zipfile
from pathlib import Path

import pytest

from import_project.errors import FileRefused, NotAllowed, NotRecognised, Unreadable
from import_project.packing.caps import Caps
from import_project_tests.packing.archives import MIB, Bench, gz, overlapping_zip, zip64, zipped

ABC = {"a.csv": b"a;b\n" * 1000, "b.csv": b"", "c.csv": os.urandom(3000)}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("content", [b"", b"a", b"row\n" * 300_000])
def test_every_method_is_read(bench: Bench, method: int, content: bytes) -> None:
    assert bench.contents(zipped({"a.csv": content, "b.csv": b"b"}, method)) == {"a.csv": content, "b.csv": b"b"}


def test_lzma_without_end_mark_is_read(bench: Bench) -> None:
    packed = bytearray(zipped({"a.csv": b"row\n" * 1000}, zipfile.ZIP_LZMA))
    for place in (6, packed.index(b"PK\x01\x02") + 8):
        packed[place] &= ~2
    assert bench.contents(bytes(packed)) == {"a.csv": b"row\n" * 1000}


def test_streamed_and_zip64_archives_are_read(bench: Bench) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: object) -> int:
            raise OSError

        def tell(self) -> int:
            raise OSError

    out = Pipe()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in ABC.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(content)
    assert bench.contents(out.getvalue()) == ABC


def test_zip64_directories_and_end_records_are_read(bench: Bench) -> None:
    packed = zip64(ABC)
    assert bench.contents(packed) == ABC
    with pytest.raises(NotAllowed, match="more than 2 members"):
        bench.unpack(packed, caps=Caps(max_members=2))


def test_a_comment_is_no_garbage(bench: Bench) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a", b"a")
        archive.comment = b"made by us"
    assert bench.contents(out.getvalue()) == {"a": b"a"}


@pytest.mark.peers
def test_info_zip_is_read(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "year 2026").mkdir()
    (tmp_path / "year 2026" / "Å.csv").write_bytes(b"row\n" * 99)
    program = shutil.which("zip")
    assert program is not None, "Info-ZIP's zip is missing: run `make test-peers`, which installs it"
    subprocess.run([program, "-qr", "x.zip", "year 2026"], cwd=tmp_path, check=True)
    assert list(bench.contents((tmp_path / "x.zip").read_bytes()).values()) == [b"row\n" * 99]


@pytest.mark.parametrize("packed", [zipped(ABC), zipped(ABC, zipfile.ZIP_STORED)])
def test_other_bytes_around_it_are_refused(bench: Bench, packed: bytes) -> None:
    for tail in (b"\0", b"x", bytes(70_000)):
        with pytest.raises(Unreadable):
            bench.unpack(packed + tail)
    with pytest.raises(Unreadable, match="before"):
        bench.unpack(packed[:100].ljust(200) + packed)


def test_every_cut_is_seen(bench: Bench) -> None:
    packed = zipped({"a.csv": b"a;b\n" * 20, "b": b"b"})
    for size in range(4, len(packed)):
        with pytest.raises(Unreadable):
            bench.unpack(packed[:size])


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("field", ["crc", "size", "data", "packed", "count"])
def test_checksums_and_lengths_are_verified(bench: Bench, method: int, field: str) -> None:
    packed = bytearray(zipped({"a.csv": b"row;1\n" * 100}, method))
    directory, end = packed.index(b"PK\x01\x02"), packed.index(b"PK\x05\x06")
    place = {"crc": directory + 16, "size": directory + 24, "packed": directory + 20, "count": end + 10, "data": 60}
    packed[place[field]] ^= 4
    with pytest.raises(Unreadable):
        bench.unpack(bytes(packed))


def test_declared_sizes_are_not_believed(bench: Bench) -> None:
    packed = bytearray(zipped({"a.csv": bytes(12 * MIB)}))
    struct.pack_into("<L", packed, packed.index(b"PK\x01\x02") + 24, 100)
    with pytest.raises(Unreadable, match="checksum or length"):
        bench.unpack(bytes(packed))
    assert bench.on_disk == 0


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_bombs_stop_at_the_caps(bench: Bench, method: int) -> None:
    packed = zipped({"a.csv": bytes(14 * MIB)}, method)
    with pytest.raises(NotAllowed, match="200 times"):
        bench.unpack(packed)
    assert bench.on_disk <= 10 * MIB
    with pytest.raises(NotAllowed, match="200 times"):
        bench.unpack(zipped({f"{n}.csv": bytes(2 * MIB) for n in range(7)}, method))
    assert bench.on_disk <= 10 * MIB


def test_members_that_share_bytes_are_refused(bench: Bench) -> None:
    bomb = overlapping_zip(200, MIB)
    with zipfile.ZipFile(io.BytesIO(bomb)) as archive:
        assert sum(i.file_size for i in archive.infolist()) > 200 * MIB > 10_000 * len(bomb) // 2
    with pytest.raises(NotAllowed, match="shares bytes"):
        bench.unpack(bomb)
    assert bench.on_disk == 0


def test_too_many_members_are_refused_without_reading_them(bench: Bench) -> None:
    many = zipped({f"{n}": b"" for n in range(1001)}, zipfile.ZIP_STORED)
    with pytest.raises(NotAllowed, match="more than 1000 members"):
        bench.unpack(many)
    thousands = zipped({f"{n:05}": b"" for n in range(3000)}, zipfile.ZIP_STORED)
    with pytest.raises(NotAllowed, match=r"directory is \d+ bytes"):
        bench.unpack(thousands, caps=Caps(max_members=10))
    assert bench.on_disk == 0


def test_folders_are_left_out_and_count(bench: Bench) -> None:
    packed = zipped({"x/": b"", "x/y/": b"", "x/y/a.csv": b"a"})
    assert bench.contents(packed) == {"a.csv": b"a"}
    with pytest.raises(NotAllowed, match="more than 2 members"):
        bench.unpack(packed, caps=Caps(max_members=2))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_are_refused(bench: Bench, kind: int) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("a.csv")
        info.external_attr = (kind | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(NotAllowed, match="link or a device"):
        bench.unpack(out.getvalue())


@pytest.mark.parametrize("bit", [0x0001, 0x0041, 0x0020, 0x2000])
def test_encrypted_members_are_refused(bench: Bench, bit: int) -> None:
    packed = bytearray(zipped({"a.csv": b"a"}))
    for place in (6, packed.index(b"PK\x01\x02") + 8):
        struct.pack_into("<H", packed, place, bit)
    with pytest.raises(FileRefused, match=r"encrypted with a zip password|broken"):
        bench.unpack(bytes(packed))


def test_other_methods_are_refused(bench: Bench) -> None:
    packed = bytearray(zipped({"a.csv": b"a"}))
    for place in (8, packed.index(b"PK\x01\x02") + 10):
        struct.pack_into("<H", packed, place, 9)
    with pytest.raises(NotRecognised, match="zip method 9"):
        bench.unpack(bytes(packed))


def test_header_and_directory_must_agree(bench: Bench) -> None:
    packed = zipped({"a.csv": b"a"})
    for other in (
        packed.replace(b"a.csv", b"b.csv", 1),
        packed.replace(b"a.csv", b"b.csv").replace(b"b.csv", b"a.csv", 1),
    ):
        with pytest.raises(Unreadable, match="not what the directory says"):
            bench.unpack(other)


def test_a_gz_of_a_zip_of_nothing_is_refused(bench: Bench) -> None:
    for packed in (zipped({}), zipped({"x/": b""}), gz(zipped({}))):
        with pytest.raises(NotRecognised, match="holds no files"):
            bench.unpack(packed)
