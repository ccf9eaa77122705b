"""Landing and tables: whole or absent, and honest about their bytes."""

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import polars as pl
import pytest

from import_project.errors import FileChanged, StoreDamaged, StoreFull
from import_project.store.landing import Landing
from import_project.store.tables import Tables


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def test_bytes_are_kept_under_their_sha256(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    landed = asyncio.run(landing.receive(chunks(b"ab", b"c"), expected_size=3))
    assert landed.sha256 == hashlib.sha256(b"abc").hexdigest()
    assert landing.read(landed.sha256) == b"abc"
    again = asyncio.run(landing.receive(chunks(b"abc"), expected_size=3))
    assert again == landed
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [landing.path(landed.sha256)]


def test_short_stream_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileChanged, match="2 bytes came where 3 were listed"):
        asyncio.run(Landing(tmp_path).receive(chunks(b"ab"), expected_size=3))
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_damaged_and_missing_bytes_are_told(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    landed = asyncio.run(landing.receive(chunks(b"abc"), expected_size=3))
    landing.path(landed.sha256).write_bytes(b"abd")
    with pytest.raises(StoreDamaged, match="have changed"):
        landing.read(landed.sha256)
    with pytest.raises(StoreDamaged, match="has no file"):
        landing.read("0" * 64)


def test_disk_that_refuses_is_a_named_error(tmp_path: Path) -> None:
    (tmp_path / "landing").write_text("a file where a folder must be", "utf-8")
    with pytest.raises(StoreFull, match="cannot write to landing"):
        asyncio.run(Landing(tmp_path / "landing").receive(chunks(b"abc"), expected_size=3))


def test_full_disk_is_a_named_error_and_leaves_nothing(tmp_path: Path) -> None:
    """A child with a file size limit stands for a full disk: its writes fail at 4 KiB as they would at the last block."""
    script = f"""
import asyncio, resource, signal
from pathlib import Path
from import_project.errors import StoreFull
from import_project.store.landing import Landing
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
async def chunks():
    for _ in range(64):
        yield b"x" * 1024
try:
    asyncio.run(Landing(Path({str(tmp_path)!r})).receive(chunks(), expected_size=65536))
except StoreFull as error:
    print(error)
"""
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environ)
    assert done.stdout.startswith("cannot write to landing")
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_tables_are_replaced_whole(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    tables.write("feed", "accepted", "abc", pl.DataFrame({"a": [1, 2]}))
    tables.write("feed", "accepted", "abc", pl.DataFrame({"a": [3]}))
    assert tables.read("feed", "accepted", "abc")["a"].to_list() == [3]
    with pytest.raises(StoreDamaged, match="table accepted of this file is missing"):
        tables.read("feed", "accepted", "other")
    tables.path("feed", "accepted", "abc").write_bytes(b"no parquet")
    with pytest.raises(StoreDamaged, match="cannot be read"):
        tables.read("feed", "accepted", "abc")


def test_what_a_kill_left_behind_is_swept_after_a_day(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    old, young = tmp_path / ".old.part", tmp_path / ".young.part"
    for part in (old, young):
        part.write_bytes(b"half")
    os.utime(old, (1_700_000_000, 1_700_000_000))
    asyncio.run(landing.receive(chunks(b"abc"), expected_size=3))
    assert (old.exists(), young.exists()) == (False, True)


def test_full_disk_under_a_table_is_a_named_error_and_leaves_nothing(tmp_path: Path) -> None:
    script = f"""
import resource, signal
from pathlib import Path
import polars as pl
from import_project.errors import StoreFull
from import_project.store.tables import Tables
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
frame = pl.DataFrame({{"a": [str(n * 7919 % 100003) for n in range(100_000)]}})
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    Tables(Path({str(tmp_path)!r})).write("f", "accepted", "abc", frame)
except StoreFull as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("cannot write table accepted")
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
