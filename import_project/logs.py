"""One line an event on stderr, as text or as JSON. What is worth a line is said where it happens.

Fields beside the message come as `extra={"fields": {...}}`.
"""

import json
import logging
import math
import sys
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from import_project.errors import one_line

LOG = logging.getLogger("import_project")
LOG.addHandler(logging.NullHandler())  # silent until somebody says where to write
_OURS = "written by import_project"
_HEAD = ("at", "level", "event")


class _Lines(logging.Formatter):
    def _parts(self, record: logging.LogRecord) -> dict[str, Any]:
        """Give what the line is made of."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told = {"at": at, "level": record.levelname.lower(), "event": one_line(record.getMessage())}
        fields = {k: v for k, v in getattr(record, "fields", {}).items() if v is not None}
        trouble = {"traceback": self.formatException(record.exc_info)} if record.exc_info else {}
        return {**fields, **told, **trouble}  # in this order: no field takes the place of the event itself


class TextLines(_Lines):
    """`2026-11-25T07:00:00.000+00:00 info success feed=orders file=orders.csv rows=10`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        told = self._parts(record)
        fields = " ".join(f"{k}={_word(v)}" for k, v in told.items() if k not in _HEAD)
        return f"{told['at']} {told['level']} {told['event']} {fields}".rstrip()


class JsonLines(_Lines):
    """One JSON object a line: `at`, `level`, `event`, then the event's fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        told = self._parts(record)
        ordered = {k: _number(told[k]) for k in (*_HEAD, *(k for k in told if k not in _HEAD))}
        return json.dumps(ordered, ensure_ascii=False, default=str)


def _number(value: object) -> object:
    """JSON has no NaN and no infinity."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _word(value: object) -> str:
    text = one_line(str(value))
    return json.dumps(text, ensure_ascii=False) if " " in text or "=" in text or not text else text


def write_logs(form: Literal["text", "json"], stream: TextIO | None = None) -> None:
    """Write our events to a stream (stderr) from now on, in place of where they went before."""
    for old in [h for h in LOG.handlers if h.get_name() == _OURS]:
        LOG.removeHandler(old)
    writing = logging.StreamHandler(stream or sys.stderr)
    writing.set_name(_OURS)
    writing.setFormatter(JsonLines() if form == "json" else TextLines())
    LOG.addHandler(writing)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
