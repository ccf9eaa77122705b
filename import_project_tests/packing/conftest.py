"""The bench on which the tests of this room unpack."""

from pathlib import Path

import pytest

from import_project_tests.packing.archives import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
