"""`import-project feeds draft`: a schema drafted from a sample file, as YAML to keep and mend."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
import yaml

from import_project.cli.rows import HEAD, checked_options, opened
from import_project.errors import FileRefused
from import_project.formats.registry import ROW_FORMATS, batches, detect
from import_project.formats.trial import try_out
from import_project.validation.draft import Drafted, draft


def draft_schema(file: Path, name: str | None, options: tuple[str, ...]) -> None:
    """Print the draft. Raises FileRefused when the file cannot be read as rows."""
    try:
        with opened(file) as content:
            form = name or detect(content.read(HEAD))
            if form not in ROW_FORMATS:
                raise FileRefused(f"{form} holds payments, whose columns need no schema")
            content.seek(0)
            given = checked_options(form, options)
            try_out(form, content, given)
            columns = draft(_sound_rows(form, content, given))
    except FileRefused as error:
        raise error.at(file=str(file)) from None
    if not columns:
        raise FileRefused("the sample has no row to draft from", file=str(file))
    print(as_yaml(schema_name(file), form, columns), end="")


def _sound_rows(form: str, content: BinaryIO, options: Mapping[str, Any]) -> Iterator[pl.DataFrame]:
    """Yield the rows that could be parted; a draft from torn ones would ask for nothing."""
    for batch in batches(form, content, options):
        torn = batch.issues.filter(pl.col("severity") == "error")["row_number"].drop_nulls().unique()
        yield batch.frame.filter(~pl.col("row_number").is_in(torn.implode()))


def schema_name(file: Path) -> str:
    """Return a name for the schema of a file: its own, without dates and numbers."""
    words = re.sub(r"[^a-z]+", "_", file.name.split(".")[0].lower()).strip("_")
    return words[:40].strip("_") or "rows"


def as_yaml(name: str, form: str, columns: list[Drafted]) -> str:
    """Return the draft as a schema file; what a person must decide stands in comments."""
    lines = [
        f"# Drafted from the {columns[0].rows:,} rows of a sample ({form}) that can be read: it holds for all of them.",
        f"schema: {name}",
        "columns:",
    ]
    for column in columns:
        keys = column.keys()
        lines += [f"  # {column.name}: {doubt}".replace("\n", " ") for doubt in column.doubts]
        lines.append(f"  - {_in_one_line(keys)}")
    return "\n".join(lines) + "\n"


def _in_one_line(keys: dict[str, object]) -> str:
    told = yaml.safe_dump(keys, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10_000)
    return str(told).strip()
