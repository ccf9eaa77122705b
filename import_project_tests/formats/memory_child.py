"""Reads one hostile file piece by piece, as the pipeline does, and prints by how many bytes this process grew at most, how
large the file is, and how many seconds of CPU reading it took."""

import io
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from import_project.errors import ImportProjectError
from import_project.formats.registry import bank_format, row_format
from import_project.formats.trial import try_out
from import_project.in_order import in_order
from import_project_tests.formats import fuzz, fuzz_rows
from import_project_tests.formats.hostile import HOSTILE


def _pieces(name: str, content: bytes) -> Iterator[object]:
    if name in fuzz_rows.SEEDS:
        options: Any = fuzz_rows.SEEDS[name][1]
        try_out(name, io.BytesIO(content), options)
        yield from in_order(lambda part: part(), row_format(name).parts(io.BytesIO(content), **options))
    else:
        yield from bank_format(fuzz.SEEDS[name][0]).pieces(io.BytesIO(content))


def _peak() -> int:
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def _read(name: str, content: bytes) -> str:
    pieces = 0
    try:
        for _ in _pieces(name, content):
            pieces += 1
    except ImportProjectError as error:
        return f"refused: {error.what[:120]}"
    return f"{pieces} pieces"


def main(name: str, what: str, size: int) -> None:
    sound = fuzz_rows.SEEDS[name][0] if name in fuzz_rows.SEEDS else fuzz.SEEDS[name][1]
    _read(name, sound)  # what a reader loads once is not the file's
    content = HOSTILE[name][what](size)
    Path("/proc/self/clear_refs").write_text("5", "utf-8")  # the peak begins anew
    before = _peak()
    began = time.process_time()
    told = _read(name, content)
    spent = time.process_time() - began
    sys.stdout.write(f"{max(0, _peak() - before)} {len(content)} {spent:.1f} {told}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
