"""A whole installation in a folder, with a clock that tests can move: feeds on disk, stores, and the parts."""

import asyncio
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from import_project.config.load import LoadedFeed, load_feeds
from import_project.config.settings import Settings
from import_project.pipeline.hold import Facts
from import_project.pipeline.parts import Parts
from import_project.pipeline.see import Request, see
from import_project.pipeline.steps import run_file
from import_project.pipeline.wiring import build_parts
from import_project_tests.http_servers import ApiPeer
from import_project_tests.servers import SftpPeer

FEEDS = Path(__file__).parent.parent / "feeds"


@dataclass
class Clock:
    """Aware UTC, moved by hand; real time passes in it too, so that leases behave."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def advance(self, **span: float) -> None:
        self.ahead += timedelta(**span)

    async def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.advance(seconds=seconds)


@dataclass
class Installation:
    """Both example feeds against the given peers, state in `home`."""

    home: Path
    environ: Mapping[str, str]
    clock: Clock = field(default_factory=Clock)

    @classmethod
    def make(cls, home: Path, sftp: SftpPeer, api: ApiPeer, *, ledger: str | None = None) -> "Installation":
        (home / "inbox").mkdir(parents=True, exist_ok=True)
        (sftp.root / "out").mkdir(exist_ok=True)
        environ = {
            "BANK_HOST": "127.0.0.1",
            "BANK_PORT": str(sftp.port),
            "BANK_USER": "acme",
            "BANK_KEY": sftp.user_key,
            "BANK_KNOWN_HOSTS": str(sftp.known_hosts),
            "BANK_FOLDER": "out",
            "ORDERS_INBOX": str(home / "inbox"),
            "ERP_URL": api.url,
            "ERP_TOKEN": api.token,
            "IMPORT_PROJECT_HOME": str(home / "state"),
            "IMPORT_PROJECT_FEEDS": str(FEEDS),
        }
        if ledger is not None:
            environ["IMPORT_PROJECT_LEDGER"] = ledger
        return cls(home=home, environ=environ)

    @property
    def inbox(self) -> Path:
        return self.home / "inbox"

    def rewrite(self, name: str, **keys: Any) -> "Installation":
        """Change a feed's file in a copy of the feeds, for child processes to read too; mappings are merged."""
        folder = self.home / "feeds"
        if not folder.exists():
            shutil.copytree(FEEDS, folder)
        rewrite_feed(folder / f"{name}.yaml", **keys)
        return replace(self, environ={**self.environ, "IMPORT_PROJECT_FEEDS": str(folder)})

    def feed(self, name: str) -> LoadedFeed:
        feeds, broken = load_feeds(Path(self.environ["IMPORT_PROJECT_FEEDS"]), self.environ)
        assert not broken, broken
        return next(f for f in feeds if f.name == name)

    def parts(self) -> Parts:
        built = build_parts(Settings.read(self.environ), self.environ)
        return Parts(
            ledger=built.ledger,
            landing=built.landing,
            tables=built.tables,
            clock=self.clock,
            open_source=built.open_source,
            open_api=built.open_api,
            reveal=built.reveal,
            sleep=self.clock.sleep,
            chance=lambda: 0.5,
        )

    def changed(self, name: str, *, source: Mapping[str, Any] | None = None, **files: Any) -> LoadedFeed:
        """Return a feed with other keys under `files` and `source`."""
        loaded = self.feed(name)
        feed = loaded.feed
        made = type(feed.files).model_validate({**feed.files.model_dump(exclude_unset=True), **files})
        update = {"files": made, "source": feed.source.model_copy(update=dict(source or {}))}
        return replace(loaded, feed=feed.model_copy(update=update))

    def poll(self, parts: Parts, feed: str | LoadedFeed) -> tuple[Request, ...]:
        """Poll, as long after the last time as the feed says."""
        loaded = self.feed(feed) if isinstance(feed, str) else feed
        self.clock.advance(seconds=loaded.feed.every_seconds)
        return asyncio.run(see(parts, loaded)).requests

    def poll_until_ready(self, parts: Parts, feed: str | LoadedFeed) -> Request:
        """Poll twice, as a stable file needs, and return the one request."""
        assert self.poll(parts, feed) == ()
        (request,) = self.poll(parts, feed)
        return request

    def run(self, parts: Parts, feed: str | LoadedFeed, request: Request, owner: str = "run-1") -> dict[str, Facts]:
        loaded = self.feed(feed) if isinstance(feed, str) else feed
        return run_file(parts, loaded, request.partition, owner=owner)


def rewrite_feed(path: Path, **keys: Any) -> None:
    data = yaml.safe_load(path.read_text("utf-8"))
    for key, value in keys.items():
        data[key] = {**data.get(key, {}), **value} if isinstance(value, dict) else value
    path.write_text(yaml.safe_dump(data), "utf-8")


def environment(installation: Installation) -> dict[str, str]:
    """The environment of a child process of the installation, whose terminal is wide."""
    return {**os.environ, "COLUMNS": "160", **installation.environ}


@contextmanager
def dagster_instance(home: str) -> Iterator[dg.DagsterInstance]:
    """Open the instance in a folder, as a process does whose DAGSTER_HOME names it."""
    with pytest.MonkeyPatch.context() as environ:
        environ.setenv("DAGSTER_HOME", home)
        with dg.DagsterInstance.get() as instance:
            yield instance
