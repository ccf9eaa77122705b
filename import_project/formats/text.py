"""Bytes to text for bank files that do not say how they are encoded. No parsing."""

import codecs

from import_project.errors import Unreadable


def decode_nordic(content: bytes) -> str:
    """Return the text of a file that is Latin-1 by agreement, or one of its UTF-8 copies.

    UTF-8 only where it has non-ASCII bytes and decodes strictly. A byte order mark goes, tabs become blanks to the next
    column of eight (Bankgirot's own example files hold some), and all line ends become a line feed.
    """
    body = content.removeprefix(codecs.BOM_UTF8)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = body.decode("iso-8859-1")
    if "\x00" in text:
        raise Unreadable("the file holds NUL bytes", do="ask the sender for the file as text")
    return with_line_feeds(text)


def with_line_feeds(text: str) -> str:
    """Return text with every line end as a line feed, and tabs as blanks to the next column of eight."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.expandtabs(8) if "\t" in text else text
