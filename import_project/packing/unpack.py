"""Peels a landed file's layers, whatever they are, down to plain files. How a layer is read is its module's matter."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from import_project.errors import NotAllowed, NotRecognised
from import_project.packing.caps import Caps, Entry, Meter
from import_project.packing.kinds import HEAD, kind_of
from import_project.packing.names import LONGEST, own_name, shown
from import_project.packing.pgp import decrypt
from import_project.packing.streams import gz, zst
from import_project.packing.tar_members import tar_entries
from import_project.packing.zip_members import zip_entries

_PLAIN_ONLY = "ask the sender to pack plain files only, each once"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A plain file that came out: its own name, or None when it is the landed file itself, and where it is now.

    A member of an archive inside an archive is called `inner.zip!a.csv`.
    """

    name: str | None
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """All that came out, in the archive's order, and the names of the members that were not wanted."""

    members: tuple[Member, ...]
    skipped: tuple[str, ...] = ()


def unpack(
    path: Path,
    into: Path,
    *,
    caps: Caps,
    wanted: Callable[[str], bool] = lambda _name: True,
    private_key: str | None = None,
    passphrase: str | None = None,
) -> Unpacked:
    """Unpack the file at `path` into the empty folder `into`, under running numbers, until nothing packed is left.

    A file that is not packed is its own only member, and stays where it is. `wanted` is asked for each member's name
    without folders, also for archives inside archives: one that is not wanted is not looked into.
    After an error the folder holds leftovers. Errors of the disk come as OSError.
    Raises NotAllowed for what the rules forbid (caps, links, unsafe or equal names, nothing wanted), NotRecognised for
    an archive without files or of a method we do not know, Unreadable for what is broken, cut off or changed, and
    ConfigError for a PGP message that no key or library of ours can open.
    """
    meter = Meter(caps=caps, packed=path.stat().st_size)
    peeling = _Peeling(into=into, meter=meter, wanted=wanted, private_key=private_key, passphrase=passphrase)
    peeling.peel(path, name=None, depth=0)
    if not peeling.members:
        raise NotAllowed(
            f"none of the {len(peeling.skipped)} members is wanted, such as {shown(peeling.skipped[0])}",
            do="check the feed's pattern for members",
        )
    return Unpacked(members=tuple(peeling.members), skipped=tuple(peeling.skipped))


@dataclass(slots=True, kw_only=True)
class _Peeling:
    """One landed file being unpacked."""

    into: Path
    meter: Meter
    wanted: Callable[[str], bool]
    private_key: str | None = field(repr=False)
    passphrase: str | None = field(repr=False)
    members: list[Member] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    files: int = 0

    def peel(self, path: Path, *, name: str | None, depth: int) -> None:
        """Take one layer off the file at `path`, and go on with what comes out; a plain file is a member."""
        with path.open("rb") as packed:
            kind = kind_of(packed.read(HEAD))
        if kind is None:
            self.members.append(Member(name=name, path=path))
            return
        most = self.meter.caps.max_depth
        if depth >= most:
            raise NotAllowed(f"the file is packed more than {most} times", do="ask the sender to pack it once")
        match kind:
            case "zip":
                self._peel_archive(zip_entries(path, self.meter), name=name, depth=depth)
            case "tar":
                self._peel_archive(tar_entries(path, self.meter), name=name, depth=depth)
            case "gz" | "zst" | "pgp":
                self.peel(self._peel_pure(path, kind, depth), name=name, depth=depth + 1)
        if depth:
            path.unlink()  # ours, and all of it has been unpacked

    def _peel_pure(self, path: Path, kind: Literal["gz", "zst", "pgp"], depth: int) -> Path:
        if kind == "gz":
            return self._write(gz(path), depth)
        if kind == "zst":
            return self._write(zst(path), depth)
        target = self._next_file()
        room = self.meter.room(depth)
        decrypt(path, target, room=room, private_key=self.private_key, passphrase=self.passphrase)
        self.meter.count_bytes(depth, target.stat().st_size)
        return target

    def _peel_archive(self, entries: Iterator[Entry], *, name: str | None, depth: int) -> None:
        outer = "" if name is None else f"{name}!"
        paths: set[str] = set()
        for entry in entries:
            own = own_name(entry.path)
            if entry.path in paths:
                raise NotAllowed(f"two members are called {shown(entry.path)}", do=_PLAIN_ONLY)
            paths.add(entry.path)
            full = outer + own
            if len(full.encode()) > LONGEST:
                raise NotAllowed(f"the member {shown(full)} has a name of more than {LONGEST} bytes", do=_PLAIN_ONLY)
            if not self.wanted(own):
                self.skipped.append(full)
                continue
            if own.startswith("."):
                raise NotAllowed(f"the member {shown(full)} is a hidden file", do=_PLAIN_ONLY)
            if full in self.names:
                raise NotAllowed(f"two members in different folders are called {shown(full)}", do=_PLAIN_ONLY)
            self.names.add(full)
            self.peel(self._write(entry.chunks(), depth), name=full, depth=depth + 1)
        if not paths:
            raise NotRecognised("the archive holds no files", do="ask for the file again")

    def _write(self, chunks: Iterator[bytes], depth: int) -> Path:
        target = self._next_file()
        with target.open("xb") as out:
            for chunk in chunks:
                self.meter.count_bytes(depth, len(chunk))
                out.write(chunk)
        return target

    def _next_file(self) -> Path:
        self.files += 1
        return self.into / str(self.files)
