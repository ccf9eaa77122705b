"""Writing a file so that it is whole or absent, whatever happens. Shared by landing and tables."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from import_project.errors import StoreFull

_LEFT_BEHIND_SECONDS = 86_400
_SWEEP_SECONDS = 3600
_swept: dict[
    tuple[Path, str], float
] = {}  # when this process swept which folder: looking at each write would cost more than it


@contextmanager
def disk_errors(doing: str) -> Iterator[None]:
    """Turn an operating system's refusal into StoreFull, with what was being done and where."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreFull(
            f"cannot {doing}: {reason}", do="free space or mend the rights; the next try goes on"
        ) from error


@contextmanager
def part_file(folder: Path) -> Iterator[Path]:
    """Give a temporary path in `folder`, gone at the end unless `settle` moved it.

    After a kill it stays, unread, until a later call finds it a day old.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder, ".*.part")
    part = folder / f".{uuid4().hex}.part"
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def sweep(folder: Path, pattern: str) -> None:
    """Remove what killed processes left behind a day ago; two that sweep at once do not disturb each other. A process
    looks through a folder once an hour."""
    now = time.monotonic()
    if now - _swept.get((folder, pattern), -_SWEEP_SECONDS) < _SWEEP_SECONDS:
        return
    _swept[folder, pattern] = now
    for left in folder.glob(pattern):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime <= _LEFT_BEHIND_SECONDS:
                continue
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink()


def settle(part: Path, target: Path) -> None:
    """Make a written `part` the file `target` in one step, on disk for good (file and folder are synced)."""
    with part.open("rb") as written:
        os.fsync(written.fileno())
    target.parent.mkdir(parents=True, exist_ok=True)
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
