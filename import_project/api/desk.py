"""What the routes share: the parts, feeds and workspaces as they are on disk, and files handed in together."""

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from import_project.api.tokens import caller_of, must
from import_project.config.load import LoadedFeed, load_feeds
from import_project.config.settings import Settings
from import_project.config.workspaces import Workspace, load_workspaces
from import_project.errors import NoSuchThing, NotKnown, TooMany
from import_project.pipeline.desk import hand_in
from import_project.pipeline.parts import Parts
from import_project.records.jobs import HandIn, Role, Token

_TOGETHER = 64


@dataclass(frozen=True, slots=True)
class Known:
    """Feeds and workspaces as they were read last; `stamp` tells whether their files have changed since."""

    stamp: tuple[tuple[str, float], ...]
    feeds: Mapping[str, LoadedFeed]
    broken: int
    workspaces: Mapping[str, Workspace]


@dataclass(slots=True)
class Desk:
    """The installation as the desk sees it."""

    parts: Parts
    settings: Settings
    environ: Mapping[str, str]
    _known: Known | None = None
    _waiting: "asyncio.Queue[tuple[HandIn, str, asyncio.Future[str]]]" = field(default_factory=asyncio.Queue)

    def known(self) -> Known:
        """Return feeds and workspaces; read anew when a file has changed."""
        stamp = tuple(sorted(_stamps(self.settings.feeds)))
        if self._known is None or self._known.stamp != stamp:
            feeds, broken = load_feeds(self.settings.feeds, self.environ)
            workspaces, wrong = load_workspaces(self.settings.feeds, self.environ)
            self._known = Known(stamp, {f.name: f for f in feeds}, len(broken) + len(wrong), workspaces)
        return self._known

    async def caller(self, request: Request, role: Role) -> tuple[Token, Workspace]:
        """Return who asks, and the workspace. Raises NotKnown and NotYours."""
        token = await run_in_threadpool(caller_of, request, self.parts.ledger.tokens.found)
        workspace = self.known().workspaces.get(token.workspace)
        if workspace is None:
            raise NotKnown(f"there is no workspace {token.workspace} any more")
        must(token, role)
        return token, workspace

    def feed(self, workspace: Workspace, name: str) -> LoadedFeed:
        """Return a feed of a workspace. Raises NoSuchThing."""
        found = self.known().feeds.get(name) if name in workspace.feeds else None
        if found is None:
            raise NoSuchThing(
                f"{workspace.workspace} has no feed {name[:40]!r}", do=f"it has {', '.join(workspace.feeds)}"
            )
        return found

    async def hand_in(self, one: HandIn, partition: str) -> str:
        """Make a job of a file. Those that come at once are written in one transaction. Raises TooMany."""
        made: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        await self._waiting.put((one, partition, made))
        return await made

    async def write_jobs(self) -> None:
        """Write the jobs of files that wait, for ever."""
        while True:
            some = [await self._waiting.get()]
            with suppress(asyncio.QueueEmpty):
                while len(some) < _TOGETHER:
                    some.append(self._waiting.get_nowait())
            try:
                made = await asyncio.to_thread(hand_in, self.parts, [(one, key) for one, key, _ in some])
            except Exception as error:  # noqa: BLE001 - each of the requests raises it
                for _, _, answer in some:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for (_, _, answer), job in zip(some, made, strict=True):
                if answer.done():
                    continue  # who asked has gone; the job is made all the same
                if isinstance(job, TooMany):
                    answer.set_exception(job)
                else:
                    answer.set_result(job)


def _stamps(folder: Path) -> list[tuple[str, float]]:
    found = []
    for place in (folder, folder / "apis", folder / "schemas", folder / "workspaces"):
        with suppress(FileNotFoundError):
            found += [(e.path, e.stat().st_mtime) for e in os.scandir(place) if e.is_file()]
    return found
