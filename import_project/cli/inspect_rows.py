"""What `import-project inspect` tells of a row file: its columns, what they hold, and what is wrong."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text

from import_project.cli.issue_table import issue_table
from import_project.errors import one_line
from import_project.formats.registry import batches
from import_project.frames import issues_frame, numbered
from import_project.validation.draft import Drafted, draft

_MOST_TOLD = 10_000
_MOST_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedAt:
    """A row file's rows, columns and findings; of very many findings, the first. `found` is how many there are."""

    format: str
    rows: int
    columns: list[Drafted]
    issues: pl.DataFrame
    found: int


def looked_at(form: str, content: BinaryIO, options: Mapping[str, Any]) -> LookedAt:
    """Read a row file once, piece by piece."""
    issues, rows, found = [issues_frame([])], 0, 0

    def frames() -> Iterator[pl.DataFrame]:
        nonlocal rows, found
        for batch in numbered(batches(form, content, options)):
            rows += batch.frame.height
            if found < _MOST_TOLD:
                issues.append(batch.issues)
            found += batch.issues.height
            yield batch.frame

    columns = draft(frames())
    return LookedAt(format=form, rows=rows, columns=columns, issues=pl.concat(issues).head(_MOST_TOLD), found=found)


def summary(file: LookedAt) -> dict[str, Any]:
    """Return format, counts, columns, what each holds (`profile`), and issues."""
    issues = [{k: v for k, v in issue.items() if v is not None} for issue in file.issues.iter_rows(named=True)]
    told = {"format": file.format, "rows": file.rows, "columns": [c.name for c in file.columns]}
    profile = [
        {"column": c.name, "filled": c.filled, "type": c.keys().get("type", "text"), "longest": c.longest}
        for c in file.columns
    ]
    more = {"issues_found": file.found} if file.found > len(issues) else {}
    return {**told, "profile": profile, "payments": 0, "totals": {}, "statements": [], "issues": issues, **more}


def show(file: LookedAt, console: Console) -> None:
    """Print the same for people."""
    console.print(f"[bold]{file.format}[/bold]: {file.rows:,} rows, {len(file.columns)} columns", highlight=False)
    table = Table("column", "filled", "looks like", "longest", "such as")
    for column in file.columns:
        keys = column.keys()
        kind = [str(keys.get("type", "text"))]
        kind += [
            f"{k} {keys[k]}"
            for k in ("date_format", "datetime_format", "decimal_mark", "group_mark", "choices")
            if k in keys
        ]
        doubt = Text(" ?", style="yellow") if column.doubts and column.filled else Text("")
        filled = "all" if column.required and file.rows else f"{column.filled:,}"
        such_as = Text(one_line(column.example or "-")[:40])
        table.add_row(
            Text(one_line(column.name)[:40]), filled, Text(", ".join(kind)) + doubt, str(column.longest), such_as
        )
    console.print(table)
    if file.found:
        console.print(issue_table(file.issues.head(_MOST_SHOWN).iter_rows(named=True), values=True))
    if file.found > _MOST_SHOWN:
        console.print(f"and {file.found - _MOST_SHOWN:,} more findings")
