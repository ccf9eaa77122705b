"""`import-project serve` as a child process with a worker of its own, and a client that has a token."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from import_project_tests.installation import FEEDS, Installation, environment
from import_project_tests.mail_server import free_port

COMMAND = [str(Path(sys.executable).with_name("import-project"))]


class Serving:
    """The server's process, and a client with a token."""

    def __init__(self, installation: Installation) -> None:
        self.environ = environment(installation)
        self.port = free_port()
        made = subprocess.run(
            [*COMMAND, "tokens", "create", "--workspace", "finance", "--name", "tests", "--role", "admin"],
            env=self.environ,
            capture_output=True,
            text=True,
            check=True,
        )
        headers = {"authorization": f"Bearer {made.stdout.strip()}"}
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=30)
        self.start()

    def start(self) -> None:
        self.child = subprocess.Popen([*COMMAND, "serve", "--port", str(self.port)], env=self.environ)
        self.until(lambda: self.answers() and self.client.get("/health").json()["dagster"] == "ok", 120)

    def end(self) -> None:
        self.child.terminate()
        self.child.wait(60)
        self.client.close()

    def answers(self) -> bool:
        try:
            return bool(self.client.get("/health").json())
        except httpx.TransportError:
            return False

    def until(self, true: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, "in vain"
            time.sleep(0.05)

    def hand_in(self, content: bytes, name: str) -> Any:
        answer = self.client.post("/jobs/ingest", data={"feed": "orders"}, files={"file": (name, content)})
        assert answer.status_code == 202, answer.text
        return answer.json()

    def job(self, job_id: str) -> Any:
        return self.client.get(f"/jobs/{job_id}").json()

    def workers(self) -> list[int]:
        found = subprocess.run(["pgrep", "-P", str(self.child.pid)], capture_output=True, text=True, check=False)
        return [int(line) for line in found.stdout.split()]


def open_serving(installation: Installation) -> Serving:
    """Serve an installation, with an instance of its own; a killed run keeps its file for three seconds."""
    home = installation.home / "dagster"
    home.mkdir()
    shutil.copy(FEEDS.parent / "dagster.yaml", home / "dagster.yaml")
    environ = {**installation.environ, "DAGSTER_HOME": str(home), "IMPORT_PROJECT_LEASE_SECONDS": "3"}
    return Serving(replace(installation, environ=environ))
