"""A landed file that is compressed, packed or encrypted: its content, landed too; or the files in it, each an arrival
of its own. How it is unpacked is `packing`'s."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from import_project.config.files import Unpack
from import_project.config.patterns import matcher
from import_project.packing.caps import Caps
from import_project.packing.kinds import HEAD, kind_of
from import_project.packing.unpack import unpack
from import_project.pipeline.compare import partition_key
from import_project.pipeline.hold import Held
from import_project.records.files import Landed, Listed


async def unpacked(held: Held, landed: Landed) -> Landed | None:
    """Return the content of a landed file; the file itself where it is not packed. None: it held files of its own.

    Those are recorded then, landed and due. Raises NotRecognised and Unreadable for what cannot be unpacked, or not
    within the feed's caps.
    """
    asked = held.loaded.feed.files.unpack
    if asked is None or kind_of(held.parts.landing.head(landed.sha256, HEAD)) is None:
        return landed
    with TemporaryDirectory(dir=held.parts.landing.workshop()) as folder:
        found = await asyncio.to_thread(_unpack, held, asked, landed.sha256, Path(folder))
        content = [(name, await held.parts.landing.take(path)) for name, path in found]
    if len(content) == 1 and content[0][0] is None:
        return content[0][1]
    arrival, now = held.arrival, held.parts.clock()
    members = []
    for name, member in content:
        file = Listed(name=f"{arrival.name}!{name}", size=member.size, mtime=arrival.mtime)
        members.append((file, partition_key(file, arrival.first_seen_at), member))
    held.parts.ledger.arrivals.unpacked(held.claim, landed, members, now)
    return None


def _unpack(held: Held, asked: Unpack, sha256: str, folder: Path) -> list[tuple[str | None, Path]]:
    caps = Caps(
        max_bytes=asked.max_bytes, max_ratio=asked.max_ratio, max_members=asked.max_members, max_depth=asked.max_depth
    )
    found = unpack(
        held.parts.landing.path(sha256),
        folder,
        caps=caps,
        wanted=matcher(glob=asked.members),
        private_key=held.parts.reveal(asked.pgp_key),
        passphrase=held.parts.reveal(asked.pgp_passphrase),
    )
    return [(member.name, member.path) for member in found.members]
