"""Child processes that import and die: forked from one that has everything loaded, the clock of each its own."""

import multiprocessing
import os
from multiprocessing.process import BaseProcess

from import_project_tests.installation import Installation, environment
from import_project_tests.pipeline import kill_child


def _child(environ: dict[str, str], feed: str, calls: int) -> None:
    os.environ.update(environ)
    kill_child.main(feed, calls)


def start_child(installation: Installation, feed: str, calls: int, ahead: int, **environ: str) -> BaseProcess:
    """Start a child whose clock is `ahead` seconds ahead; `environ` is what `kill_child` reads."""
    given = environment(installation) | {"AHEAD": str(ahead)} | environ
    child = multiprocessing.get_context("forkserver").Process(target=_child, args=(given, feed, calls))
    child.start()
    return child


def run_child(installation: Installation, feed: str, ahead: int, calls: int = 1_000_000, **environ: str) -> int | None:
    """Run a child until its fuse burns, or it has nothing more to do; returns its exit code (-9: killed)."""
    child = start_child(installation, feed, calls, ahead, **environ)
    child.join(timeout=60)
    return child.exitcode
