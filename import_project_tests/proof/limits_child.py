"""A process that imports the feed `orders` under one limit after the other, each time in a fork, and at last without any.

`python -m import_project_tests.proof.limits_child KIND [FOLDER] LIMIT...` prints a JSON list with how each try ended. KIND is
`disk` (pages of 4 KiB that are left in FOLDER, which becomes a small file system; run it under `unshare -rm`), `inodes`
(names that are left there), `descriptors` or `memory` (MiB of addresses beyond those in use). No judgement belongs here.
"""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from import_project_tests.pipeline import kill_child

_PAGE = 4096
_SECONDS = 30
_NO_LIMIT = -1


def _tried(limit: int, ahead: int, begin: Callable[[int], None]) -> dict[str, Any]:
    """Import in a fork; `error` is the name of what was raised, `line` its text, `signal` what the fork died of."""
    reading, writing = os.pipe()
    fork = os.fork()
    if fork == 0:
        signal.alarm(_SECONDS)
        told: tuple[str, str, str] | None = None
        try:
            os.environ["AHEAD"] = str(ahead)
            begin(limit)
            kill_child.main("orders", 1_000_000)
        except BaseException as error:  # noqa: BLE001 - it is told, whatever it is
            told = (type(error).__module__ + "." + type(error).__name__, str(error), traceback.format_exc())
        os.write(writing, json.dumps(told)[:60_000].encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as answers:
        answer = answers.read()
    _, status = os.waitpid(fork, 0)
    name, line, trace = json.loads(answer or "null") or (None, None, None)
    died = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    return {"limit": limit, "error": name, "line": line, "trace": trace, "signal": died}


def _small_disk(folder: Path) -> None:
    """Put a file system of 8 MiB in a folder's place, with what is in it."""
    kept = folder.with_name(f"{folder.name}.kept")
    folder.mkdir(parents=True, exist_ok=True)
    folder.rename(kept)
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,nr_inodes=64", "none", str(folder)], check=True)
    shutil.copytree(kept, folder, dirs_exist_ok=True)
    shutil.rmtree(kept)


def _large_disk(folder: Path) -> None:
    """Give the folder back to the file system it was on, with what has come to be in it, for others to judge."""
    kept = folder.with_name(f"{folder.name}.kept")
    shutil.copytree(folder, kept)
    subprocess.run(["umount", str(folder)], check=True)
    shutil.copytree(kept, folder, dirs_exist_ok=True)
    shutil.rmtree(kept)


def _fill(folder: Path, pages: int | None, names: int | None) -> None:
    """Leave so many pages, or names, or all of them."""
    ballast = folder / ".ballast"
    shutil.rmtree(ballast, ignore_errors=True)
    if pages is None and names is None:
        return
    ballast.mkdir()
    free = os.statvfs(folder)
    if pages is not None:
        with (ballast / "pages").open("wb") as out:
            os.posix_fallocate(out.fileno(), 0, (free.f_bfree - pages) * _PAGE)
    for number in range(free.f_ffree - names if names is not None else 0):
        (ballast / str(number)).touch()


def _files(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file() and ".ballast" not in p.parts]


def _few_descriptors(limit: int) -> None:
    if limit != _NO_LIMIT:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


def _little_memory(limit: int) -> None:
    if limit != _NO_LIMIT:
        in_use = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
        most = in_use + limit * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def main(kind: str, *arguments: str) -> None:
    """Try with each limit, then without; what is tried later is tried an hour later, by the clock of the fork."""
    folder = Path(arguments[0])
    begin = {"descriptors": _few_descriptors, "memory": _little_memory}.get(kind, lambda _limit: None)
    on_disk = kind in {"disk", "inodes"}
    if on_disk:
        _small_disk(folder)
    ended = []
    for turn, limit in enumerate([*map(int, arguments[1:] if on_disk else arguments), _NO_LIMIT]):
        if on_disk:
            left = None if limit == _NO_LIMIT else limit
            _fill(folder, left if kind == "disk" else None, left if kind == "inodes" else None)
        one = _tried(limit, turn * 4000, begin)
        one["files"] = sorted(p.name for p in _files(folder)) if on_disk else []
        ended.append(one)
    if on_disk:
        _large_disk(folder)
    sys.stdout.write(json.dumps(ended))


if __name__ == "__main__":
    main(*sys.argv[1:])
