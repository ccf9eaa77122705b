"""Layers inside each other, names, what is not wanted, and the caps over all layers."""

import os
import tarfile
from collections.abc import Callable

import pytest

from import_project.errors import NotAllowed, NotRecognised
from import_project.packing.caps import RATIO_FROM, Caps
from import_project.packing.unpack import unpack
from import_project_tests.packing.archives import MIB, Bench, gz, gz_zeros, tar_info, tar_of, tarred, zipped, zst

TEXT = b"date;amount\n2026-01-01;12,50\n"
ARCHIVES: list[Callable[[dict[str, bytes]], bytes]] = [zipped, tarred]


def test_a_plain_file_is_its_own_member_and_stays(bench: Bench) -> None:
    unpacked = bench.unpack(TEXT)
    (member,) = unpacked.members
    assert (member.name, member.path.parent, member.path.read_bytes()) == (None, bench.root, TEXT)
    assert bench.on_disk == 0


@pytest.mark.parametrize(
    ("packed", "members"),
    [
        (gz(tarred({"a.csv": TEXT})), {"a.csv": TEXT}),
        (zst(tarred({"a.csv": TEXT})), {"a.csv": TEXT}),
        (gz(zipped({"a.csv": TEXT, "b.csv": b"b"})), {"a.csv": TEXT, "b.csv": b"b"}),
        (gz(zst(gz(TEXT))), {None: TEXT}),
        (zipped({"x/a.csv.gz": gz(TEXT)}), {"a.csv.gz": TEXT}),
        (zipped({"x/inner.zip": zipped({"y/a.csv": TEXT}), "b.csv": b"b"}), {"inner.zip!a.csv": TEXT, "b.csv": b"b"}),
        (tarred({"i.tgz": gz(tarred({"a.csv": TEXT}))}), {"i.tgz!a.csv": TEXT}),
        (zipped({"1.zip": zipped({"2.zip": zipped({"a": TEXT})})}), {"1.zip!2.zip!a": TEXT}),
    ],
)
def test_layers_are_peeled(bench: Bench, packed: bytes, members: dict[str | None, bytes]) -> None:
    assert bench.contents(packed) == members


def test_files_stand_under_running_numbers_and_layers_are_removed(bench: Bench) -> None:
    unpacked = bench.unpack(gz(tarred({"a.csv": TEXT, "b.csv.gz": gz(TEXT), "c.csv": b"c"})))
    assert sorted(bench.into.iterdir()) == sorted(m.path for m in unpacked.members)
    assert all(m.path.name.isdigit() and m.path.is_file() and not m.path.is_symlink() for m in unpacked.members)


@pytest.mark.parametrize("archive", ARCHIVES)
def test_members_that_are_not_wanted_are_named(bench: Bench, archive: Callable[[dict[str, bytes]], bytes]) -> None:
    packed = archive({"a.csv": b"a", "x/readme.txt": b"r", ".hidden": b"", "no.zip": archive({"c.csv": b"c"})})
    unpacked = bench.unpack(packed, wanted=lambda name: name.endswith(".csv"))
    assert [m.name for m in unpacked.members] == ["a.csv"]
    assert unpacked.skipped == ("readme.txt", ".hidden", "no.zip")
    nested = archive({"a.zip": packed})
    unpacked = bench.unpack(nested, wanted=lambda name: name in {"a.zip", "a.csv"})
    assert [m.name for m in unpacked.members] == ["a.zip!a.csv"]
    assert unpacked.skipped == ("a.zip!readme.txt", "a.zip!.hidden", "a.zip!no.zip")


@pytest.mark.parametrize("archive", ARCHIVES)
def test_nothing_wanted_is_an_error(bench: Bench, archive: Callable[[dict[str, bytes]], bytes]) -> None:
    with pytest.raises(NotAllowed, match=r"none of the 2 members is wanted, such as 'a.csv'"):
        bench.unpack(archive({"a.csv": b"a", "b.csv": b"b"}), wanted=lambda _: False)
    for nothing in (zipped({}), tar_of([(tar_info("x", kind=tarfile.DIRTYPE), b"")])):
        with pytest.raises(NotRecognised, match="holds no files"):
            bench.unpack(archive({"a.zip": nothing, "b": b"b"}))


@pytest.mark.parametrize("archive", ARCHIVES)
@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("../a.csv", "points out"),
        ("x/../../a.csv", "points out"),
        ("..", "points out"),
        ("/etc/passwd", "absolute"),
        ("C:/a.csv", "absolute"),
        ("C:a.csv", "absolute"),
        ("x\\a.csv", "backslashes"),
        ("..\\a.csv", "backslashes"),
        ("a\n.csv", "control characters"),
        ("a\x1b[2J.csv", "control characters"),
        ("a\u202egpj.csv", "control characters"),
        (".profile", "hidden"),
        ("x/.a.csv", "hidden"),
        ("é" * 200, "255"),
        ("a" * 256, "255"),
    ],
)
def test_unsafe_names_are_refused(bench: Bench, archive: Callable[..., bytes], name: str, match: str) -> None:
    options = (tarfile.GNU_FORMAT,) if archive is tarred else ()
    with pytest.raises(NotAllowed, match=match) as caught:
        bench.unpack(archive({"ok.csv": b"", name: b"x"}, *options))
    assert str(caught.value).isprintable()
    assert all(p.parent == bench.into and p.name.isdigit() for p in bench.into.rglob("*"))


