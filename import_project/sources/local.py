"""Files in a local folder. Stability over polls is the caller's business; here is only what the file system says."""

import asyncio
import contextlib
import ctypes
import errno
import fcntl
import filecmp
import os
import shutil
import signal
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from import_project.errors import FileVanished, SourceDenied, SourceUnreachable
from import_project.records.files import Listed, Staged
from import_project.sources.base import CHUNK, Claimed, Listing, moment, printable, safe

_HERE, _NO_REPLACE = -100, 1  # AT_FDCWD and RENAME_NOREPLACE, renameat2(2)


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
                name = entry.name
                if not wanted(name):
                    continue
                if not safe(name):
                    unsafe += [printable(name)] if entry.is_file(follow_symlinks=False) else []
                    continue
                try:
                    found = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISREG(found.st_mode):
                    files.append(_listed(name, found))
                elif not stat.S_ISDIR(found.st_mode):
                    unsafe.append(name)
        return Listing(files=tuple(files), unsafe=tuple(unsafe))

    async def held(self, folder: str) -> tuple[Claimed, ...]:
        """List the folder of held files."""
        if not (self.root / folder).is_dir():
            return ()
        inside = LocalSource(self._inside(folder))
        return tuple(Claimed(held_as=f"{folder}/{f.name}", file=f) for f in (await inside.list(lambda _: True)).files)

    async def being_written(self, name: str) -> bool:
        """Ask the kernel for a read lease, which it refuses while anybody on this machine has the file open to write.

        A file of another user, or a file system without leases, cannot tell.
        """
        try:
            descriptor = os.open(self.root / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return False  # the claim will say what is wrong
        try:
            # A writer that opens it just now breaks the lease by a signal; SIGURG is one that nobody dies of.
            fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except OSError as error:
            return error.errno == errno.EAGAIN
        finally:
            os.close(descriptor)
        return False

    async def claim(self, file: Staged) -> bool:
        """Rename in one step; what is held already is never replaced."""
        source = self.root / file.name
        with _local_errors("claim", source):
            held = self._place(file.held_as)
            try:
                _rename(source, held)
            except FileNotFoundError:
                return held.exists()
            except FileExistsError:
                return True  # an earlier try; a namesake that came since is another file and stays
            except OSError as error:
                if error.errno == errno.EXDEV:
                    do = "keep the processing folder on the inbox's own file system"
                    raise SourceDenied(f"cannot hold {source} as {held}: another file system", do=do) from error
                raise
        return True

    async def facts(self, file: Staged) -> Listed:
        """Ask the file system."""
        with _local_errors("look at", self.root / file.held_as):
            found = os.lstat(self.root / file.held_as)
            if not stat.S_ISREG(found.st_mode):
                raise FileVanished(f"{self.root / file.held_as} is no file any more", do="see who put what there")
            return _listed(file.name, found)

    async def open(self, file: Staged, size: int) -> AsyncIterator[bytes]:
        """Read in chunks of 1 MiB, in a thread; a link or a pipe in the file's place is refused."""
        path = self.root / file.held_as
        with _local_errors("read", path):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise SourceDenied(f"{path} is no regular file", do="remove it")
                while size > 0 and (chunk := await asyncio.to_thread(os.read, descriptor, min(CHUNK, size))):
                    size -= len(chunk)
                    yield chunk
            finally:
                os.close(descriptor)

    async def set_aside(self, file: Staged, target: str, *, if_taken: str) -> str:
        """Rename, never over another file; to another file system by copying."""
        held = self.root / file.held_as
        with _local_errors("set aside", held):
            for place in (target, if_taken):
                path = self._place(place)
                try:
                    _move(held, path)
                except FileExistsError:
                    if not held.exists() or not _same(held, path):
                        continue
                    held.unlink()  # copied by an earlier try
                except FileNotFoundError:
                    continue
                return place
            if held.exists():
                raise SourceDenied(f"{target} and {if_taken} exist already", do="make room for one of them")
            for place in (if_taken, target):
                if (self.root / place).exists():
                    return place
        raise FileVanished(f"{file.held_as} is gone from {self.root}", do="somebody else moved it; look for it there")

    async def try_out(self, folder: str) -> None:
        """Make, rename and remove a file."""
        name = f"import-project-{uuid4().hex}.probe"
        with _local_errors("write into", self.root / folder):
            probe = self._place(f"{folder}/{name}")
            moved = probe.with_suffix(".moved")
            try:
                probe.write_bytes(b"")
                _rename(probe, moved)
            finally:
                for left in (probe, moved):
                    left.unlink(missing_ok=True)

    def _place(self, relative: str) -> Path:
        """Return the path of a held or moved file, its folder made."""
        folder, name = os.path.split(relative)
        return self._inside(folder) / name

    def _inside(self, folder: str) -> Path:
        """Make a folder; one below the inbox must not lead out of it by a link that a sender has put there."""
        path = self.root / folder
        if not Path(folder).is_absolute() and not path.resolve().is_relative_to(self.root.resolve()):
            raise SourceDenied(f"{path} leads out of the inbox", do="remove the link")
        path.mkdir(parents=True, exist_ok=True)
        return path


def _rename(source: Path, target: Path) -> None:
    """Rename in one step, never over another file. Raises FileExistsError.

    A link and an unlink would do on any file system, but not to files of another user where the kernel protects hard
    links, and a sender who replaces the file between the two would lose the new one.
    """
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is not None:
        if renameat2(_HERE, os.fsencode(source), _HERE, os.fsencode(target), _NO_REPLACE) == 0:
            return
        code = ctypes.get_errno()
        if code not in {errno.ENOSYS, errno.EINVAL}:
            raise OSError(code, os.strerror(code), str(source))
    if target.exists():  # a file system that cannot refuse by itself
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    source.rename(target)


def _move(held: Path, path: Path) -> None:
    """Rename, or copy to another file system; `held` is gone only when all of it is at `path`."""
    try:
        _rename(held, path)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        part = path.with_name(f".{uuid4().hex}.part")
        try:
            shutil.copy2(held, part, follow_symlinks=False)
            with part.open("rb") as copied:
                os.fsync(copied.fileno())
            _rename(part, path)
        finally:
            part.unlink(missing_ok=True)
        held.unlink()


def _same(held: Path, path: Path) -> bool:
    """Whether `path` is the whole copy that an earlier try made of `held` on another file system."""
    return held.lstat().st_dev != path.lstat().st_dev and filecmp.cmp(held, path, shallow=False)


def _listed(name: str, found: os.stat_result) -> Listed:
    return Listed(name, found.st_size, moment(found.st_mtime))


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
