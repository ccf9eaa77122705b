"""Damaged row files and feeds: each must be read, row by row, or be refused by one of our errors, in bounded time. What may
end its reader is tried out in a process of its own first, as the pipeline does."""

import io
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from import_project.config.load import load_feed
from import_project.errors import ConfigError, ImportProjectError
from import_project.formats.trial import try_out
from import_project.frames import ROW_NUMBER
from import_project_tests.formats.reading import read
from import_project_tests.formats.test_excel import workbook
from import_project_tests.formats.test_typed_files import FIELDS, avro, orc_file, parquet

_ROWS: list[dict[str, Any]] = [{"id": f"A-{n}", "amount": f"{n}.50", "text": 'a "b"; c'} for n in range(12)]
_TABLE = [list(_ROWS[0]), *([row["id"], row["amount"], row["text"]] for row in _ROWS)]
_LINES = [";".join(('"' + v.replace('"', '""') + '"') if ";" in v else v for v in line) for line in _TABLE]
_XML = "<orders>" + "".join(f"<o><id>{r['id']}</id><amount>{r['amount']}</amount></o>" for r in _ROWS) + "</orders>"
_FIXED = "\n".join(f"{r['id']:<8}{r['amount']:>10}" for r in _ROWS)
_WHEN = [{"id": "a", "amount": None, "when": 0, "tags": {"k": "v"}}]

#: A sound file of each row format, and its options.
SEEDS: Mapping[str, tuple[bytes, Mapping[str, Any]]] = {
    "delimited": ("\r\n".join(_LINES).encode(), {"delimiter": ";"}),
    "json": (json.dumps({"rows": _ROWS}).encode(), {"records": "rows"}),
    "jsonl": ("\n".join(map(json.dumps, _ROWS)).encode(), {}),
    "xml": (_XML.encode(), {"record": "orders/o"}),
    "fixed_width": (
        _FIXED.encode(),
        {"fields": ({"name": "id", "start": 1, "width": 8}, {"name": "amount", "start": 9, "width": 10})},
    ),
    "excel": (workbook({"one": _TABLE}), {}),
    "parquet": (parquet(), {}),
    "orc": (orc_file(), {}),
    "avro": (avro(_WHEN, *FIELDS), {}),
}
_SECONDS_PER_MB = 5.0


def check_rows(name: str, content: bytes) -> bool:
    """Read a file; whether it was read at all. Raises what must not happen."""
    began, options = time.monotonic(), SEEDS[name][1]
    try:
        try_out(name, io.BytesIO(content), options)
        reading = read(name, content, **options)
    except ImportProjectError:
        return False
    finally:
        took = time.monotonic() - began
        assert took < _SECONDS_PER_MB * max(2.0, len(content) / 1e6), f"{took:.1f} s for {len(content)} bytes"
    assert reading.frame[ROW_NUMBER].n_unique() == reading.frame.height
    return True


def check_feed(path: Path, content: bytes, environ: Mapping[str, str]) -> bool:
    """Load a feed file; whether it could be. Raises what must not happen."""
    path.write_bytes(content)
    told = ""
    try:
        load_feed(path, environ)
    except ConfigError as error:
        told = str(error)
    assert "\n" not in told, "an error is one line"
    return not told
