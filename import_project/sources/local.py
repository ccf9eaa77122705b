"""Files in a local folder. Stability over polls is the caller's business; here is only what the file system says."""

import asyncio
import contextlib
import os
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from import_project.errors import FileVanished, SourceDenied, SourceUnreachable
from import_project.records.files import Listed
from import_project.sources.base import CHUNK, Listing, printable, safe


class LocalSource:
    """An inbox that is a folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    async def __aenter__(self) -> Self:
        """Check that the folder is there."""
        if not self.root.is_dir():
            raise SourceUnreachable(f"the inbox {self.root} is no folder", do="create it, or mend the feed's path")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open."""

    async def list(self, wanted: Callable[[str], bool]) -> Listing:
        """List; names are filtered before anything is asked about a file."""
        return await asyncio.to_thread(self._list, wanted)

    def _list(self, wanted: Callable[[str], bool]) -> Listing:
        files, unsafe = [], []
        with _local_errors("list", self.root), os.scandir(self.root) as entries:
            for entry in entries:
                if not wanted(entry.name):
                    continue
                if not safe(entry.name):
                    unsafe.append(printable(entry.name))
                    continue
                with contextlib.suppress(FileNotFoundError):
                    found = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(found.st_mode):
                        files.append(_listed(entry.name, found))
        return Listing(files=tuple(files), unsafe=tuple(unsafe))

    async def claim(self, name: str, held_as: str) -> bool:
        """Link, then unlink: unlike rename, a link never replaces what is there."""
        source, held = self.root / name, self.root / held_as
        with _local_errors("claim", source):
            held.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(source, held, follow_symlinks=False)
            except FileNotFoundError:
                return held.exists()
            except FileExistsError:
                # Cut off between link and unlink; a namesake that came since is another file and stays.
                if not source.exists() or not source.samefile(held):
                    return True
            source.unlink(missing_ok=True)
        return True

    async def facts(self, held_as: str) -> Listed:
        """Ask the file system."""
        with _local_errors("look at", self.root / held_as):
            return _listed(Path(held_as).name, os.lstat(self.root / held_as))

    async def open(self, held_as: str) -> AsyncIterator[bytes]:
        """Read in chunks of 1 MiB, in a thread; a link in the file's place is refused."""
        path = self.root / held_as
        with _local_errors("read", path):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                while chunk := await asyncio.to_thread(os.read, descriptor, CHUNK):
                    yield chunk
            finally:
                os.close(descriptor)

    async def set_aside(self, held_as: str, target: str, *, if_taken: str) -> str:
        """Move by link and unlink, so that nothing is overwritten."""
        held = self.root / held_as
        with _local_errors("set aside", held):
            for place in (target, if_taken):
                path = self.root / place
                path.parent.mkdir(parents=True, exist_ok=True)
                try:
                    os.link(held, path, follow_symlinks=False)
                except FileExistsError:
                    if not held.exists() or not held.samefile(path):
                        continue
                except FileNotFoundError:
                    continue
                held.unlink()
                return place
            if held.exists():
                raise SourceDenied(f"{target} and {if_taken} exist already", do="make room for one of them")
            for place in (if_taken, target):
                if (self.root / place).exists():
                    return place
        raise FileVanished(f"{held_as} is gone from {self.root}", do="somebody else moved it; look for it there")


def _listed(name: str, found: os.stat_result) -> Listed:
    return Listed(name=name, size=found.st_size, mtime=datetime.fromtimestamp(int(found.st_mtime), UTC))


@contextlib.contextmanager
def _local_errors(doing: str, path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise FileVanished(f"cannot {doing} {path}: it is gone") from error
    except PermissionError as error:
        raise SourceDenied(f"cannot {doing} {path}: no permission", do="give this user the right") from error
    except OSError as error:
        raise SourceUnreachable(f"cannot {doing} {path}: {error.strerror or error}") from error
