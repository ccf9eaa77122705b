"""Row feeds with Python of their own, made in a copy of the example feeds."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from import_project.config.load import LoadedFeed
from import_project.pipeline.parts import Parts
from import_project.records.outcomes import Outcome
from import_project_tests.installation import Installation

HEADER = "order_id;customer;ordered_on;amount;currency;items\n"


def order(number: int, amount: str = "10,00", currency: str = "SEK", items: str = "1", day: str = "2026-11-20") -> str:
    return f"AB-{number:06d};Customer {number};{day};{amount};{currency};{items}\n"


def orders(*rows: str) -> bytes:
    return (HEADER + "".join(rows)).encode()


def with_python(installation: Installation, code: str, **keys: Any) -> Installation:
    """The feed `orders` with other keys, and `work.py` beside it."""
    changed = installation.rewrite("orders", **keys)
    Path(changed.environ["IMPORT_PROJECT_FEEDS"], "work.py").write_text(code, "utf-8")
    return changed


def with_schema(installation: Installation, **keys: Any) -> Installation:
    """The feed `orders` with other keys in its schema."""
    changed = installation.rewrite("orders")
    path = Path(changed.environ["IMPORT_PROJECT_FEEDS"], "schemas", "orders.yaml")
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text("utf-8")), **keys}), "utf-8")
    return changed


def without_column_rules(loaded: LoadedFeed, column: str, **rules: Any) -> LoadedFeed:
    """The feed with other rules for one column, as if its schema had been mended."""
    assert loaded.schema is not None
    columns = tuple(replace(c, **rules) if c.name == column else c for c in loaded.schema.columns)
    return replace(loaded, schema=replace(loaded.schema, columns=columns))


def run_orders(installation: Installation, parts: Parts, content: bytes, name: str = "orders_1.csv") -> Outcome:
    """Drop a file, run it to its end, and return its outcome."""
    (installation.inbox / name).write_bytes(content)
    request = installation.poll_until_ready(parts, "orders")
    installation.run(parts, "orders", request)
    return outcome_of(parts, name)


def outcome_of(parts: Parts, name: str) -> Outcome:
    return [o for o in parts.ledger.outcomes.all() if o.name == name][-1]


def keys_of(calls: Sequence[Any]) -> list[str]:
    return [call.key for call in calls]
