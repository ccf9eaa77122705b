"""How far the ledger had come, kept outside of it: one that does not hold that entry was restored from a backup, or is
another ledger. One small file; nothing of what follows from it.
"""

import json
import os
from datetime import datetime
from pathlib import Path

from import_project.logs import LOG
from import_project.records.audit import Mark, digest
from import_project.store.disk import disk_errors

#: Written in place, so that a full disk has room for it; who reads half of an old and half of a new one reads again.
_SIZE, _READS = 512, 5


class Watermark:
    """The file at `path`; its folder is made with it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Mark | None:
        """Return what was last written; None before that, and where a power cut left something else. Raises StoreFull
        for a file that may not be read."""
        for _ in range(_READS):
            with disk_errors(f"read {self._path}"):
                try:
                    told = self._path.read_bytes()
                except FileNotFoundError:
                    return None
            if (mark := _mark(told)) is not None:
                return mark
        return None

    def write(self, mark: Mark) -> None:
        """Remember an entry. One that cannot be written is told in the log: the ledger itself has it."""
        told = [mark.ledger, mark.number, mark.hash, mark.at.isoformat()]
        line = json.dumps([*told, digest(json.dumps(told))]).ljust(_SIZE).encode()
        try:
            try:
                file = self._open()
            except FileNotFoundError:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                file = self._open()
            try:
                os.pwrite(file, line, 0)
            finally:
                os.close(file)
        except OSError as error:
            LOG.warning("no watermark", extra={"fields": {"file": str(self._path), "error": error.strerror}})

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _mark(told: bytes) -> Mark | None:
    try:
        *parts, check = json.loads(told)
        ledger, number, last, at = parts
        if check != digest(json.dumps(parts)):
            return None
        return Mark(ledger=ledger, number=int(number), hash=last, at=datetime.fromisoformat(at))
    except (ValueError, TypeError):
        return None
