"""Files in a bucket: S3, Google Cloud Storage, Azure Blob. Here is how to claim and move where no store can rename.

A claim is a small object in the folder of held files, created only where there is none; the file stays where it lies
and is read in the version (ETag) that was claimed. A move is a copy, noted in the claim before and after, then the
deletion of that version. So each step can be repeated after a crash. The steps themselves are in `object_bucket`.
"""

import asyncio
import hashlib
import json
import posixpath
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from types import TracebackType
from typing import Self
from uuid import uuid4

from import_project.errors import FileVanished, SourceDenied
from import_project.records.files import Listed, Staged
from import_project.sources.base import Claimed, Listing, printable, safe
from import_project.sources.object_bucket import Bucket
from import_project.sources.object_login import ObjectPlace

_AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """What a claim's object says: the file's facts, who holds it, where it is being moved, and whether it is there."""

    name: str
    version: str
    size: int
    mtime: str
    held_as: str
    to: str | None = None
    moved: bool = False

    def written(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    def noted(self, places: tuple[str, str]) -> "_Claim":
        """Return the claim without a place that is none of these. One below the inbox may be of an earlier day; one
        from the bucket's root may be a stranger's, and lead into another inbox. Raises SourceDenied if it is moved."""
        if self.to is None or self.to in places or not self.to.startswith("/"):
            return self
        if self.moved:
            raise SourceDenied(f"the claim of {self.name} says that it is at {printable(self.to)}", do="look at it")
        return replace(self, to=None)


class ObjectStoreSource:
    """An inbox that is a prefix of a bucket. `folder` is where claims lie, below the prefix; they hide their files.

    `bucket` takes the steps; it is made from `place` where none is given.
    """

    def __init__(self, place: ObjectPlace, folder: str = ".processing", *, bucket: Bucket | None = None) -> None:
        self._place = place
        self._folder = folder
        self._bucket = bucket or Bucket(place)

    async def __aenter__(self) -> Self:
        """Make the clients; what is wrong with bucket or login, the first step says."""
        await self._bucket.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the clients."""
        await self._bucket.__aexit__(kind, error, trace)

    async def list(self, wanted: Callable[[str], bool]) -> Listing:
        """List, without what is claimed. A missing bucket is an error, never an empty inbox.

        One object whose key no path can have (control characters, an empty part) makes the library refuse the whole
        listing: SourceDenied.
        """
        # Claims first: a file moved in between is then gone, and not shown as unclaimed.
        claims = {c.name for c in await self._bucket.list(self._place.key(self._folder))}
        files, unsafe = [], []
        for file in await self._bucket.list(self._place.key("")):
            if not wanted(file.name):
                continue
            if not safe(file.name):
                unsafe.append(printable(file.name))
            elif self._claim_name(file.name, file.version) not in claims:
                files.append(file)
        return Listing(files=tuple(files), unsafe=tuple(unsafe))

    async def held(self, folder: str) -> tuple[Claimed, ...]:
        """Read this inbox's claims in a folder. Raises SourceDenied for one that says nothing, rather than lose it."""
        slots = asyncio.Semaphore(_AT_ONCE)

        async def read(name: str) -> _Claim | None:
            async with slots:
                return await self._read(self._place.key(posixpath.join(folder, name)), others=True)

        names = [o.name for o in await self._bucket.list(self._place.key(folder)) if o.name.endswith(".claim")]
        found = await asyncio.gather(*map(read, names))
        return tuple(Claimed(held_as=c.held_as, file=_file(c)) for c in found if c is not None)

    async def being_written(self, name: str) -> bool:
        """Report nothing: an object is there whole or not at all."""
        return False

    async def claim(self, file: Staged) -> bool:
        """Create the claim, which one of many can, then look whether the file is still the one that was seen."""
        version = _version(file)
        found = await self._bucket.head(self._place.key(file.name))
        if found is not None and found.version == version:
            claim = _claim(file, found)
            if not await self._bucket.write(self._claim_key(file), claim.written(), new=True):
                there = await self._read(self._claim_key(file))
                if there is None or there.held_as != file.held_as:
                    return False
            found = await self._bucket.head(self._place.key(file.name))
            if found is not None and found.version == version:
                return True
        await self._let_go(file)
        return False

    async def facts(self, file: Staged) -> Listed:
        """Ask the store; an object with another ETag is another file."""
        found = await self._bucket.head(self._place.key(file.name))
        if found is None or found.version != _version(file):
            await self._let_go(file)
            raise self._vanished(file)
        return found

    async def open(self, file: Staged, size: int) -> AsyncIterator[bytes]:
        """Read in chunks of about 1 MiB, by If-Match: never bytes of another version."""
        try:
            async for chunk in self._bucket.stream(self._place.key(file.name), _version(file)):
                yield chunk[:size]
                size -= len(chunk)
                if size <= 0:
                    return
        except FileVanished:
            await self._let_go(file)
            raise

    async def set_aside(self, file: Staged, target: str, *, if_taken: str) -> str:
        """Copy to a place where nothing is, then delete that version here; what the sender puts meanwhile stays.

        A copy made just before the sender replaced the file, and not yet looked at when we were cut off, stays there.
        """
        try:
            return await self._set_aside(file, target, if_taken)
        except FileVanished:
            await self._let_go(file)
            raise

    async def _set_aside(self, file: Staged, target: str, if_taken: str) -> str:
        key, version = self._place.key(file.name), _version(file)
        # The file first: what another try of ours has done to it by now, the claim then says.
        found = await self._bucket.head(key)
        claim = await self._read(self._claim_key(file))
        if claim is not None and claim.held_as != file.held_as:
            raise self._vanished(file)
        claim = claim and claim.noted((target, if_taken))
        if claim is None or not claim.moved:
            if found is None or found.version != version:
                return await self._moved_before(file, claim, target, if_taken)
            claim = await self._copied(file, claim or _claim(file, found), (target, if_taken))
        await self._bucket.remove(key, version)
        await self._bucket.remove(self._claim_key(file))
        return claim.to or target

    async def _moved_before(self, file: Staged, claim: _Claim | None, target: str, if_taken: str) -> str:
        """Say where an earlier try has moved the file to, which ends with the removal of the claim."""
        for place in (if_taken, target) if claim is None else ():
            if await self._bucket.head(self._place.key(place)) is not None:
                return place
        raise self._vanished(file)

    async def _copied(self, file: Staged, claim: _Claim, places: tuple[str, str]) -> _Claim:
        """Copy to the noted place, or to the first free one, and note that it is there."""
        for place in dict.fromkeys((claim.to or places[0], *places)):
            if place != claim.to:
                if await self._bucket.head(self._place.key(place)) is not None:
                    continue
                claim = replace(claim, to=place)
                await self._bucket.write(self._claim_key(file), claim.written(), new=False)
            if await self._copy(file, claim, self._place.key(place)):
                claim = replace(claim, moved=True)
                await self._bucket.write(self._claim_key(file), claim.written(), new=False)
                return claim
        raise SourceDenied(f"{' and '.join(places)} exist already", do="make room for one of them")

    async def _copy(self, file: Staged, claim: _Claim, to: str) -> bool:
        """Copy and look at both ends; False where another object is in the place. Raises FileVanished."""
        key = self._place.key(file.name)
        # S3 makes no copy of nothing in parts, so an empty file is written.
        made = await (self._bucket.copy(key, to) if claim.size else self._bucket.write(to, b"", new=True))
        if not made:  # by an earlier try that was cut off, or by a stranger just now
            return await self._digest(to, None) == await self._digest(key, claim.version)
        copy, left = await self._bucket.head(to), await self._bucket.head(key)
        if copy is not None and copy.size == claim.size and (left is None or left.version == claim.version):
            return True
        # Replaced while we copied: the copy may be of the newer bytes. Unless another try of ours has ended its move
        # before, in which case its note stands or its claim is gone.
        there = await self._read(self._claim_key(file))
        if copy is not None and there is not None and not there.moved:
            await self._bucket.remove(to, copy.version)
        raise self._vanished(file)

    async def _digest(self, key: str, version: str | None) -> bytes:
        if version is None:
            found = await self._bucket.head(key)
            version = (found.version if found else None) or ""
        digest = hashlib.sha256()
        async for chunk in self._bucket.stream(key, version):
            digest.update(chunk)
        return digest.digest()

    async def try_out(self, folder: str) -> None:
        """Create, copy and remove an object."""
        probe = self._place.key(f"{folder}/import-project-{uuid4().hex}.probe")
        await self._bucket.write(probe, b"probe", new=True)
        await self._bucket.copy(probe, f"{probe}.moved")
        for key in (probe, f"{probe}.moved"):
            found = await self._bucket.head(key)
            await self._bucket.remove(key, found.version if found else None)

    async def _let_go(self, file: Staged) -> None:
        """Remove our claim on a file that is gone or replaced: it would hide the same bytes, should they come again."""
        there = await self._read(self._claim_key(file))
        if there is not None and there.held_as == file.held_as:
            await self._bucket.remove(self._claim_key(file))

    def _claim_name(self, name: str, version: str | None) -> str:
        return hashlib.sha256(f"{self._place.key(name)}\n{version}".encode()).hexdigest()[:20] + ".claim"

    def _claim_key(self, file: Staged) -> str:
        folder = posixpath.dirname(file.held_as) or self._folder
        return self._place.key(posixpath.join(folder, self._claim_name(file.name, file.version)))

    async def _read(self, key: str, *, others: bool = False) -> _Claim | None:
        """Read a claim; whoever may write below the prefix can have changed it. With `others`, one of another inbox in
        the same folder is None. Raises SourceDenied for one that we cannot have written."""
        written = await self._bucket.read(key)
        if written is None:
            return None
        try:
            claim = _Claim(**json.loads(written))
            ours = posixpath.basename(key) == self._claim_name(claim.name, claim.version)
            sound = (
                ours and _sound(claim) and posixpath.dirname(self._place.key(claim.held_as)) == posixpath.dirname(key)
            )
        except (ValueError, TypeError, AttributeError):
            ours = sound = False
            others = False
        if others and not ours:
            return None
        if not sound:
            advice = "remove it; its file is then listed again"
            raise SourceDenied(f"the claim {printable(key)} in {self._place.name} is not what we wrote", do=advice)
        return claim

    def _vanished(self, file: Staged) -> FileVanished:
        what = f"{self._place.key(file.name)} is gone from {self._place.name} or was replaced"
        return FileVanished(what, do="somebody else moved it, or the sender has put a newer file in its place")


def _sound(claim: _Claim) -> bool:
    """Whether a claim leads nowhere but to a file of the inbox, its own folder, and a place to set it aside."""
    folder, _, held = claim.held_as.rpartition("/")
    leads = [*folder.split("/"), *(claim.to or "").split("/")]
    times = datetime.fromisoformat(claim.mtime).tzinfo is not None
    sized = type(claim.version) is str and type(claim.size) is int and 0 <= claim.size < 1 << 62
    return safe(claim.name) and safe(held) and ".." not in leads and sized and times


def _version(file: Staged) -> str:
    if file.version is None:
        raise SourceDenied(f"{file.name} has no ETag, so it cannot be held", do="list the inbox again")
    return file.version


def _claim(file: Staged, found: Listed) -> _Claim:
    return _Claim(
        name=file.name,
        version=_version(file),
        size=found.size,
        mtime=found.mtime.isoformat(),
        held_as=file.held_as,
    )


def _file(claim: _Claim) -> Listed:
    return Listed(name=claim.name, size=claim.size, mtime=datetime.fromisoformat(claim.mtime), version=claim.version)
