"""Damaged files of every format, and damaged feeds; a longer run is `make fuzz`."""

import random
import shutil
from pathlib import Path

import pytest

from import_project.formats.registry import BANK_FORMATS, ROW_FORMATS
from import_project.formats.trial import NATIVE
from import_project_tests.formats import fuzz_rows
from import_project_tests.formats.fuzz import SEEDS, check, damaged
from import_project_tests.installation import FEEDS


def test_every_reader_has_a_sound_file_to_damage() -> None:
    assert {name for name, _ in SEEDS.values()} == set(BANK_FORMATS)
    assert set(fuzz_rows.SEEDS) == set(ROW_FORMATS) - {"python"}


@pytest.mark.parametrize("what", SEEDS)
def test_damaged_files_are_read_soundly_or_refused(what: str) -> None:
    name, content = SEEDS[what]
    assert check(name, content)
    chance = random.Random(what)
    read = [check(name, damaged(content, chance)) for _ in range(120)]
    assert any(read)


@pytest.mark.parametrize("name", fuzz_rows.SEEDS)
def test_damaged_row_files_are_read_or_refused(name: str) -> None:
    content, _ = fuzz_rows.SEEDS[name]
    assert fuzz_rows.check_rows(name, content)
    chance = random.Random(name)
    for _ in range(8 if name in NATIVE else 150):
        fuzz_rows.check_rows(name, damaged(content, chance))


@pytest.mark.parametrize("name", ["orders", "bankgiro"])
def test_damaged_feeds_are_loaded_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    shutil.copytree(FEEDS, tmp_path / "feeds")
    path = tmp_path / "feeds" / f"{name}.yaml"
    content, environ = path.read_bytes(), {"ORDERS_INBOX": str(tmp_path)}
    chance = random.Random(name)
    loaded = [fuzz_rows.check_feed(path, damaged(content, chance), environ) for _ in range(200)]
    assert not all(loaded)
    deep = content + b"\ntags: " + b"[" * 100_000
    assert not fuzz_rows.check_feed(path, deep, environ)
