"""`import-project serve`: the front desk's server, and its workers beside it as processes of their own."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from import_project.config.settings import Settings
from import_project.errors import ConfigError

_LOOK_SECONDS = 1.0
_END_SECONDS = 60.0
#: Connections at once; the next gets 503. Each is a descriptor, of which a process has a thousand, often.
_MOST_CONNECTIONS = 500


def serve(host: str, port: int, workers: int, *, certificate: str | None, key: str | None) -> None:
    """Serve until SIGTERM or Ctrl-C; files in hand come to their end first."""
    import uvicorn

    from import_project.api.app import build_app
    from import_project.api.connections import Impatient

    settings = Settings.read(os.environ)
    if workers and not os.environ.get("DAGSTER_HOME"):
        raise ConfigError("DAGSTER_HOME is not set", do="name a folder with a copy of dagster.yaml, or say --workers 0")
    app = build_app(settings, os.environ)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        http=Impatient,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    with _workers(workers):
        scheme = "https" if certificate else "http"
        print(f"front desk: {scheme}://{host}:{port}", flush=True)
        uvicorn.Server(config).run()


@contextmanager
def _workers(count: int) -> Iterator[None]:
    """Keep so many workers alive: one that dies is started again."""
    ending = threading.Event()
    command = [sys.executable, "-m", "import_project.cli.serve"]
    children = [subprocess.Popen(command) for _ in range(count)]  # noqa: S603 - our own command

    def keep() -> None:
        while not ending.wait(_LOOK_SECONDS):
            for n, child in enumerate(children):
                if child.poll() is not None and not ending.is_set():
                    print(f"a worker ended with {child.returncode}; another is started", file=sys.stderr, flush=True)
                    children[n] = subprocess.Popen(command)  # noqa: S603 - as above

    thread = threading.Thread(target=keep, name="workers", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()
        for child in children:
            child.send_signal(signal.SIGTERM)
        for child in children:
            try:
                child.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()


def work() -> None:
    """Run what is handed in until SIGTERM; the file in hand comes to its end."""
    from import_project.defs.desk import work as run_files
    from import_project.defs.instance import open_instance

    ending, parent = threading.Event(), os.getppid()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _got, _frame: ending.set())
    if hasattr(os, "nice"):
        os.nice(5)  # who hands in must not wait for who imports

    def stopping(wait: float) -> bool:
        return ending.wait(wait) or os.getppid() != parent  # a server that was killed leaves no worker behind

    def run() -> None:
        with open_instance() as instance:
            run_files(instance, stopping)

    thread = threading.Thread(target=run, name="worker")  # Dagster takes the signals of the thread it runs in
    thread.start()
    while thread.is_alive():
        thread.join(0.2)


if __name__ == "__main__":  # what `serve` starts beside itself
    work()
