"""The first packets of a PGP message: enough to know one, and to say for which keys it is. Nothing is decrypted here.

RFC 9580 (and RFC 4880, which it replaces), sections 4.2 packet headers, 5.1 and 5.3 session keys, 6.2 armor.
"""

import binascii
from collections.abc import Iterator

_ARMOR = b"-----BEGIN PGP MESSAGE-----"
_TO_KEY, _TO_PASSWORD, _MARKER = 1, 3, 10
_KEY_ALGORITHMS = frozenset({1, 2, 16, 18, 25, 26, 35, 36})
_CIPHERS = range(1, 14)
_S2K = frozenset({0, 1, 3, 4})
# A session key packet is some hundred bytes, a post-quantum one less than two thousand.
_LARGEST = 1 << 14


def is_message(head: bytes) -> bool:
    """Whether `head` starts an encrypted message, armored or binary.

    Text can start with the same first byte, so the packet's length, version and algorithm must fit as well.
    """
    if _text(head).startswith(_ARMOR):
        return True
    tag, body = next(_packets(head), (0, b""))
    match tag:
        case 1:
            return (len(body) > 9 and body[0] == 3 and body[9] in _KEY_ALGORITHMS) or _is_version_6(body)
        case 3:
            return len(body) > 2 and body[0] in {4, 5, 6} and (body[0] != 4 or _is_version_4_password(body))
        case 10:
            return body == b"PGP"
    return False


def recipients(head: bytes) -> tuple[str, ...]:
    """Return the ids, in hex, of the keys that a message starting with `head` is encrypted for.

    A hidden recipient has no id and is left out; a message for a password only has none.
    """
    found = []
    for tag, body in _packets(_binary(head)):
        if tag == _TO_KEY and body[:1] == b"\x03" and any(body[1:9]):
            found.append(body[1:9].hex().upper())
        elif tag == _TO_KEY and _is_version_6(body) and body[1]:
            found.append(body[3 : 2 + body[1]].hex().upper())
        elif tag not in {_TO_KEY, _TO_PASSWORD, _MARKER}:
            break
    return tuple(found)


def _is_version_6(body: bytes) -> bool:
    """A session key for a key's fingerprint, which is 20 or 32 bytes behind its version, or none when hidden."""
    return len(body) > 3 and body[0] == 6 and (body[1], body[2]) in {(21, 4), (33, 6), *((0, a) for a in (25, 26))}


def _is_version_4_password(body: bytes) -> bool:
    return body[1] in _CIPHERS and body[2] in _S2K


def _text(head: bytes) -> bytes:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()


def _binary(head: bytes) -> bytes:
    """Return a message's bytes without the armor, as far as `head` goes."""
    if not _text(head).startswith(_ARMOR):
        return head
    lines = [line.strip() for line in _text(head).splitlines()[1:]]
    begin = lines.index(b"") + 1 if b"" in lines else 0
    encoded = b"".join(line for line in lines[begin:] if not line.startswith((b"=", b"-")))
    try:
        return binascii.a2b_base64(encoded[: len(encoded) // 4 * 4])
    except binascii.Error:
        return b""


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and body of the first packets, until one is large or has no plain length; the last may be cut."""
    place = 0
    while place + 2 <= len(data) and data[place] & 0x80:
        first, place = data[place], place + 1
        if first & 0x40:
            tag, kind = first & 0x3F, data[place]
            width = 1 if kind < 192 else 2 if kind < 224 else 5 if kind == 255 else 0
            number = data[place : place + width]
            length = (kind - 192 << 8) + number[-1] + 192 if width == 2 else int.from_bytes(number[width == 5 :], "big")
        else:
            tag, width = first >> 2 & 0x0F, (1, 2, 4, 0)[first & 3]
            length = int.from_bytes(data[place : place + width], "big")
        place += width
        if not width or not 0 < length <= _LARGEST:
            return
        yield tag, data[place : place + length]
        place += length
