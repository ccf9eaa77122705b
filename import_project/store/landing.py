"""The raw bytes of every file, written once under their sha256 and never changed. What they mean is not known here."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from import_project.errors import FileChanged, StoreDamaged
from import_project.records.files import Landed
from import_project.store.disk import disk_errors, part_file, settle, sweep
from import_project.store.objects import Objects

_TAKEN_AT_ONCE = 1 << 20


class Landing:
    """A folder of files, two hex digits a sub-folder; a cache of `objects`, where there are any."""

    def __init__(self, root: Path, objects: Objects | None = None) -> None:
        self.root = root
        self._objects = objects

    def path(self, sha256: str) -> Path:
        """Where the bytes with this sha256 are, or would be."""
        return self.root / sha256[:2] / sha256

    async def receive(self, chunks: AsyncIterator[bytes], *, expected_size: int | None) -> Landed:
        """Write a stream to disk, hashing on the way, and keep it under its sha256.

        Raises FileChanged when the stream is not `expected_size` bytes long, where that is known; StoreFull when the
        disk refuses.
        """
        writing: asyncio.Future[Any] | None = None
        with disk_errors(f"write to landing {self.root}"), part_file(self.root) as path:
            part, loop, last = _Part(path), asyncio.get_running_loop(), list[bytes]()
            try:
                async for some in _gathered(chunks):
                    if last:
                        if writing is not None:
                            await asyncio.shield(writing)
                        writing = loop.run_in_executor(None, part.write, last)
                    last = some
                if writing is not None:
                    await asyncio.shield(writing)
                ended = loop.run_in_executor(None, part.end, last, expected_size, self._keep)
                writing = ended
                return await asyncio.shield(ended)
            finally:
                if writing is not None:
                    await asyncio.wait([writing])  # a thread cannot be cancelled: it must not write into what is gone
                part.close()

    def workshop(self) -> Path:
        """Return a folder for temporary files, on the same disk."""
        folder = self.root / ".workshop"
        with disk_errors(f"write to landing {self.root}"):
            folder.mkdir(parents=True, exist_ok=True)
            sweep(folder, "*")
        return folder

    async def take(self, path: Path) -> Landed:
        """Keep the bytes of a file in the workshop, which is gone afterwards. Raises StoreFull."""
        return await asyncio.to_thread(self._take, path)

    def _take(self, path: Path) -> Landed:
        with disk_errors(f"write to landing {self.root}"):
            with path.open("rb") as content:
                sha256 = hashlib.file_digest(content, "sha256").hexdigest()
            size = path.stat().st_size
            self._keep(path, sha256)
        return Landed(sha256=sha256, size=size)

    def _keep(self, part: Path, sha256: str) -> None:
        target = self.path(sha256)
        settle(part, target)
        if self._objects is not None:
            self._objects.put(target, _key(sha256), changes=False)

    def head(self, sha256: str, size: int) -> bytes:
        """Return the first bytes, at most `size` of them, unproved. Raises StoreDamaged when they are gone."""
        with disk_errors(f"read from landing {self.root}"), self.existing(sha256).open("rb") as content:
            return content.read(size)

    def existing(self, sha256: str) -> Path:
        """Return the path of the bytes, unproved. Raises StoreDamaged when they are gone."""
        path = self.path(sha256)
        if not self.has(sha256):
            raise StoreDamaged(f"landing has no file {sha256}", do="restore it from a backup")
        return path

    def proved(self, sha256: str) -> Path:
        """Return the path of the bytes, proved. Raises StoreDamaged when they are gone or no longer what their name
        says."""
        path = self.existing(sha256)
        with disk_errors(f"read from landing {self.root}"), path.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
        if found != sha256:
            raise StoreDamaged(f"the bytes of {sha256} in landing have changed", do="restore them from a backup")
        return path

    def older(self, than: datetime) -> Iterator[str]:
        """Yield the files that were written before a moment."""
        with disk_errors(f"look through landing {self.root}"):
            for path in self.root.glob("[0-9a-f][0-9a-f]/*"):
                with suppress(FileNotFoundError):  # another has let it go in between
                    if path.stat().st_mtime < than.timestamp():
                        yield path.name
        if self._objects is not None:
            for key, at in self._objects.all("landing"):
                sha256 = key.rpartition("/")[2]
                if at < than and not self.path(sha256).is_file():
                    yield sha256

    def remove(self, sha256: str, older: datetime) -> bool:
        """Delete a file, unless its bytes came again since a moment. Returns whether it did; two may do so at once."""
        if self._objects is not None:
            at = self._objects.modified(_key(sha256))
            if at is not None and at >= older:
                return False
            self._objects.remove(_key(sha256))
            if at is not None and not self.path(sha256).exists():
                return True
        path = self.path(sha256)
        gone = self.workshop() / f"retired-{uuid4().hex}"
        with disk_errors(f"remove from landing {self.root}"), suppress(FileNotFoundError):
            path.replace(gone)  # first out of the way: bytes that come now are written anew
            if gone.stat().st_mtime >= older.timestamp() and not path.exists():
                gone.replace(path)
                return False
            gone.unlink()
            return True
        return False

    def has(self, sha256: str) -> bool:
        """Whether the bytes are here; those that another machine received are brought."""
        path = self.path(sha256)
        return path.is_file() or (self._objects is not None and self._objects.bring(_key(sha256), path, changes=False))

    def read(self, sha256: str) -> bytes:
        """Return the bytes. Raises StoreDamaged when they are gone or no longer what their name says."""
        path = self.existing(sha256)
        with disk_errors(f"read from landing {self.root}"):
            content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise StoreDamaged(f"the bytes of {sha256} in landing have changed", do="restore them from a backup")
        return content


def _key(sha256: str) -> str:
    return f"landing/{sha256[:2]}/{sha256}"


class _Part:
    """A file in the making, hashed on the way. `write` and `end` run in threads, one after the other."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hashed = hashlib.sha256()
        self._size = 0
        self._out: IO[bytes] | None = None

    def write(self, chunks: list[bytes]) -> None:
        if self._out is None:
            self._out = self._path.open("wb")
        for chunk in chunks:
            self._hashed.update(chunk)
            self._size += self._out.write(chunk)

    def end(self, last: list[bytes], expected_size: int | None, keep: Callable[[Path, str], None]) -> Landed:
        self.write(last)
        self.close()
        if expected_size is not None and self._size != expected_size:
            raise FileChanged(f"{self._size} bytes came where {expected_size} were listed")
        sha256 = self._hashed.hexdigest()
        keep(self._path, sha256)
        return Landed(sha256=sha256, size=self._size)

    def close(self) -> None:
        if self._out is not None:
            self._out.close()


async def _gathered(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """Give the stream in lists of about 1 MiB: what a thread takes at a time."""
    some: list[bytes] = []
    size = 0
    async for chunk in chunks:
        some.append(chunk)
        size += len(chunk)
        if size >= _TAKEN_AT_ONCE:
            yield some
            some, size = [], 0
    if some:
        yield some
