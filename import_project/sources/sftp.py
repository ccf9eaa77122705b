"""Files on an SFTP server, through asyncssh. Host keys are always checked; each phase has a time-out."""

import asyncio
import contextlib
import posixpath
import stat
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from import_project.errors import (
    ConfigError,
    FileVanished,
    HostKeyRefused,
    LoginRefused,
    SourceDenied,
    SourceError,
    SourceUnreachable,
)
from import_project.records.files import Listed
from import_project.sources.base import Listing, printable, safe

if TYPE_CHECKING:
    import asyncssh

# asyncssh starts with chacha20; AES-GCM first is 1.6 times as fast where the processor knows AES.
_CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-ctr",
)
_IN_FLIGHT = 16
_GOODBYE = 5.0  # seconds for a server to answer a closing
_BLOCK, _BLOCK_UNKNOWN = 256 * 1024, 32 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SftpLogin:
    """Where and as whom to log in. Secrets are the revealed texts and never shown. Times in seconds."""

    host: str
    port: int
    username: str
    known_hosts: Path
    password: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)
    passphrase: str | None = field(default=None, repr=False)
    connect_timeout: float = 15.0
    login_timeout: float = 30.0
    step_timeout: float = 60.0

    @property
    def place(self) -> str:
        """The server, as errors name it."""
        return f"sftp://{self.username}@{self.host}:{self.port}"


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
        import asyncssh

        login = self._login
        with self._errors("connect"):
            self._connection = await asyncssh.connect(
                login.host,
                login.port,
                username=login.username,
                password=login.password,
                client_keys=[self._key()] if login.private_key else None,
                known_hosts=str(login.known_hosts),
                config=None,
                agent_path=None,
                encryption_algs=_CIPHERS,
                compression_algs=["none"],
                connect_timeout=login.connect_timeout,
                login_timeout=login.login_timeout,
                keepalive_interval=15,
                keepalive_count_max=4,
            )
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
        async with self._step("list", self._root):
            scan = asyncio.ensure_future(self._scan(wanted))
            try:
                return await asyncio.shield(scan)
            except asyncio.CancelledError:
                self._connection.abort()  # else the closing of the folder waits for a server that does not answer
                await asyncio.gather(scan, return_exceptions=True)
                raise

    async def _scan(self, wanted: Callable[[str], bool]) -> Listing:
        files, unsafe = [], []
        async for entry in self._sftp.scandir(self._root):
            name = str(entry.filename)
            if name in {".", ".."} or not wanted(name):
                continue
            if not safe(name):
                unsafe.append(printable(name))
            elif entry.attrs.permissions is None or stat.S_ISREG(entry.attrs.permissions):
                files.append(_listed(name, entry.attrs))
        return Listing(files=tuple(files), unsafe=tuple(unsafe))

    async def claim(self, name: str, held_as: str) -> bool:
        """Rename in one step on the server; the second of two claimers finds nothing to rename."""
        import asyncssh

        source, held = self._path(name), self._path(held_as)
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

    async def facts(self, held_as: str) -> Listed:
        """Ask the server; a link is not followed."""
        path = self._path(held_as)
        async with self._step("look at", path):
            return _listed(posixpath.basename(path), await self._sftp.lstat(path))

    async def open(self, held_as: str) -> AsyncIterator[bytes]:
        """Read with several requests in flight, in order; a server that stops answering is cut off."""
        path = self._path(held_as)
        import asyncssh

        with self._errors("read", path):
            size = (await self.facts(held_as)).size
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

    async def set_aside(self, held_as: str, target: str, *, if_taken: str) -> str:
        """Move with the plain rename, which SFTP servers refuse when the target exists."""
        import asyncssh

        held = self._path(held_as)
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
        raise FileVanished(f"{held_as} is gone from {self._login.place}", do="somebody else moved it")

    def _path(self, relative: str) -> str:
        return posixpath.join(self._root, relative)

    async def _folder(self, path: str) -> None:
        folder = posixpath.dirname(path)
        if folder not in self._folders:
            await self._sftp.makedirs(folder, exist_ok=True)
            self._folders.add(folder)

    def _key(self) -> "asyncssh.SSHKey":
        import asyncssh

        try:
            return asyncssh.import_private_key(self._login.private_key or "", self._login.passphrase)
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
            raise ConfigError(f"the private key for {self._login.place} cannot be used: {error}") from None

    @contextlib.asynccontextmanager
    async def _step(self, doing: str, path: str) -> AsyncIterator[None]:
        with self._errors(doing, path):
            try:
                async with asyncio.timeout(self._login.step_timeout):
                    yield
            except TimeoutError:
                self._connection.abort()
                raise

    @contextlib.contextmanager
    def _errors(self, doing: str, path: str = "") -> Iterator[None]:
        """Turn asyncssh's errors into ours, with the server and the path."""
        import asyncssh

        what = f"cannot {doing}{f' {path}' if path else ''} at {self._login.place}"
        try:
            yield
        except SourceError:
            raise
        except asyncssh.HostKeyNotVerifiable as error:
            advice = "ask the partner for the key's fingerprint, then add it to the feed's known_hosts"
            raise HostKeyRefused(f"{what}: {error.reason}", do=advice) from error
        except asyncssh.PermissionDenied as error:
            advice = "check user name, password or key"
            raise LoginRefused(f"{what}: login refused ({error.reason})", do=advice) from error
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath) as error:
            raise FileVanished(f"{what}: no such file or folder") from error
        except asyncssh.SFTPPermissionDenied as error:
            raise SourceDenied(f"{what}: permission denied", do="ask the partner for the right") from error
        except asyncssh.SFTPError as error:
            raise SourceDenied(f"{what}: {error.reason}") from error
        except TimeoutError as error:
            raise SourceUnreachable(f"{what}: no answer in time") from error
        except (OSError, asyncssh.Error) as error:
            raise SourceUnreachable(f"{what}: {error}") from error


def _listed(name: str, attrs: Any) -> Listed:
    return Listed(name=name, size=attrs.size or 0, mtime=datetime.fromtimestamp(int(attrs.mtime or 0), UTC))
