"""The one table of findings that several commands print."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from import_project.errors import one_line


def issue_table(issues: Iterable[Mapping[str, Any]], *, values: bool = False) -> Table:
    """Return findings as a table for the terminal; with `values`, where they are and what stands there."""
    more = ("column", "value") if values else ()
    table = Table("severity", "row", *more, "rule", "message")
    for issue in issues:
        severity = Text(issue["severity"], style="red" if issue["severity"] == "error" else "yellow")
        number = issue.get("row_number")
        cells = [Text(one_line(str(issue.get(c) or "-"))[:60]) for c in more]
        table.add_row(severity, str(number or "-"), *cells, issue["rule"], Text(one_line(issue["message"])))
    return table
