"""Files on an FTP server, through ftplib in one thread, since FTP knows one step at a time. The commands themselves are
in `ftp_session`; how to reach the server is in `ftp_login`."""

import asyncio
import posixpath
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar
from uuid import uuid4

from import_project.errors import SourceDenied
from import_project.records.files import Listed, Staged
from import_project.sources.base import Claimed, Listing
from import_project.sources.ftp_login import FtpLogin, NotThere, ftp_errors
from import_project.sources.ftp_session import FtpSession

Answer = TypeVar("Answer")

_AHEAD = 8  # blocks of 256 KiB that are read before they are asked for
_GOODBYE = 5.0  # seconds for the thread to end a step that nobody wants any more


class FtpSource:
    """An inbox that is a folder of an FTP server.

    After an error, or a file that was not read to its end, the connection is given up; the next step makes a new one.
    A server without MLST and MDTM tells no times: mtime is 1970-01-01 then, and a file's size alone tells a change.
    """

    def __init__(self, login: FtpLogin, root: str) -> None:
        self._login = login
        self._root = root
        self._session: FtpSession | None = None
        self._thread: ThreadPoolExecutor

    async def __aenter__(self) -> Self:
        """Connect, check the certificate, log in, enter the folder."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ftp")
        try:
            await self._step("open", "", lambda _: None)
        except BaseException:
            self._thread.shutdown(wait=False)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close, without waiting long for a server that does not answer."""
        leaving = asyncio.get_running_loop().run_in_executor(self._thread, self._leave)
        await asyncio.wait([leaving], timeout=2 * _GOODBYE)
        self._thread.shutdown(wait=leaving.done())

    async def list(self, wanted: Callable[[str], bool]) -> Listing:
        """List by MLSD, or by LIST and a question per wanted file. An error is an error, never an empty inbox."""
        return await self._step("list", "", lambda on: on.files_in("", wanted))

    async def held(self, folder: str) -> tuple[Claimed, ...]:
        """List the folder of held files; one that listings hide can be entered all the same."""

        def look(on: FtpSession) -> Listing:
            try:
                return on.files_in(folder, lambda _: True)
            except NotThere:
                return Listing(files=())

        listing = await self._step("list", folder, look)
        return tuple(Claimed(held_as=f"{folder}/{f.name}", file=f) for f in listing.files)

    async def being_written(self, name: str) -> bool:
        """No FTP server tells."""
        return False

    async def claim(self, file: Staged) -> bool:
        """Rename in one step on the server; the second of two claimers finds nothing to rename."""

        def rename(on: FtpSession) -> bool:
            on.make_folder(posixpath.dirname(file.held_as))
            # A held name is there by an earlier try; many servers would put a namesake in its place.
            return (
                on.look(file.held_as) is not None
                or on.rename(file.name, file.held_as)
                or on.look(file.held_as) is not None
            )

        return await self._step("claim", file.name, rename)

    async def facts(self, file: Staged) -> Listed:
        """Ask the server."""

        def look(on: FtpSession) -> Listed:
            found = on.look(file.held_as)
            if found is None or not found.is_file:
                raise NotThere("it is gone")
            return Listed(name=file.name, size=found.size, mtime=found.mtime)

        return await self._step("look at", file.held_as, look)

    async def open(self, file: Staged, size: int) -> AsyncIterator[bytes]:
        """Read in binary, a few blocks ahead; a server that stops sending is cut off, and so is one that says at the
        end that the file was not whole."""
        loop = asyncio.get_running_loop()
        blocks: asyncio.Queue[bytes] = asyncio.Queue()
        room, left = threading.Semaphore(_AHEAD), threading.Event()

        def take(block: bytes) -> None:
            room.acquire()
            if left.is_set():
                raise ConnectionAbortedError("nobody reads any more")
            loop.call_soon_threadsafe(blocks.put_nowait, block)

        reading = asyncio.create_task(
            self._step("read", file.held_as, lambda on: on.retrieve(file.held_as, size, take)), name="ftp read"
        )
        reading.add_done_callback(lambda _: blocks.put_nowait(b""))
        try:
            while block := await blocks.get():
                yield block
                room.release()
            await reading
        finally:
            left.set()
            room.release()
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def set_aside(self, file: Staged, target: str, *, if_taken: str) -> str:
        """Look whether the target is free, then rename: a file that comes there in between would be replaced on many
        servers, so nobody else should write into the folders for files set aside."""
        return await self._step("set aside", file.held_as, lambda on: _set_aside(on, file.held_as, target, if_taken))

    async def try_out(self, folder: str) -> None:
        """Make, rename and remove a file."""
        probe = f"{folder}/import-project-{uuid4().hex}.probe"

        def write(on: FtpSession) -> None:
            on.make_folder(folder)
            on.store(probe, b"probe")
            on.rename(probe, f"{probe}.moved")
            on.delete(f"{probe}.moved")

        await self._step("write into", folder, write)

    async def _step(self, doing: str, path: str, work: Callable[[FtpSession], Answer]) -> Answer:
        """Do one thing in the thread. When it is cancelled it is cut off, and nothing of it happens later."""
        given_up = threading.Event()
        job = self._thread.submit(self._in_thread, doing, path, work, given_up)
        answer = asyncio.wrap_future(job)
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            given_up.set()
            answer.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # else asyncio complains
            if not job.cancel() and not job.done() and (session := self._session):
                session.cut()
                await asyncio.wait([answer], timeout=_GOODBYE)
            raise

    def _in_thread(
        self, doing: str, path: str, work: Callable[[FtpSession], Answer], given_up: threading.Event
    ) -> Answer:
        with ftp_errors(self._login, doing, posixpath.join(self._root, path) if path else self._root):
            session = self._session = self._session or FtpSession(self._login, self._root)
            try:
                if given_up.is_set():
                    raise ConnectionAbortedError("given up")
                return work(session)
            except BaseException:
                session.spent = True
                raise
            finally:
                if session.spent:
                    self._leave()

    def _leave(self) -> None:
        session, self._session = self._session, None
        if session:
            session.close()


def _set_aside(on: FtpSession, held: str, target: str, if_taken: str) -> str:
    for place in (target, if_taken):
        on.make_folder(posixpath.dirname(place))
        if not on.look(held):
            break
        if on.look(place):
            continue
        if not on.rename(held, place):
            break
        return place
    else:
        raise SourceDenied(f"{target} and {if_taken} exist already", do="make room for one of them")
    for place in (if_taken, target):
        if on.look(place):
            return place
    raise NotThere("somebody else moved it")
