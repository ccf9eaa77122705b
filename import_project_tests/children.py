"""Long-lived programs as child processes of a test: Dagster's daemon, Celery's workers. Each leads a process group of its
own, so that what it started ends with it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


@contextmanager
def child(command: Sequence[str], environ: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends; what it says goes to a log. It gets 20 seconds to end by itself."""
    with (
        log.open("ab") as out,
        subprocess.Popen(command, env=environ, stdout=out, stderr=out, start_new_session=True) as process,
    ):
        try:
            yield process
        finally:
            end(process, signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                end(process, signal.SIGKILL)


def end(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to a child and all that it started; one that has ended by itself needs none."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def daemon(environ: Mapping[str, str], log: Path) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Run Dagster's daemon over this project."""
    return child([str(BIN / "dagster-daemon"), "run", "-w", str(ROOT / "workspace.yaml")], environ, log)
