"""Facts, tables and links as Dagster's metadata: numbers stay numbers, so that they are plotted; no customer's data."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import dagster as dg
import polars as pl

from import_project.config.load import LoadedFeed
from import_project.pipeline.hold import Facts
from import_project.pipeline.parts import Parts
from import_project.pipeline.previews import preview

_MONEY = ("sum ", "open ")


def metadata_of(facts: Facts) -> dict[str, Any]:
    """Return a step's facts; sums become numbers, whose last digits a plot does not need."""
    told: dict[str, Any] = {}
    for name, value in facts.items():
        money = isinstance(value, Decimal) or (isinstance(value, str) and name.startswith(_MONEY))
        told[name] = float(value) if money else value
    rows, aside = facts.get("rows"), facts.get("quarantined")
    if isinstance(rows, int) and isinstance(aside, int):
        told["quarantine rate, %"] = round(100 * aside / rows, 2) if rows else 0.0
    return told


def links_of(parts: Parts, loaded: LoadedFeed, partition: str) -> dict[str, Any]:
    """Return what leads from an asset of a file to its end, and to its report."""
    told: dict[str, Any] = {
        "outcome": dg.MetadataValue.asset(dg.AssetKey([loaded.name, "outcome"])),
        "report": f"import-project report {partition}",
    }
    return told | ({"dry run": True} if parts.dry_run else {})


def preview_of(parts: Parts, loaded: LoadedFeed, table: str, sha256: str) -> dict[str, Any]:
    """Return the first rows of a table, personal data masked, and where the table is; nothing where it was let go."""
    if not parts.tables.has(loaded.name, table, sha256):
        return {}
    shown = preview(parts, loaded, table, sha256)
    told: dict[str, Any] = {"table": dg.MetadataValue.path(str(parts.tables.found(loaded.name, table, sha256)))}
    return told | ({"preview": table_of(shown)} if shown.height else {})


def table_of(frame: pl.DataFrame) -> dg.TableMetadataValue:
    """Return a small frame as a table; what is neither a number nor a truth is text."""
    records = [dg.TableRecord({name: _cell(v) for name, v in row.items()}) for row in frame.iter_rows(named=True)]
    columns = [dg.TableColumn(name, type=_type(dtype)) for name, dtype in frame.schema.items()]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns=columns))


def _cell(value: object) -> str | int | bool:
    if value is None:
        return ""
    return value if isinstance(value, int | bool) else str(value)


def _type(dtype: pl.DataType) -> str:
    if dtype == pl.Boolean:
        return "bool"
    return "int" if dtype.is_integer() else "string"


def sums_table(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sums of a file as they are, to the last digit."""
    sums = {name.removeprefix("sum "): str(v) for name, v in facts.items() if name.startswith("sum ")}
    if not sums:
        return {}
    schema = {"currency": pl.String(), "sum": pl.String()}
    return {"sums": table_of(pl.DataFrame({"currency": list(sums), "sum": list(sums.values())}, schema=schema))}
