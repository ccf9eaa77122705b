"""The front desk in this process: its real application on a real installation, and files run as a worker runs them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from import_project.api.app import build_app
from import_project.api.tokens import new_token
from import_project.config.settings import Settings
from import_project.errors import ImportProjectError
from import_project.pipeline.parts import Parts
from import_project.pipeline.steps import run_file
from import_project.records.jobs import Role
from import_project_tests.http_servers import http_server
from import_project_tests.installation import Installation


@dataclass
class Front:
    """The desk's client without a token, the installation behind it, and tokens of its workspaces."""

    client: httpx.Client
    installation: Installation
    parts: Parts

    def token(self, workspace: str = "finance", role: Role = Role.UPLOAD, name: str = "anna") -> dict[str, str]:
        """Make a token, as headers."""
        token, hashed, shown = new_token(workspace, f"{name}-{role}", role, "tests", self.parts.clock())
        self.parts.ledger.tokens.add(token, hashed)
        return {"authorization": f"Bearer {shown}"}

    def hand_in(self, content: bytes, name: str, headers: dict[str, str], feed: str = "orders") -> Any:
        """Hand a file in. Returns the answer."""
        return self.client.post("/jobs/ingest", data={"feed": feed}, files={"file": (name, content)}, headers=headers)

    def import_waiting(self) -> int:
        """Run every job that is due, as a worker does, without Dagster. Returns how many."""
        ran, jobs, clock = 0, self.parts.ledger.jobs, self.parts.clock
        while (arrival := jobs.take(clock(), again_at=clock() + _LASTS)) is not None:
            ran += 1
            try:
                feed = self.installation.feed(arrival.feed)
                run_file(self.parts, feed, arrival.partition or "", owner=f"run-{arrival.id}-{ran}")
            except ImportProjectError:
                continue
        return ran


_LASTS = timedelta(seconds=60)


def write_workspace(installation: Installation, name: str, **keys: Any) -> None:
    """Write a workspace's file beside the feeds."""
    folder = Path(installation.environ["IMPORT_PROJECT_FEEDS"], "workspaces")
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yaml").write_text(yaml.safe_dump({"workspace": name, "feeds": ["orders", "bankgiro"], **keys}))


@pytest.fixture
def open_desk(installation: Installation) -> Iterator[Callable[..., Front]]:
    """Open the desk, with settings of one's own."""

    def open_it(**environ: str) -> Front:
        changed = installation.rewrite("orders")
        changed = replace(changed, environ={**changed.environ, **environ})
        for name in ("finance", "sales"):
            write_workspace(changed, name)
        app = build_app(Settings.read(changed.environ), changed.environ)
        url = servers.enter_context(http_server(app, lifespan="on"))
        client = servers.enter_context(httpx.Client(base_url=url, timeout=60))
        parts = changed.parts()
        servers.callback(parts.close)
        return Front(client=client, installation=changed, parts=parts)

    with ExitStack() as servers:
        yield open_it


@pytest.fixture
def front(open_desk: Callable[..., Front]) -> Front:
    return open_desk()
