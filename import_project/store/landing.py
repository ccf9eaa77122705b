"""The raw bytes of every file, written once under their sha256 and never changed. What they mean is not known here."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

from import_project.errors import FileChanged, StoreDamaged
from import_project.records.files import Landed
from import_project.store.disk import disk_errors, part_file, settle


class Landing:
    """A folder of files, two hex digits a sub-folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, sha256: str) -> Path:
        """Where the bytes with this sha256 are, or would be."""
        return self.root / sha256[:2] / sha256

    async def receive(self, chunks: AsyncIterator[bytes], *, expected_size: int) -> Landed:
        """Write a stream to disk, hashing on the way, and keep it under its sha256.

        Raises FileChanged when the stream is not `expected_size` bytes long, StoreFull when the disk refuses.
        """
        hashed, size = hashlib.sha256(), 0
        with disk_errors(f"write to landing {self.root}"), part_file(self.root) as part:
            with part.open("wb") as out:
                async for chunk in chunks:
                    size += len(chunk)
                    hashed.update(chunk)
                    out.write(chunk)
            if size != expected_size:
                raise FileChanged(f"{size} bytes came where {expected_size} were listed")
            settle(part, self.path(hashed.hexdigest()))
        return Landed(sha256=hashed.hexdigest(), size=size)

    def workshop(self) -> Path:
        """Return a folder for temporary files, on the same disk."""
        folder = self.root / ".workshop"
        with disk_errors(f"write to landing {self.root}"):
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    async def take(self, path: Path) -> Landed:
        """Keep the bytes of a file in the workshop, which is gone afterwards. Raises StoreFull."""
        return await asyncio.to_thread(self._take, path)

    def _take(self, path: Path) -> Landed:
        with disk_errors(f"write to landing {self.root}"):
            with path.open("rb") as content:
                sha256 = hashlib.file_digest(content, "sha256").hexdigest()
            size = path.stat().st_size
            settle(path, self.path(sha256))
        return Landed(sha256=sha256, size=size)

    def head(self, sha256: str, size: int) -> bytes:
        """Return the first bytes, at most `size` of them, unproved. Raises StoreDamaged when they are gone."""
        with disk_errors(f"read from landing {self.root}"), self._existing(sha256).open("rb") as content:
            return content.read(size)

    def _existing(self, sha256: str) -> Path:
        path = self.path(sha256)
        if not path.is_file():
            raise StoreDamaged(f"landing has no file {sha256}", do="restore it from a backup")
        return path

    def read(self, sha256: str) -> bytes:
        """Return the bytes. Raises StoreDamaged when they are gone or no longer what their name says."""
        path = self._existing(sha256)
        with disk_errors(f"read from landing {self.root}"):
            content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise StoreDamaged(f"the bytes of {sha256} in landing have changed", do="restore them from a backup")
        return content
