"""Pure compressions as streams of chunks: gz, zst, and the one decoder loop that zip members share. No archives.

A stream that is cut off, breaks its checksum or has other bytes behind it is Unreadable.
"""

import os
import zlib
from collections.abc import Callable, Iterator
from lzma import LZMAError
from pathlib import Path
from typing import Protocol

from import_project.errors import NotAllowed, Unreadable
from import_project.packing.caps import CHUNK

# What a decoder is fed at once: small at first, because each of a thousand tiny gzip members gives the rest back.
_FIRST_FEED, _LARGEST_FEED = 1 << 10, 1 << 18


class Decoder(Protocol):
    """The interface that bz2's and lzma's decompressors have in common."""

    @property
    def eof(self) -> bool:
        """Whether the stream's end was read."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes out without more input."""

    @property
    def unused_data(self) -> bytes:
        """Bytes behind the stream's end."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return the next at most `max_length` bytes."""


class Inflate:
    """zlib's decompressor with the interface of the others. `wbits` as zlib takes it: 31 for gz, -15 for bare."""

    def __init__(self, wbits: int) -> None:
        self._zlib = zlib.decompressobj(wbits)

    @property
    def eof(self) -> bool:
        """Whether the stream's end was read; for gz, its CRC and length fitted too."""
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        """Whether nothing is left of the input."""
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        """Bytes behind the stream's end."""
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return the next at most `max_length` bytes."""
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


def decoded(read: Callable[[int], bytes], decoder: Decoder) -> Iterator[bytes]:
    """Yield what `decoder` makes of `read`, up to the stream's end. Raises Unreadable when it breaks or is cut off."""
    feed = _FIRST_FEED
    while not decoder.eof:
        data = read(feed) if decoder.needs_input else b""
        feed = min(2 * feed, _LARGEST_FEED)
        try:
            chunk = decoder.decompress(data, CHUNK)
        except (zlib.error, LZMAError, OSError, EOFError, ValueError) as error:
            raise Unreadable(f"the compressed data is broken: {error}", do="ask for the file again") from None
        if chunk:
            yield chunk
        elif not data and not decoder.eof:
            raise Unreadable("the compressed data is cut off", do="ask for the file again")


def gz(path: Path, most: int = 1_000_000) -> Iterator[bytes]:
    """Yield a gzip file's content (RFC 1952): all its members, CRC and length verified; zero bytes may follow.

    Raises Unreadable for what is broken, cut off or followed by other bytes, and NotAllowed for more than `most`
    members. A million empty ones take some 15 seconds; a blocked gzip (bgzip) of 60 GB has as many.
    """
    with path.open("rb", buffering=CHUNK) as packed:
        for _ in range(most):
            decoder = Inflate(31)
            yield from decoded(packed.read, decoder)
            packed.seek(-len(decoder.unused_data), os.SEEK_CUR)
            mark = packed.read(2)
            if mark == b"\x1f\x8b":
                packed.seek(-2, os.SEEK_CUR)
                continue
            if mark.strip(b"\0") or any(rest.strip(b"\0") for rest in iter(lambda: packed.read(CHUNK), b"")):
                raise Unreadable("other bytes follow the gzip data", do="ask for the file again")
            return
    raise NotAllowed(f"the gzip data is in more than {most} members", do="ask for it in one")


def zst(path: Path) -> Iterator[bytes]:
    """Yield a Zstandard file's content (RFC 8878): all its frames, checksums verified where they have one.

    Memory is bounded by the library: a frame whose window is larger than 128 MiB raises NotAllowed.
    """
    import pyarrow as pa

    try:
        with pa.input_stream(str(path), compression="zstd") as packed:
            while chunk := packed.read(CHUNK):
                yield chunk
    except OSError as error:
        if error.errno is not None:  # the disk's, not the decoder's
            raise
        if "too much memory" in str(error):
            raise NotAllowed(
                "the Zstandard data needs a window of more than 128 MiB", do="ask the sender to pack without --long"
            ) from None
        raise Unreadable(f"the Zstandard data is broken: {error}", do="ask for the file again") from None
