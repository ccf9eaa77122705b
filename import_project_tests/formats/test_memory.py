"""What large hostile files cost: at most ten times their size in memory, whatever the reader makes of them, where that is
more than the batches it holds at a time anyway; and five seconds of CPU a megabyte."""

import subprocess
import sys

import pytest

from import_project_tests.formats.hostile import HOSTILE

_SIZE = 16 << 20
#: Rows are read in batches of bounded size, several at a time; a small file is one batch.
_BATCHES = 640 << 20
_CASES = [(name, what) for name, files in HOSTILE.items() for what in files]


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "what"), _CASES)
def test_reader_takes_at_most_ten_times_the_file(name: str, what: str) -> None:
    command = [sys.executable, "-m", "import_project_tests.formats.memory_child", name, what, str(_SIZE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    grown, size, spent, _ = done.stdout.split(" ", 3)
    assert int(grown) <= max(10 * int(size), _BATCHES), done.stdout
    assert float(spent) < 5 * int(size) / 1e6, done.stdout
