"""Secrets that can be told from anything else, and the search for them: in bytes, in files as whoever opens them reads them,
and in the command lines of all processes."""

import base64
import json
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, quote_plus

import polars as pl


@cache
def dressed(secret: str) -> frozenset[bytes]:
    """A secret as it is, quoted for addresses and JSON, and what any base64 of a text with it holds."""
    raw = secret.encode()
    found = {raw, quote(secret, safe="").encode(), quote_plus(secret).encode(), json.dumps(secret)[1:-1].encode()}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before, skipped in ((0, 0), (1, 2), (2, 3)):
            whole = (before + len(raw)) // 3 * 4
            found.add(encode(b"\0" * before + raw)[skipped:whole])
    return frozenset(found)


def shown(secrets: dict[str, str], content: bytes) -> set[str]:
    """The names of the secrets that a content shows."""
    return {name for name, secret in secrets.items() if any(one in content for one in dressed(secret))}


def contents(folders: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """All files below, as they are and as whoever opens them reads them: tables, databases, what is compressed in them."""
    for path in (p for folder in folders for p in folder.rglob("*") if p.is_file()):
        raw = path.read_bytes()
        yield str(path), raw
        if path.suffix == ".parquet":
            yield str(path), pl.read_parquet(path).write_ndjson().encode()
        if raw.startswith(b"SQLite format 3"):
            with closing(sqlite3.connect(path)) as database:
                names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
                for name in names:
                    for row in database.execute(f'SELECT * FROM "{name}"'):
                        yield f"{path}, table {name}", b"\n".join(_unpacked(value) for value in row)


def _unpacked(value: Any) -> bytes:
    if not isinstance(value, bytes):
        return str(value).encode()
    with suppress(zlib.error):
        return zlib.decompress(value)
    return value


class ProcessTable:
    """What anybody on the machine may read of its processes' command lines, again and again."""

    def __init__(self) -> None:
        self.seen = set[bytes]()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.1):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    self.seen.add(path.read_bytes())
