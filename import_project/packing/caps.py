"""How much one file may unpack to, and the meter that is read while it does. What is unpacked is not known here.

Declared sizes are never believed: every chunk that comes out is counted before it is written.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from import_project.errors import NotAllowed

CHUNK = 1 << 20
RATIO_FROM = 10 << 20

_DO = "if the sender is right to send this, raise the feed's cap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Limits for one landed file: bytes written by all layers together; at any one depth, bytes for each landed byte,
    looked at from 10 MiB on; archive entries of all archives together; and layers inside each other."""

    max_bytes: int = 4 << 30
    max_ratio: int = 200
    max_members: int = 1000
    max_depth: int = 3


@dataclass(slots=True, kw_only=True)
class Meter:
    """What one landed file of `packed` bytes has used of its caps."""

    caps: Caps
    packed: int
    entries: int = 0
    written: Counter[int] = field(default_factory=Counter)

    def count_entry(self) -> None:
        """Count an archive's entry, whether it is wanted or not. Raises NotAllowed over the cap."""
        self.entries += 1
        if self.entries > self.caps.max_members:
            raise NotAllowed(f"the file holds more than {self.caps.max_members} members", do=_DO)

    def count_bytes(self, depth: int, size: int) -> None:
        """Count bytes that come out at `depth` (0 is the landed file's own layer). Raises NotAllowed over a cap."""
        self.written[depth] += size
        if self.written.total() > self.caps.max_bytes:
            raise NotAllowed(f"the file unpacks to more than {self.caps.max_bytes} bytes", do=_DO)
        if self.written[depth] > self._most_by_ratio:
            raise NotAllowed(f"the file unpacks to more than {self.caps.max_ratio} times its size", do=_DO)

    def room(self, depth: int) -> int:
        """How many bytes may still come out at `depth`."""
        return min(self.caps.max_bytes - self.written.total(), self._most_by_ratio - self.written[depth])

    @property
    def _most_by_ratio(self) -> int:
        return max(RATIO_FROM, self.caps.max_ratio * self.packed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A regular file in an archive: its path there, unchecked, and its content in chunks of at most 1 MiB."""

    path: str
    chunks: Callable[[], Iterator[bytes]]
