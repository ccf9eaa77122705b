"""The one interface of all sources, and which names are safe. No protocol of its own."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from import_project.records.files import Listed

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What an inbox holds: regular files, and the wanted names that are not safe to use, in a printable form."""

    files: tuple[Listed, ...]
    unsafe: tuple[str, ...] = ()


class Source(Protocol):
    """An inbox. Paths are relative to its root; a connection lives as long as the context.

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

    async def claim(self, name: str, held_as: str) -> bool:
        """Rename `name` to `held_as` in one step. True when it is held now, also by an earlier try; False when gone."""

    async def facts(self, held_as: str) -> Listed:
        """Return size and mtime of a held file. Raises FileVanished when it is gone."""

    def open(self, held_as: str) -> AsyncIterator[bytes]:
        """Stream a held file's bytes in order."""

    async def set_aside(self, held_as: str, target: str, *, if_taken: str) -> str:
        """Move a held file to `target`, or to `if_taken` where that name exists; never over another file.

        Returns where it is. A file that an earlier try moved already stays there. Raises FileVanished when it is in
        none of the places.
        """


def safe(name: str) -> bool:
    """Whether a name from outside may be used: printable, no path, not hidden, at most 255 bytes."""
    if not name or name.startswith(".") or "/" in name or "\\" in name or not name.isprintable():
        return False
    return len(name.encode("utf-8", "surrogateescape")) <= 255


def printable(name: str) -> str:
    """Return an unsafe name in a form that can be shown."""
    return name.encode("utf-8", "backslashreplace").decode().encode("unicode_escape").decode()[:300]
