"""A landed file that is compressed, packed or encrypted: its content, landed too; or the files in it, each an arrival
of its own. How it is unpacked is `packing`'s."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from import_project.config.files import Unpack
from import_project.config.patterns import matcher
from import_project.packing.caps import Caps
from import_project.packing.kinds import HEAD, kind_of
from import_project.packing.unpack import Unpacked, unpack
from import_project.pipeline.compare import partition_key
from import_project.pipeline.hold import Held
from import_project.records.files import Landed, Listed
from import_project.store.disk import disk_errors


def is_packed(held: Held, landed: Landed) -> bool:
    """Whether a landed file is to be unpacked: it is packed, and the feed says so of its files."""
    asked = held.loaded.feed.files.unpack
    return asked is not None and kind_of(held.parts.landing.head(landed.sha256, HEAD)) is not None


async def unpacked(held: Held, landed: Landed) -> Landed | tuple[str, ...]:
    """Return the content of a packed file.

    Of an archive, the files are recorded, landed and due, and the names of members that were not wanted returned.
    Raises NotAllowed for what is beyond the feed's caps and rules, Unreadable for what is broken.
    """
    asked = held.loaded.feed.files.unpack or Unpack()
    with TemporaryDirectory(dir=held.parts.landing.workshop()) as folder:
        found = await asyncio.to_thread(_unpack, held, asked, landed.sha256, Path(folder))
        content = [(member.name, await held.parts.landing.take(member.path)) for member in found.members]
    if len(content) == 1 and content[0][0] is None:
        return content[0][1]
    arrival, now = held.arrival, held.parts.clock()
    members = []
    for name, member in content:
        file = Listed(name=f"{arrival.name}!{name}", size=member.size, mtime=arrival.mtime)
        members.append((file, partition_key(file, arrival.first_seen_at), member))
    held.parts.ledger.arrivals.unpacked(held.claim, members, now)
    return found.skipped


def _unpack(held: Held, asked: Unpack, sha256: str, folder: Path) -> Unpacked:
    caps = Caps(
        max_bytes=asked.max_bytes, max_ratio=asked.max_ratio, max_members=asked.max_members, max_depth=asked.max_depth
    )
    with disk_errors(f"unpack into landing {held.parts.landing.root}"):
        return unpack(
            held.parts.landing.existing(sha256),
            folder,
            caps=caps,
            wanted=matcher(glob=asked.members),
            private_key=held.parts.reveal(asked.pgp_key),
            passphrase=held.parts.reveal(asked.pgp_passphrase),
        )
