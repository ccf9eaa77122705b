"""Any nesting comes out again, and damage of every sort is refused or harmless: never a crash, a hang or a full disk."""

import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from import_project.errors import FileRefused, NotAllowed
from import_project.packing.caps import Caps
from import_project.packing.kinds import HEAD, kind_of
from import_project_tests.packing.archives import Bench, gz, tarred, zipped, zst

TEXT = b"date;amount\n2026-01-01;12,50\n"
NAMES = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=12)
PLAIN = st.binary(max_size=2000).filter(lambda b: kind_of(b[:HEAD]) is None)


def layers(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.one_of(
        st.tuples(st.sampled_from(["gz", "zst"]), inner),
        st.tuples(st.sampled_from(["zip", "tar", "gnu", "pax"]), st.dictionaries(NAMES, inner, min_size=1, max_size=3)),
    )


def packed_tree(tree: object) -> tuple[bytes, dict[str | None, bytes], int]:
    """Return the packed bytes, the members that must come out, and how many layers there are."""
    if isinstance(tree, bytes):
        return tree, {None: tree}, 0
    kind, inner = cast("tuple[str, Any]", tree)
    if kind in {"gz", "zst"}:
        content, members, depth = packed_tree(inner)
        return (gz if kind == "gz" else zst)(content), members, depth + 1
    parts = {name: packed_tree(part) for name, part in inner.items()}
    members = {
        name if own is None else f"{name}!{own}": text for name, part in parts.items() for own, text in part[1].items()
    }
    contents = {name: part[0] for name, part in parts.items()}
    layouts = {"tar": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
    packed = zipped(contents) if kind == "zip" else tarred(contents, layouts[kind])
    return packed, members, 1 + max(part[2] for part in parts.values())


@given(st.recursive(PLAIN, layers, max_leaves=6))
def test_any_nesting_comes_out_again(tree: object) -> None:
    packed, members, depth = packed_tree(tree)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        assert bench.contents(packed, caps=Caps(max_depth=depth)) == members
        if depth:
            with pytest.raises(NotAllowed, match="packed more than"):
                bench.unpack(packed, caps=Caps(max_depth=depth - 1))


SOUND = [
    gz(TEXT * 40),
    gz(TEXT) + gz(TEXT),
    zst(TEXT * 40),
    zipped({"a.csv": TEXT * 9, "x/b.csv": b"b"}),
    zipped({"a.csv": TEXT * 9, "b": b"b"}, 0),
    zipped({"a.csv": TEXT * 9}, 12),
    zipped({"a.csv": TEXT * 9}, 14),
    tarred({"a.csv": TEXT, "b.csv": b"b" * 600}),
    tarred({"a" * 120: TEXT}, tarfile.GNU_FORMAT),
    tarred({"å" * 60: TEXT}, tarfile.PAX_FORMAT),
    gz(tarred({"a.csv.gz": gz(TEXT), "b.zip": zipped({"c.csv": TEXT})})),
]
CHECKED = {0, 1, 3, 4, 5, 6}  # every byte of the content is under a checksum


@settings(max_examples=250)
@given(st.data())
def test_damage_is_refused_or_harmless(data: st.DataObject) -> None:
    which = data.draw(st.integers(0, len(SOUND) - 1))
    packed = bytearray(SOUND[which])
    match data.draw(st.sampled_from(["flip", "cut", "drop", "insert", "overwrite"])):
        case "flip":
            for place in data.draw(st.lists(st.integers(0, len(packed) * 8 - 1), min_size=1, max_size=4)):
                packed[place // 8] ^= 1 << place % 8
        case "cut":
            del packed[data.draw(st.integers(0, len(packed) - 1)) :]
        case "drop":
            place = data.draw(st.integers(0, len(packed) - 1))
            del packed[place : place + data.draw(st.integers(1, 40))]
        case "insert":
            place = data.draw(st.integers(0, len(packed)))
            packed[place:place] = data.draw(st.binary(min_size=1, max_size=40))
        case "overwrite":
            place = data.draw(st.integers(0, len(packed) - 1))
            packed[place : place + 8] = data.draw(st.sampled_from([b"\xff" * 8, b"\x7f" * 8, bytes(8), b"PK\x05\x06"]))
    caps = Caps(max_bytes=1 << 16, max_members=50)
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        sound = set(bench.contents(SOUND[which], caps=caps).values())
        try:
            members = bench.contents(bytes(packed), caps=caps)
        except FileRefused:
            members = {}
        if which in CHECKED and kind_of(bytes(packed[:HEAD])) is not None:
            assert set(members.values()) <= sound
        assert bench.on_disk <= caps.max_bytes
    assert time.perf_counter() - begin < 5


@pytest.mark.parametrize("which", sorted(CHECKED))
def test_every_single_flip_is_refused_or_harmless(bench: Bench, which: int) -> None:
    sound = bench.contents(SOUND[which])
    for place in range(2, min(len(SOUND[which]), 400)):
        packed = bytearray(SOUND[which])
        packed[place] ^= 0x41
        if kind_of(bytes(packed[:HEAD])) is None:
            continue
        try:
            members = bench.contents(bytes(packed))
        except FileRefused:
            continue
        assert sorted(members.values()) == sorted(sound.values())


@given(st.sampled_from([s[:n] for s in SOUND for n in (4, 30, 300, 512)]), st.binary(max_size=2000))
def test_any_bytes_behind_a_magic_are_survived(begin: bytes, rest: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        try:
            bench.unpack(begin + rest, caps=Caps(max_bytes=1 << 20))
        except FileRefused:
            assert bench.on_disk <= 1 << 20
