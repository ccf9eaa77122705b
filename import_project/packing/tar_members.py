"""The members of a tar archive, POSIX.1 ustar and pax, and GNU's long names. Names are not judged here.

Headers are read one by one, because the standard library reads extended headers of any size into memory and follows
sparse maps. What is neither a regular file nor a folder is refused.
"""

import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from import_project.errors import NotAllowed, Unreadable
from import_project.packing.caps import CHUNK, Entry, Meter
from import_project.packing.names import shown

_BLOCK = tarfile.BLOCKSIZE
_LONG = {tarfile.GNUTYPE_LONGNAME: "path", tarfile.GNUTYPE_LONGLINK: "linkpath"}
_PAX = (tarfile.XHDTYPE, tarfile.XGLTYPE)
_LARGEST_HEADER, _MOST_HEADERS = 1 << 16, 4
_KINDS = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}


def tar_entries(path: Path, meter: Meter) -> Iterator[Entry]:
    """Yield the regular files of an archive in its order; folders are counted and left out.

    Raises Unreadable for an archive that is broken, cut off, or followed by other bytes, and NotAllowed for links,
    devices, sparse files, headers of more than 64 KiB and too many members.
    """
    with path.open("rb") as tar:
        size = path.stat().st_size
        place, extended, headers = 0, dict[str, str](), 0
        while (info := _header(tar, place)) is not None:
            place += _BLOCK
            if info.type in (*_LONG, *_PAX):
                headers += 1
                if headers > _MOST_HEADERS or info.size > _LARGEST_HEADER:
                    raise NotAllowed("the tar archive has unusually large headers", do="ask for a plain ustar one")
                extended |= _extended(info, _content(tar, place, info.size))
            else:
                meter.count_entry()
                name = extended.get("path", info.name)
                info.size = _number(extended["size"]) if "size" in extended else info.size
                extended, headers = {}, 0
                if info.isdir():
                    info.size = 0
                elif info.type not in tarfile.REGULAR_TYPES or info.type == tarfile.GNUTYPE_SPARSE:
                    kind = _KINDS.get(info.type, "of an unknown kind")
                    raise NotAllowed(f"the member {shown(name)} is {kind}", do="ask the sender for plain files only")
                else:
                    _inside(place + info.size, size)
                    yield Entry(path=name, chunks=partial(_content, tar, place, info.size))
            place += -(-info.size // _BLOCK) * _BLOCK
        if headers or any(rest.strip(b"\0") for rest in iter(partial(tar.read, CHUNK), b"")):
            raise Unreadable("other bytes follow the tar archive's end mark", do="ask for the file again")


def _header(tar: BinaryIO, place: int) -> tarfile.TarInfo | None:
    """Return the header at `place`, or None for the end mark, a block of zeros."""
    tar.seek(place)
    block = tar.read(_BLOCK)
    _inside(_BLOCK, len(block))
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
        return None
    except tarfile.HeaderError as error:
        raise Unreadable(f"the tar archive has a broken header: {error}", do="ask for the file again") from None
    if info.size < 0:
        raise Unreadable("the tar archive has a header with a negative size", do="ask for the file again")
    return info


def _inside(end: int, size: int) -> None:
    if end > size:
        raise Unreadable("the tar archive is cut off", do="ask for the file again")


def _content(tar: BinaryIO, place: int, size: int) -> Iterator[bytes]:
    tar.seek(place)
    while size:
        chunk = tar.read(min(size, CHUNK))
        _inside(1, len(chunk))
        size -= len(chunk)
        yield chunk


def _extended(info: tarfile.TarInfo, content: Iterator[bytes]) -> dict[str, str]:
    """Return what an extended header says about the member behind it."""
    body = b"".join(content)
    if info.type in _LONG:
        return {_LONG[info.type]: body.partition(b"\0")[0].decode("utf-8", "surrogateescape")}
    found, place = {}, 0
    end = len(body.rstrip(b"\0"))
    while place < end:
        digits, blank, _ = body[place : place + 8].partition(b" ")
        stop = place + _number(digits.decode("latin-1")) if blank else 0
        key, equals, value = body[place + len(digits) + 1 : stop].partition(b"=")
        if not equals or not value.endswith(b"\n") or stop > end:
            raise Unreadable("the tar archive has a broken pax header", do="ask for the file again")
        found[key.decode("utf-8", "replace")] = value[:-1].decode("utf-8", "surrogateescape")
        place = stop
    if any(key.startswith(("GNU.sparse.", "SCHILY.realsize")) for key in found):
        raise NotAllowed("the tar archive has a sparse file", do="ask the sender to pack without --sparse")
    if info.type == tarfile.XGLTYPE and found.keys() & {"path", "size"}:
        raise NotAllowed("the tar archive gives all members one name or size", do="ask for a plain ustar one")
    return found if info.type == tarfile.XHDTYPE else {}


def _number(digits: str) -> int:
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        raise Unreadable("the tar archive has a pax header with a broken number", do="ask for the file again")
    return int(digits)
