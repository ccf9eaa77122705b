"""Tar archives: what is read, what is refused, and that headers stay small."""

import io
import tarfile
import time
from typing import Any

import pytest

from import_project.errors import FileRefused, NotAllowed, Unreadable
from import_project_tests.packing.archives import MIB, Bench, tar_info, tar_of, tarred

LAYOUTS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read(bench: Bench, layout: int) -> None:
    members = {"a.csv": b"row\n" * 999, "folder/b.csv": b"", "c.csv": bytes(512), "./d.csv": b"d"}
    content = {name.rpartition("/")[2]: text for name, text in members.items()}
    assert bench.contents(tarred(members, layout)) == content


@pytest.mark.parametrize("layout", LAYOUTS[1:])
def test_long_and_nordic_names_are_read(bench: Bench, layout: int) -> None:
    members = {f"{'x' * 120}/{'y' * 200}.csv": b"long", "Årsmöte.csv": b"nordic", "a.csv": b"plain"}
    content = {name.rpartition("/")[2]: text for name, text in members.items()}
    assert bench.contents(tarred(members, layout)) == content


def test_folders_are_left_out(bench: Bench) -> None:
    packed = tar_of([(tar_info("x", kind=tarfile.DIRTYPE), b""), (tar_info("x/a.csv", 1), b"a")])
    assert bench.contents(packed) == {"a.csv": b"a"}


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (tarfile.SYMTYPE, "a symbolic link"),
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a pipe"),
        (tarfile.GNUTYPE_SPARSE, "a sparse file"),
        (b"M", "of an unknown kind"),
        (b"V", "of an unknown kind"),
    ],
)
def test_other_kinds_are_refused(bench: Bench, kind: bytes, word: str) -> None:
    info = tar_info("a.csv", kind=kind)
    info.linkname = "/etc/passwd"
    packed = tar_of([(info, b"")], tarfile.GNU_FORMAT)
    with pytest.raises(NotAllowed, match=f"'a.csv' is {word}"):
        bench.unpack(packed)


def test_every_cut_is_seen(bench: Bench) -> None:
    packed = tarred({"a.csv": b"x" * 600, "b.csv": b"y"}, tarfile.PAX_FORMAT)
    end = 512 + 1024 + 1024
    for size in [*range(512, end + 1, 64), end + 511]:
        with pytest.raises(Unreadable, match="cut off"):
            bench.unpack(packed[:size])
    assert len(bench.contents(packed[: end + 512])) == 2


def test_nothing_may_follow_the_end_mark(bench: Bench) -> None:
    packed = tarred({"a.csv": b"a"})
    for tail in (b"x", packed, bytes(3 * MIB) + b"x"):
        with pytest.raises(Unreadable, match="end mark"):
            bench.unpack(packed + tail)
    assert bench.contents(packed + bytes(3 * MIB)) == {"a.csv": b"a"}


def test_broken_headers_are_refused(bench: Bench) -> None:
    packed = bytearray(tarred({"a.csv": b"a", "b.csv": b"b"}))
    packed[1024] ^= 1
    with pytest.raises(Unreadable, match="broken header"):
        bench.unpack(bytes(packed))


@pytest.mark.parametrize("size", [-1, -(1 << 60), 1 << 62, 1 << 80])
def test_impossible_sizes_are_refused(bench: Bench, size: int) -> None:
    info = tar_info("b.csv")
    info.size = size
    header = info.tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(Unreadable, match=r"negative|cut off"):
        bench.unpack(tarred({"a.csv": b"a"})[:1024] + header + bytes(1024))


def pax(body: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    return bytes(tar_info("pax", len(body), kind).tobuf(tarfile.USTAR_FORMAT)) + body + bytes(-len(body) % 512)


@pytest.mark.parametrize(
    "body",
    [
        b"x",
        b"9 path=a",
        b"99 path=a\n",
        b"0 path=a\n",
        b"1 path=a\n",
        b"-9 path=a\n",
        b"999999999999999999999999 path=a\n",
        b"10 path\na\n",
        b"13 size=12x\n\n",
        b"12 size=-1\n\n",
        "٩ path=a\n".encode(),
        b" path=a\n",
    ],
)
def test_broken_pax_headers_are_refused(bench: Bench, body: bytes) -> None:
    with pytest.raises(Unreadable):
        bench.unpack(pax(body) + tarred({"a.csv": b"a"}))


@pytest.mark.parametrize(
    "headers",
    [
        pax(b"21 GNU.sparse.major=1\n"),
        pax(b"22 GNU.sparse.realsize=9\n".replace(b"22", b"25")),
        pax(b"13 path=a.csv\n".replace(b"13", b"14"), tarfile.XGLTYPE),
        pax(b"9 size=1\n", tarfile.XGLTYPE),
        pax(b"x" * (1 << 17)),
        pax(b"x" * (1 << 17), tarfile.GNUTYPE_LONGNAME),
        pax(b"12 comment=\n") * 5,
    ],
)
def test_unusual_headers_are_refused(bench: Bench, headers: bytes) -> None:
    with pytest.raises(FileRefused):
        bench.unpack(headers + tarred({"a.csv": b"a"}))


def test_a_comment_for_all_members_is_read_over(bench: Bench) -> None:
    git_archive = pax(b"14 comment=x1\n", tarfile.XGLTYPE)
    assert bench.contents(git_archive + tarred({"a.csv": b"a"})) == {"a.csv": b"a"}


def test_a_pax_size_counts(bench: Bench) -> None:
    member = bytearray(tarred({"a.csv": b"abc"}))
    info = tar_info("a.csv")
    member[:512] = info.tobuf(tarfile.USTAR_FORMAT)
    assert bench.contents(pax(b"9 size=3\n") + bytes(member)) == {"a.csv": b"abc"}


def test_headers_without_a_member_are_refused(bench: Bench) -> None:
    with pytest.raises(Unreadable):
        bench.unpack(pax(b"14 path=b.csv\n") + bytes(1024))


def test_large_pax_headers_take_linear_time(bench: Bench) -> None:
    tiny = b"5 a=\n" * 13_000
    begin = time.perf_counter()
    bench.unpack((pax(tiny) + tarred({"a.csv": b""})[:512]) + (pax(tiny) + tarred({"b.csv": b""})[:512]) + bytes(1024))
    assert time.perf_counter() - begin < 1


def test_too_many_members_are_refused(bench: Bench) -> None:
    many = b"".join(bytes(tar_info(f"{n}").tobuf(tarfile.USTAR_FORMAT)) for n in range(1001))
    with pytest.raises(NotAllowed, match="more than 1000 members"):
        bench.unpack(many + many[:512] * 5000)


def test_sparse_archives_of_gnu_tar_are_refused(bench: Bench) -> None:
    info = tar_info("a.csv", kind=tarfile.GNUTYPE_SPARSE)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(info)
    block: Any = bytearray(out.getvalue()[:512])
    block[386:398] = b"00000000000\0"
    block[483:495] = b"77777777777\0"  # the real size: 8 GiB of holes
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    with pytest.raises(NotAllowed, match="sparse"):
        bench.unpack(bytes(block) + bytes(1024))
