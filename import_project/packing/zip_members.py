"""The members of a zip archive (PKWARE's APPNOTE.TXT): stored, deflated, bzip2 or LZMA, also zip64. Names are not
judged here.

The standard library reads the directory; the members are read here, so that every method is bounded and each byte of
the archive belongs to one member only.
"""

import bz2
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from import_project.errors import NotAllowed, NotRecognised, Unreadable
from import_project.packing.caps import CHUNK, Entry, Meter
from import_project.packing.names import shown
from import_project.packing.streams import Decoder, Inflate, decoded

_AGAIN = "ask for the file again"
_END = struct.Struct("<4s4H2LH")
_LOCAL = struct.Struct("<4s5H3L2H")
# General purpose bits: encrypted, patch data, strongly encrypted, masked headers.
_ENCRYPTED, _UTF8, _LZMA_END_MARK = 0x0001 | 0x0020 | 0x0040 | 0x2000, 0x0800, 0x0002
_LZMA_MEMORY = 128 << 20
_BROKEN = (zipfile.BadZipFile, NotImplementedError, struct.error, UnicodeError, ValueError, OverflowError, EOFError)


class _Directory:
    """A zip file that gives the standard library no more than the directory of a bounded number of members."""

    def __init__(self, packed: BinaryIO, most: int) -> None:
        self._packed, self._most = packed, most
        self.seek, self.tell = packed.seek, packed.tell

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size > self._most:
            raise NotAllowed(f"the zip archive's directory is {size} bytes long", do="ask for fewer members")
        return self._packed.read(size)


def zip_entries(path: Path, meter: Meter) -> Iterator[Entry]:
    """Yield the regular files of an archive in its directory's order; folders are counted and left out.

    CRC and lengths are verified while a member is read. Raises Unreadable for an archive that is broken, cut off or
    surrounded by other bytes, NotAllowed for encrypted members, links, devices, members that share bytes and too many
    members, and NotRecognised for other methods.
    """
    with path.open("rb") as packed:
        infos, directory_at = _directory(packed, meter)
        end = 0
        for info in sorted(infos, key=lambda i: i.header_offset):
            if info.header_offset < end:
                raise NotAllowed(
                    f"the member {shown(info.orig_filename)} shares bytes with another one", do="do not unpack it"
                )
            if not end and info.header_offset:
                raise Unreadable("other bytes stand before the zip archive's first member", do=_AGAIN)
            end = _content_at(packed, info) + info.compress_size
            if end > directory_at:
                raise Unreadable(f"the member {shown(info.orig_filename)} is cut off", do=_AGAIN)
        for info in infos:
            if not info.orig_filename.endswith("/"):
                _check_kind(info)
                yield Entry(path=info.orig_filename, chunks=partial(_content, packed, info))


def _directory(packed: BinaryIO, meter: Meter) -> tuple[list[zipfile.ZipInfo], int]:
    """Return the members and where their directory starts."""
    size = packed.seek(0, os.SEEK_END)
    packed.seek(max(0, size - _END.size - 0xFFFF))
    tail = packed.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise Unreadable("the zip archive is cut off: it has no directory", do=_AGAIN)
    *_, count, _, _, comment = _END.unpack_from(tail, at)
    if at + _END.size + comment != len(tail):
        raise Unreadable("other bytes follow the zip archive", do=_AGAIN)
    try:
        # Names of 1 KiB each are more than enough; the library reads the whole directory into memory.
        bounded = _Directory(packed, (64 << 10) + meter.caps.max_members * 1024)
        with zipfile.ZipFile(bounded) as archive:
            infos, directory_at = archive.infolist(), archive.start_dir
    except _BROKEN as error:
        raise Unreadable(f"the zip archive is broken: {error}", do=_AGAIN) from None
    for _ in infos:
        meter.count_entry()
    if count not in {len(infos), 0xFFFF}:
        raise Unreadable(f"the zip archive has {len(infos)} members where it says {count}", do=_AGAIN)
    return infos, directory_at


def _content_at(packed: BinaryIO, info: zipfile.ZipInfo) -> int:
    """Return where a member's content starts. Its local header must say what the directory says."""
    packed.seek(info.header_offset)
    header = packed.read(_LOCAL.size)
    if len(header) == _LOCAL.size:
        mark, _, flags, method, *_, name_size, extra_size = _LOCAL.unpack(header)
        name = info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "cp437", "replace")
        said = (mark, method, flags & _ENCRYPTED, packed.read(name_size))
        if said == (b"PK\x03\x04", info.compress_type, info.flag_bits & _ENCRYPTED, name):
            return info.header_offset + _LOCAL.size + int(name_size) + int(extra_size)
    raise Unreadable(f"the member {shown(info.orig_filename)} is not what the directory says", do=_AGAIN)


def _check_kind(info: zipfile.ZipInfo) -> None:
    name = f"the member {shown(info.orig_filename)}"
    if info.flag_bits & _ENCRYPTED:
        raise NotAllowed(f"{name} is encrypted with a zip password", do="ask for it without, or with PGP")
    if stat.S_IFMT(info.external_attr >> 16) not in {0, stat.S_IFREG}:
        raise NotAllowed(f"{name} is a link or a device", do="ask the sender for plain files only")
    if info.compress_type not in _METHODS:
        raise NotRecognised(f"{name} is packed with zip method {info.compress_type}", do="ask for it deflated")


def _content(packed: BinaryIO, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield a member's content. Raises Unreadable unless its CRC and both its lengths are as the directory says."""
    packed.seek(_content_at(packed, info))
    left, size, crc = info.compress_size, 0, 0

    def read(most: int) -> bytes:
        nonlocal left
        data = packed.read(min(most, left))
        left -= len(data)
        return data

    for chunk in _METHODS[info.compress_type](read, info):
        size, crc = size + len(chunk), zlib.crc32(chunk, crc)
        if size > info.file_size:
            break
        yield chunk
    if left or (size, crc) != (info.file_size, info.CRC):
        raise Unreadable(f"the member {shown(info.orig_filename)} breaks its checksum or length", do=_AGAIN)


def _stored(read: Callable[[int], bytes], _info: zipfile.ZipInfo) -> Iterator[bytes]:
    return iter(lambda: read(CHUNK), b"")


def _whole(read: Callable[[int], bytes], decoder: Decoder) -> Iterator[bytes]:
    yield from decoded(read, decoder)
    if decoder.unused_data:
        raise Unreadable("a zip member has other bytes behind its data", do=_AGAIN)


def _lzma(read: Callable[[int], bytes], info: zipfile.ZipInfo) -> Iterator[bytes]:
    """LZMA as zip has it: version, size of the properties, properties. A header of .lzma files bounds its memory."""
    head = read(9)
    if head[2:4] != b"\x05\x00" or len(head) != 9:
        raise Unreadable("a zip member has a broken LZMA header", do=_AGAIN)
    size = (1 << 64) - 1 if info.flag_bits & _LZMA_END_MARK else info.file_size
    decoder = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_LZMA_MEMORY)
    begin = iter([head[4:] + size.to_bytes(8, "little")])
    return _whole(lambda most: next(begin, b"") or read(most), decoder)


_METHODS: dict[int, Callable[[Callable[[int], bytes], zipfile.ZipInfo], Iterator[bytes]]] = {
    zipfile.ZIP_STORED: _stored,
    zipfile.ZIP_DEFLATED: lambda read, _info: _whole(read, Inflate(-15)),
    zipfile.ZIP_BZIP2: lambda read, _info: _whole(read, bz2.BZ2Decompressor()),
    zipfile.ZIP_LZMA: _lzma,
}
