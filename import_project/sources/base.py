"""The one interface of all sources, and which names are safe. No protocol of its own."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol, Self

from import_project.records.files import Listed, Staged

CHUNK = 1 << 20
_LAST_SECOND = 253_402_300_799  # of the year 9999


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What an inbox holds: regular files, and the wanted names that are not safe to use, in a printable form: links,
    pipes, sockets and devices, where the source can tell them from folders, and files whose names lead elsewhere."""

    files: tuple[Listed, ...]
    unsafe: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A claimed file at the sender: the path it is held under, and its facts under its name in the inbox or, where that
    is not known any more, under its held name."""

    held_as: str
    file: Listed


class Source(Protocol):
    """An inbox. Paths are relative to its root, or absolute; a connection lives as long as the context.

    Every method raises SourceUnreachable when the connection fails, SourceDenied when the server forbids the step.
    """

    async def __aenter__(self) -> Self:
        """Connect. Also raises LoginRefused and HostKeyRefused."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""

    async def list(self, wanted: Callable[[str], bool]) -> Listing:
        """List the regular files directly in the root whose name is wanted. Links are not followed."""

    async def held(self, folder: str) -> tuple[Claimed, ...]:
        """Return all files that stand claimed in `folder`, by whom ever; none when there is no such folder."""

    async def being_written(self, name: str) -> bool:
        """Whether a writer holds the file open, as far as the source can tell; False where it cannot."""

    async def claim(self, file: Staged) -> bool:
        """Hold `file.name` as `file.held_as`, in one step, so that one of many claimers has it.

        True when it is held now, also by an earlier try; False when it is gone, replaced, or held by another claimer.
        """

    async def facts(self, file: Staged) -> Listed:
        """Return size, mtime and version of a held file. Raises FileVanished when it is gone or was replaced."""

    def open(self, file: Staged, size: int) -> AsyncIterator[bytes]:
        """Stream a held file's first `size` bytes in order; fewer where it is shorter. Raises FileVanished."""

    async def set_aside(self, file: Staged, target: str, *, if_taken: str) -> str:
        """Move a held file to `target`, or to `if_taken` where that name exists; never over another file.

        Returns where it is. A file that an earlier try moved already stays there. Raises FileVanished when it is in
        none of the places.
        """

    async def try_out(self, folder: str) -> None:
        """Write a small file of our own into `folder`, rename and remove it: the rights that claiming needs.

        Raises SourceDenied for the first step that is refused.
        """


def moment(seconds: float) -> datetime:
    """Return an mtime as aware UTC, whole seconds; one that no calendar holds is the nearest that one does."""
    if 0 <= seconds <= _LAST_SECOND:  # all of them, mostly: an inbox may hold a hundred thousand
        return datetime.fromtimestamp(int(seconds), UTC)
    return datetime.fromtimestamp(0 if seconds < 0 else _LAST_SECOND, UTC)


def safe(name: str) -> bool:
    """Whether a name from outside may be used: printable, no path, not hidden, at most 255 bytes."""
    if not name or name.startswith(".") or "/" in name or "\\" in name or not name.isprintable():
        return False
    return len(name.encode("utf-8", "surrogateescape")) <= 255


def printable(name: str) -> str:
    """Return an unsafe name in a form that can be shown."""
    return name.encode("utf-8", "backslashreplace").decode().encode("unicode_escape").decode()[:300]
