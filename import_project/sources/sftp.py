"""Files on an SFTP server, through asyncssh; each phase has a time-out. How to reach the server is in `sftp_login`."""

import asyncio
import contextlib
import posixpath
import stat
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from import_project.errors import FileVanished, SourceDenied
from import_project.records.files import Listed, Staged
from import_project.sources.base import Claimed, Listing, moment, printable, safe
from import_project.sources.sftp_login import SftpLogin, connect, sftp_errors

if TYPE_CHECKING:
    import asyncssh

_IN_FLIGHT = 16
_GOODBYE = 5.0  # seconds for a server to answer a closing
_BLOCK, _BLOCK_UNKNOWN = 256 * 1024, 32 * 1024


class SftpSource:
    """An inbox that is a folder of an SFTP server; one connection for the life of the context."""

    def __init__(self, login: SftpLogin, root: str) -> None:
        self._login = login
        self._root = root
        self._folders: set[str] = set()
        self._connection: asyncssh.SSHClientConnection
        self._sftp: asyncssh.SFTPClient

    async def __aenter__(self) -> Self:
        """Connect, check the host key, log in, open the SFTP channel."""
        login = self._login
        with sftp_errors(self._login, "connect"):
            self._connection = await connect(login)
            try:
                async with asyncio.timeout(login.step_timeout):
                    self._sftp = await self._connection.start_sftp_client(path_errors="surrogateescape")
            except BaseException:
                self._connection.abort()
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close, without waiting long for a server that does not answer."""
        self._sftp.exit()
        self._connection.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                await self._connection.wait_closed()

    async def list(self, wanted: Callable[[str], bool]) -> Listing:
        """List. An error is an error, never an empty inbox."""
        return await self._list(self._root, wanted)

    async def _list(self, folder: str, wanted: Callable[[str], bool]) -> Listing:
        async with self._step("list", folder):
            scan = asyncio.ensure_future(self._scan(folder, wanted))
            try:
                return await asyncio.shield(scan)
            except asyncio.CancelledError:
                self._connection.abort()  # else the closing of the folder waits for a server that does not answer
                await asyncio.gather(scan, return_exceptions=True)
                raise

    async def _scan(self, folder: str, wanted: Callable[[str], bool]) -> Listing:
        files, unsafe = [], []
        async for entry in self._sftp.scandir(folder):
            name = str(entry.filename)
            if name in {".", ".."} or not wanted(name):
                continue
            if _regular(entry.attrs) and safe(name):
                files.append(_listed(name, entry.attrs))
            elif _regular(entry.attrs) or _special(entry.attrs):
                unsafe.append(printable(name))
        return Listing(files=tuple(files), unsafe=tuple(unsafe))

    async def held(self, folder: str) -> tuple[Claimed, ...]:
        """List the folder of held files."""
        path = self._path(folder)
        try:
            listing = await self._list(path, lambda _: True)
            if listing.files:
                async with self._step("list", path):
                    await self._inside(path)
        except FileVanished:
            return ()
        return tuple(Claimed(held_as=f"{folder}/{f.name}", file=f) for f in listing.files)

    async def being_written(self, name: str) -> bool:
        """No SFTP server tells."""
        return False

    async def claim(self, file: Staged) -> bool:
        """Rename in one step on the server; the second of two claimers finds nothing to rename."""
        import asyncssh

        source, held = self._path(file.name), self._path(file.held_as)
        async with self._step("claim", source):
            await self._folder(held)
            if await self._sftp.exists(held):
                return True  # an earlier try; the POSIX rename would put a namesake in its place
            try:
                try:
                    await self._sftp.posix_rename(source, held)
                except asyncssh.SFTPOpUnsupported:
                    await self._sftp.rename(source, held)
            except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath, asyncssh.SFTPFailure):
                if await self._sftp.exists(source) and not await self._sftp.exists(held):
                    raise
                return await self._sftp.exists(held)
        return True

    async def facts(self, file: Staged) -> Listed:
        """Ask the server; a link is not followed."""
        path = self._path(file.held_as)
        async with self._step("look at", path):
            found = await self._sftp.lstat(path)
            if not _regular(found):
                raise FileVanished(f"{path} at {self._login.place} is no file any more", do="see who put what there")
            return _listed(file.name, found)

    async def open(self, file: Staged, size: int) -> AsyncIterator[bytes]:
        """Read with several requests in flight, in order; a server that stops answering is cut off."""
        path = self._path(file.held_as)
        import asyncssh

        with sftp_errors(self._login, "read", path):
            limit = self._sftp.limits.max_read_len
            block = min(limit, _BLOCK) if limit else _BLOCK_UNKNOWN
            async with asyncio.timeout(self._login.step_timeout):
                content = await self._sftp.open(path, "rb", block_size=0)
            waiting: deque[tuple[int, int, asyncio.Future[Any]]] = deque()
            asked = 0
            try:
                while asked < size or waiting:
                    while asked < size and len(waiting) < _IN_FLIGHT:
                        wide = min(block, size - asked)
                        waiting.append((asked, wide, asyncio.ensure_future(content.read(wide, asked))))
                        asked += wide
                    start, wide, answer = waiting.popleft()
                    async with asyncio.timeout(self._login.step_timeout):
                        chunk = await answer
                        while len(chunk) < wide:
                            more = await content.read(wide - len(chunk), start + len(chunk))
                            if not more:
                                return  # shorter than listed: landing counts and refuses
                            chunk += bytes(more)  # type: ignore[arg-type]
                    yield chunk
            except TimeoutError:
                self._connection.abort()  # a server that does not answer would not answer the closing either
                raise
            finally:
                for _, _, answer in waiting:
                    answer.cancel()
                await asyncio.gather(*(answer for _, _, answer in waiting), return_exceptions=True)
                with contextlib.suppress(asyncssh.Error, OSError, TimeoutError):
                    async with asyncio.timeout(_GOODBYE):
                        await content.close()

    async def set_aside(self, file: Staged, target: str, *, if_taken: str) -> str:
        """Move with the plain rename, which SFTP servers refuse when the target exists."""
        import asyncssh

        held = self._path(file.held_as)
        async with self._step("set aside", held):
            for place in (target, if_taken):
                path = self._path(place)
                await self._folder(path)
                if not await self._sftp.exists(held):
                    break
                if await self._sftp.exists(path):
                    continue
                try:
                    await self._sftp.rename(held, path)
                except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
                    break
                return place
            else:
                raise SourceDenied(f"{target} and {if_taken} exist already", do="make room for one of them")
            for place in (if_taken, target):
                if await self._sftp.exists(self._path(place)):
                    return place
        raise FileVanished(f"{file.held_as} is gone from {self._login.place}", do="somebody else moved it")

    async def try_out(self, folder: str) -> None:
        """Make, rename and remove a file."""
        probe = self._path(f"{folder}/import-project-{uuid4().hex}.probe")
        async with self._step("write into", self._path(folder)):
            await self._folder(probe)
            async with self._sftp.open(probe, "wb"):
                pass
            try:
                await self._sftp.rename(probe, f"{probe}.moved")
                probe = f"{probe}.moved"
            finally:
                await self._sftp.remove(probe)

    def _path(self, relative: str) -> str:
        return posixpath.join(self._root, relative)

    async def _folder(self, path: str) -> None:
        folder = posixpath.dirname(path)
        if folder not in self._folders:
            await self._sftp.makedirs(folder, exist_ok=True)
            await self._inside(folder)
            self._folders.add(folder)

    async def _inside(self, folder: str) -> None:
        """Raise SourceDenied for a folder below the inbox that leads out of it by a link that a sender has made."""
        if not folder.startswith(f"{self._root}/"):
            return  # the feed says so
        root, real = [str(await self._sftp.realpath(one)) for one in (self._root, folder)]
        if not f"{real}/".startswith(f"{root.rstrip('/')}/"):
            raise SourceDenied(f"{folder} at {self._login.place} leads out of the inbox", do="have the link removed")

    @contextlib.asynccontextmanager
    async def _step(self, doing: str, path: str) -> AsyncIterator[None]:
        with sftp_errors(self._login, doing, path):
            try:
                async with asyncio.timeout(self._login.step_timeout):
                    yield
            except TimeoutError:
                self._connection.abort()
                raise


def _regular(attrs: Any) -> bool:
    return attrs.permissions is None or stat.S_ISREG(attrs.permissions)


def _special(attrs: Any) -> bool:
    """Whether it is a link, pipe, socket or device."""
    return attrs.permissions is not None and stat.S_IFMT(attrs.permissions) not in {0, stat.S_IFREG, stat.S_IFDIR}


def _listed(name: str, attrs: Any) -> Listed:
    return Listed(name=name, size=attrs.size or 0, mtime=moment(attrs.mtime or 0))
