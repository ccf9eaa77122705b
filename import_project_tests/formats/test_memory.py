"""What large hostile files cost in memory: at most ten times their size, whatever the reader makes of them."""

import subprocess
import sys

import pytest

from import_project_tests.formats.hostile import HOSTILE

_SIZE = 16 << 20
_CASES = [(name, what) for name, files in HOSTILE.items() for what in files]


@pytest.mark.long
@pytest.mark.timeout(120)
@pytest.mark.parametrize(("name", "what"), _CASES)
def test_reader_takes_at_most_ten_times_the_file(name: str, what: str) -> None:
    command = [sys.executable, "-m", "import_project_tests.formats.memory_child", name, what, str(_SIZE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    grown, size, _ = done.stdout.split(" ", 2)
    assert int(grown) <= 10 * int(size), done.stdout
