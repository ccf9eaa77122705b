"""The one table of outcomes that `files` and `demo` print."""

import os
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from import_project.errors import one_line
from import_project.records.outcomes import Outcome

COLUMNS = ("file", "feed", "rows", "accepted", "quarantined", "matched", "unmatched", "posted", "state", "seconds")
#: Told in JSON always, in the table where there is something to tell.
MORE = ("repeated", "rejected", "dead", "skipped", "replayed", "error")
#: Below this width of a terminal, the table is drawn without lines, and these columns are left to `--json`.
_WIDE, _LEFT_OUT = 110, frozenset({"matched", "unmatched", "seconds", "skipped", "replayed", "error"})
_COLOURS = {"done": "green", "failed": "red", "duplicate": "yellow"}


def table_console(*, stderr: bool = False) -> Console:
    """Return a console wide enough for the table where its width is nobody's terminal's."""
    console = Console(stderr=stderr)
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(stderr=stderr, width=160)


def is_narrow() -> bool:
    """Whether the terminal is too narrow for tables with all they could show."""
    return table_console().width < _WIDE


def box_of(*, narrow: bool) -> dict[str, Any]:
    """Return how a table is drawn: in a narrow terminal without lines."""
    return {"box": box.SIMPLE, "pad_edge": False} if narrow else {}


def print_below(console: Console, told: Iterable[tuple[str, str | None]]) -> None:
    """Print what a narrow table has no room for: a line for each name that has something to tell."""
    for name, text in told:
        if text:
            console.print(Text.assemble(f"{name}: ", (one_line(text), "red")), soft_wrap=True)


def outcome_rows(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """Return each outcome under the names of `COLUMNS`."""
    return [
        {
            "file": o.name,
            "feed": o.feed,
            "rows": o.counts.rows,
            "accepted": o.counts.accepted,
            "quarantined": o.counts.quarantined,
            "matched": o.counts.matched,
            "unmatched": o.counts.unmatched,
            "posted": o.counts.posted,
            "state": o.state,
            "seconds": round(o.seconds, 1),
            "repeated": o.counts.repeated,
            "rejected": o.counts.rejected,
            "dead": o.counts.dead,
            "skipped": o.counts.skipped,
            "replayed": o.counts.replayed,
            "error": o.error,
        }
        for o in sorted(outcomes, key=lambda o: (o.name, o.started_at))
    ]


def outcome_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return the rows as a table for the terminal; where it is narrow, errors are for `print_below`."""
    columns = [*COLUMNS, *(name for name in MORE if any(row[name] for row in rows))]
    narrow = is_narrow()
    if narrow:
        columns = [c for c in columns if c not in _LEFT_OUT]
    heads = [Column(c, overflow="fold") if c in {"file", "error"} else Column(c) for c in columns]
    table = Table(*heads, **box_of(narrow=narrow))
    for row in rows:
        cells = [Text("-" if row[c] is None else str(row[c])) for c in columns]
        cells[columns.index("state")].stylize(_COLOURS.get(row["state"], ""))
        table.add_row(*cells)
    return table