def test_a_name_may_not_hide_behind_a_zero_byte(bench: Bench) -> None:
    packed = zipped({"a.csvX.exe": b"a"}).replace(b"a.csvX.exe", b"a.csv\0.exe")
    with pytest.raises(NotAllowed, match="control characters"):
        bench.unpack(packed)


@pytest.mark.parametrize("archive", ARCHIVES)
def test_equal_names_are_refused(bench: Bench, archive: Callable[[dict[str, bytes]], bytes]) -> None:
    packed = archive({"x/a.csv": b"1", "y/a.csv": b"2"})
    with pytest.raises(NotAllowed, match=r"in different folders are called 'a.csv'"):
        bench.unpack(packed)
    if archive is zipped:
        with pytest.raises(NotAllowed, match=r"two members are called 'x/a.csv'"):
            bench.unpack(packed.replace(b"y/a.csv", b"x/a.csv"))
    else:
        with pytest.raises(NotAllowed, match=r"two members are called 'a.csv'"):
            bench.unpack(tarred({"a.csv": b"1"})[:1024] + tarred({"a.csv": b"2"}))
    with pytest.raises(NotAllowed, match=r"are called 'i\.zip!a'"):
        bench.unpack(archive({"i.zip": zipped({"a": b"1"}), "i.zip!a": b"2"}))


def test_a_long_name_of_a_nested_member_is_refused(bench: Bench) -> None:
    with pytest.raises(NotAllowed, match="more than 255 bytes"):
        bench.unpack(zipped({"x" * 200: zipped({"y" * 100: b""})}))


@pytest.mark.parametrize("pack", [gz, zst, lambda c: zipped({"a": c}), lambda c: tarred({"a": c})])
def test_depth_is_an_error_and_no_silent_stop(bench: Bench, pack: Callable[[bytes], bytes]) -> None:
    three = pack(pack(pack(TEXT)))
    assert list(bench.contents(three).values()) == [TEXT]
    for packed in (pack(three), pack(pack(three))):
        with pytest.raises(NotAllowed, match="packed more than 3 times"):
            bench.unpack(packed)
    with pytest.raises(NotAllowed, match="packed more than 0 times"):
        bench.unpack(pack(TEXT), caps=Caps(max_depth=0))


def test_nested_bombs_stop_at_the_caps(bench: Bench) -> None:
    leaf = zipped({f"{n}": bytes(MIB // 4) for n in range(16)})
    middle = zipped({f"{n}.zip": leaf for n in range(16)})
    bomb = zipped({f"{n}.zip": middle for n in range(16)})  # 42.zip's way: 1 GiB in a few kilobytes
    assert len(bomb) < MIB
    with pytest.raises(NotAllowed, match="200 times"):
        bench.unpack(bomb)
    assert bench.on_disk < 2 * RATIO_FROM + 200 * len(bomb)
    with pytest.raises(NotAllowed, match="more than 200 members"):
        bench.unpack(bomb, caps=Caps(max_ratio=10**9, max_members=200))
    with pytest.raises(NotAllowed, match="more than 20971520 bytes"):
        bench.unpack(bomb, caps=Caps(max_ratio=10**9, max_bytes=20 * MIB))
    assert bench.on_disk <= 20 * MIB


def test_all_layers_count_into_the_bytes_but_ratios_are_a_depths_own(bench: Bench) -> None:
    content = os.urandom(11 * MIB)
    packed = gz(gz(content, 0), 0)
    with pytest.raises(NotAllowed, match="more than"):
        bench.unpack(packed, caps=Caps(max_bytes=21 * MIB))
    assert bench.contents(packed, caps=Caps(max_bytes=23 * MIB, max_ratio=1)) == {None: content}


def test_the_ratio_is_not_looked_at_below_10_mib(bench: Bench) -> None:
    assert bench.contents(gz_zeros(10 * MIB), caps=Caps(max_ratio=1)) == {None: bytes(10 * MIB)}


def test_a_file_that_is_there_is_not_written_over(bench: Bench) -> None:
    landed, into, elsewhere = (bench.root / name for name in ("landed", "into", "elsewhere"))
    landed.write_bytes(gz(TEXT))
    into.mkdir()
    (into / "1").symlink_to(elsewhere)
    with pytest.raises(FileExistsError):
        unpack(landed, into, caps=Caps())
    assert not elsewhere.exists()
