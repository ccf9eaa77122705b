"""What the routes share: the parts, feeds and workspaces as they are on disk, and files handed in together."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import Request

from import_project.api.tokens import caller_of, must
from import_project.config.load import LoadedFeed, load_feeds
from import_project.config.settings import Settings
from import_project.config.workspaces import Workspace, load_workspaces
from import_project.errors import DeskRefused, NoSuchThing, NotKnown
from import_project.pipeline.desk import hand_in
from import_project.pipeline.parts import Parts
from import_project.records.jobs import HandIn, Role, Token

_TOGETHER = 64
_LOOK_SECONDS = 0.5
_Made = asyncio.Future[tuple[str, datetime]]


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
    _looked: float = 0.0
    _looking: dict[tuple[str, str], "asyncio.Task[Any]"] = field(default_factory=dict)
    _waiting: "asyncio.Queue[tuple[HandIn, str, _Made]]" = field(default_factory=asyncio.Queue)

    def known(self) -> Known:
        """Return feeds and workspaces; read anew when a file has changed, within a second."""
        now = time.monotonic()
        if self._known is not None and now - self._looked < _LOOK_SECONDS:
            return self._known
        stamp, self._looked = tuple(sorted(_stamps(self.settings.feeds))), now
        if self._known is None or self._known.stamp != stamp:
            feeds, broken = load_feeds(self.settings.feeds, self.environ)
            workspaces, wrong = load_workspaces(self.settings.feeds, self.environ)
            self._known = Known(stamp, {f.name: f for f in feeds}, len(broken) + len(wrong), workspaces)
        return self._known

    async def caller(self, request: Request, role: Role) -> tuple[Token, Workspace]:
        """Return who asks, and the workspace. Raises NotKnown and NotYours."""
        token = await caller_of(request, self._token)
        workspace = self.known().workspaces.get(token.workspace)
        if workspace is None:
            raise NotKnown(f"there is no workspace {token.workspace} any more")
        must(token, role)
        return token, workspace

    async def _token(self, token_id: str) -> tuple[Token, str] | None:
        """Look a token up."""
        found: tuple[Token, str] | None = await self._shared(
            ("token", token_id), self.parts.ledger.tokens.found, token_id
        )
        return found

    async def room(self, workspace: Workspace) -> None:
        """Raise TooMany, before bytes come, where the ledger would refuse the file."""
        jobs, limits, name = self.parts.ledger.jobs, workspace.limits, workspace.workspace
        await self._shared(
            ("room", name), jobs.room, name, limits.most_waiting, limits.uploads_a_minute, self.parts.clock()
        )

    async def _shared(self, what: tuple[str, str], look: Callable[..., Any], *arguments: Any) -> Any:
        """Look something up in a thread; requests that come at once and look for the same share it."""
        looking = self._looking.get(what)
        if looking is None:
            looking = self._looking[what] = asyncio.create_task(asyncio.to_thread(look, *arguments))
            looking.add_done_callback(lambda _: self._looking.pop(what, None))
        return await asyncio.shield(looking)

    def feed(self, workspace: Workspace, name: str) -> LoadedFeed:
        """Return a feed of a workspace. Raises NoSuchThing."""
        found = self.known().feeds.get(name) if name in workspace.feeds else None
        if found is None:
            raise NoSuchThing(
                f"{workspace.workspace} has no feed {name[:40]!r}", do=f"it has {', '.join(workspace.feeds)}"
            )
        return found

    async def hand_in(self, one: HandIn, partition: str) -> tuple[str, datetime]:
        """Make a job of a file. Those that come at once are written in one transaction. Returns its id, and when it was
        made. Raises TooMany."""
        made: _Made = asyncio.get_running_loop().create_future()
        await self._waiting.put((one, partition, made))
        return await made

    async def write_jobs(self) -> None:
        """Write the jobs of files that wait, for ever."""
        while True:
            some = [await self._waiting.get()]
            with suppress(asyncio.QueueEmpty):
                while len(some) < _TOGETHER:
                    some.append(self._waiting.get_nowait())
            now = self.parts.clock()
            try:
                made = await asyncio.to_thread(hand_in, self.parts, [(one, key) for one, key, _ in some], now)
            except Exception as error:  # noqa: BLE001 - each of the requests raises it
                for _, _, answer in some:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for (_, _, answer), job in zip(some, made, strict=True):
                if answer.done():
                    continue  # who asked has gone; the job is made all the same
                if isinstance(job, DeskRefused):
                    answer.set_exception(job)
                else:
                    answer.set_result((job, now))


def _stamps(folder: Path) -> list[tuple[str, float]]:
    found = []
    for place in (folder, folder / "apis", folder / "schemas", folder / "workspaces"):
        with suppress(FileNotFoundError):
            found += [(e.path, e.stat().st_mtime) for e in os.scandir(place) if e.is_file()]
    return found
