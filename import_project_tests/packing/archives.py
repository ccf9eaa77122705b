"""Packed files for the tests, honest and hostile, built in code."""

import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa

from import_project.packing.caps import Caps
from import_project.packing.unpack import Unpacked, unpack

MIB = 1 << 20
_WIDE = 0xFFFFFFFF  # in a zip: the number stands in a 64-bit field


def gz(content: bytes, level: int = 6) -> bytes:
    return gzip.compress(content, level, mtime=0)


def zst(content: bytes) -> bytes:
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as stream:
        stream.write(content)
    packed: bytes = out.getvalue().to_pybytes()
    return packed


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def zip64(members: Mapping[str, bytes]) -> bytes:
    """A zip as for members beyond 4 GiB: sizes, offsets and counts stand in its 64-bit fields alone."""
    packed = zipped(members)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        infos, start = archive.infolist(), archive.start_dir
    directory = b""
    for info in infos:
        name = info.filename.encode()
        wide = struct.pack("<2H3Q", 1, 24, info.file_size, info.compress_size, info.header_offset)
        directory += struct.pack("<4s6H3L", b"PK\x01\x02", 45, 45, 0, info.compress_type, 0, 0, info.CRC, _WIDE, _WIDE)
        directory += struct.pack("<5H2L", len(name), len(wide), 0, 0, 0, 0, _WIDE) + name + wide
    count = len(infos)
    end = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(directory), start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, start + len(directory), 1)
    old_end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, _WIDE, _WIDE, 0)
    return packed[:start] + directory + end + locator + old_end


def tarred(members: Mapping[str, bytes], layout: int = tarfile.USTAR_FORMAT) -> bytes:
    return tar_of(((tar_info(name, len(content)), content) for name, content in members.items()), layout)


def tar_info(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, **pax: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.pax_headers = size, kind, pax
    return info


def tar_of(members: Iterable[tuple[tarfile.TarInfo, bytes]], layout: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=layout) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def gz_zeros(size: int) -> bytes:
    """A gzip of zero bytes, about 1000 times smaller, built in flat memory."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(bytes(MIB)) for _ in range(size // MIB)]
    return b"".join([*parts, packer.flush()])


def overlapping_zip(count: int, size: int) -> bytes:
    """David Fifield's quoted-overlap bomb: each local header is quoted, as a stored block, by the member before it."""
    kernel = deflated(bytes(size))
    crc, body = zlib.crc32(bytes(size)), kernel
    # From the last member to the first: a member is its header, a stored block that holds the next header, and on.
    files = [(f"{count - 1:04}", crc, size, len(kernel))]
    archive, content = local_header(*files[0]) + body, bytes(size)
    for number in range(count - 2, -1, -1):
        header = archive[: 30 + 4]
        quoted = struct.pack("<BHH", 0, len(header), len(header) ^ 0xFFFF) + header
        content = header + content
        packed = len(quoted) + files[-1][3]
        files.append((f"{number:04}", zlib.crc32(content), len(content), packed))
        archive = local_header(*files[-1]) + quoted[:5] + archive
    files.reverse()
    directory, offset = b"", 0
    for name, member_crc, member_size, packed in files:
        directory += struct.pack(
            "<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, member_crc, packed, member_size, 4, 0, 0, 0, 0, 0, offset
        )
        directory += name.encode()
        offset += 30 + 4 + 5
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(directory), len(archive), 0)
    return archive + directory + end


def local_header(name: str, crc: int, size: int, packed: int) -> bytes:
    return struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 8, 0, 0, crc, packed, size, len(name), 0) + name.encode()


def deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


class Bench:
    """Lands bytes in a temporary folder and unpacks them into a fresh one."""

    def __init__(self, root: Path) -> None:
        self.root, self.count = root, 0
        self.into = root

    def unpack(self, content: bytes, *, caps: Caps | None = None, **options: object) -> Unpacked:
        self.count += 1
        landed = self.root / f"landed{self.count}"
        landed.write_bytes(content)
        self.into = self.root / f"into{self.count}"
        self.into.mkdir()
        return unpack(landed, self.into, caps=caps or Caps(), **options)  # type: ignore[arg-type]

    def contents(self, content: bytes, **options: object) -> dict[str | None, bytes]:
        return {m.name: m.path.read_bytes() for m in self.unpack(content, **options).members}  # type: ignore[arg-type]

    @property
    def on_disk(self) -> int:
        return sum(p.stat().st_size for p in self.into.iterdir())
