"""Which kind of packed file a content is, by its first bytes. Nothing is unpacked, and no file name is looked at."""

import tarfile
from typing import Literal

from import_project.packing.pgp_packets import is_message

Kind = Literal["gz", "zst", "zip", "tar", "pgp"]

HEAD = 512
#: How packed files are usually called.
PACKED_SUFFIXES = (".gz", ".zst", ".zip", ".tar", ".tgz", ".pgp", ".gpg", ".asc")

# The second zip mark is an archive without members, the third one that was split into volumes.
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_SKIPPABLE = tuple(bytes((first, 0x2A, 0x4D, 0x18)) for first in range(0x50, 0x60))


def kind_of(head: bytes) -> Kind | None:
    """Return how a content that starts with `head` (at least 512 bytes where it has them) is packed, or None.

    gz by RFC 1952's magic and method, zst by RFC 8878's frames, also skippable ones, zip by APPNOTE.TXT's signatures,
    tar by POSIX.1's "ustar" and a header checksum that fits, pgp by RFC 9580's armor or first packet. Office files
    (xlsx, ods, docx) are zips too: whoever wants them as they are must not unpack them.
    """
    if head.startswith(b"\x1f\x8b\x08"):
        return "gz"
    if head.startswith((b"\x28\xb5\x2f\xfd", *_SKIPPABLE)):
        return "zst"
    if head.startswith(_ZIP):
        return "zip"
    if head[257:262] == b"ustar" and _is_tar_header(head[: tarfile.BLOCKSIZE]):
        return "tar"
    return "pgp" if is_message(head) else None


def _is_tar_header(block: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True
