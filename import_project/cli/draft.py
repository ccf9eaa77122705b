"""`import-project feeds draft`: a schema drafted from a sample file, as YAML to keep and mend."""

import re
from pathlib import Path

import yaml

from import_project.cli.rows import HEAD, given_options, opened
from import_project.errors import FileRefused
from import_project.formats.registry import ROW_FORMATS, batches, detect
from import_project.validation.draft import Drafted, draft


def draft_schema(file: Path, name: str | None, options: tuple[str, ...]) -> None:
    """Print the draft. Raises FileRefused when the file cannot be read as rows."""
    try:
        with opened(file) as content:
            form = name or detect(content.read(HEAD))
            if form not in ROW_FORMATS:
                raise FileRefused(f"{form} holds payments, whose columns need no schema")
            content.seek(0)
            columns = draft(batch.frame for batch in batches(form, content, given_options(options)))
    except FileRefused as error:
        raise error.at(file=str(file)) from None
    if not columns:
        raise FileRefused("the sample has no row to draft from", file=str(file))
    print(as_yaml(schema_name(file), form, columns), end="")


def schema_name(file: Path) -> str:
    """Return a name for the schema of a file: its own, without dates and numbers."""
    words = re.sub(r"[^a-z]+", "_", file.name.split(".")[0].lower()).strip("_")
    return words[:40].strip("_") or "rows"


def as_yaml(name: str, form: str, columns: list[Drafted]) -> str:
    """Return the draft as a schema file; what a person must decide stands in comments."""
    lines = [
        f"# Drafted from {columns[0].rows:,} rows of a sample ({form}): each rule holds for all of them.",
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
