"""Damaged files of every bank format; a longer run is `make fuzz`."""

import random

import pytest

from import_project.formats.registry import BANK_FORMATS
from import_project_tests.formats.fuzz import SEEDS, check, damaged


def test_every_reader_has_a_sound_file_to_damage() -> None:
    assert {name for name, _ in SEEDS.values()} == set(BANK_FORMATS)


@pytest.mark.parametrize("what", SEEDS)
def test_damaged_files_are_read_soundly_or_refused(what: str) -> None:
    name, content = SEEDS[what]
    assert check(name, content)
    chance = random.Random(what)
    read = [check(name, damaged(content, chance)) for _ in range(120)]
    assert any(read)
