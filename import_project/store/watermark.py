"""How far the ledger had come, kept outside of it: one that does not hold that entry was restored from a backup, or is
another ledger. One small file; nothing of what follows from it.
"""

import json
import os
from datetime import datetime
from pathlib import Path

from import_project.logs import LOG
from import_project.records.audit import Mark
from import_project.store.disk import disk_errors

#: Written at once and in place: nobody reads half of it, and a full disk has room for it.
_SIZE = 512


class Watermark:
    """The file at `path`; its folder is made with it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Mark | None:
        """Return what was last written; None before that, and where a power cut left something else. Raises StoreFull
        for a file that may not be read."""
        with disk_errors(f"read {self._path}"):
            try:
                told = self._path.read_bytes()
            except FileNotFoundError:
                return None
        try:
            found = json.loads(told)
            at = datetime.fromisoformat(found["at"])
            return Mark(ledger=found["ledger"], number=int(found["number"]), hash=found["hash"], at=at)
        except (ValueError, KeyError, TypeError):
            return None

    def write(self, mark: Mark) -> None:
        """Remember an entry. One that cannot be written is told in the log: the ledger itself has it."""
        facts = {"ledger": mark.ledger, "number": mark.number, "hash": mark.hash, "at": mark.at.isoformat()}
        try:
            try:
                file = self._open()
            except FileNotFoundError:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                file = self._open()
            try:
                os.pwrite(file, json.dumps(facts).ljust(_SIZE).encode(), 0)
            finally:
                os.close(file)
        except OSError as error:
            LOG.warning("no watermark", extra={"fields": {"file": str(self._path), "error": error.strerror}})

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
