"""`import-project files`: the outcomes in the ledger, and the files that have none yet."""

from rich.table import Column, Table
from rich.text import Text

from import_project.cli.installation import installation, known_feed, print_json
from import_project.cli.outcome_table import (
    box_of,
    is_narrow,
    outcome_rows,
    outcome_table,
    print_below,
    table_console,
)
from import_project.errors import one_line


def list_files(feed: str | None, *, as_json: bool) -> None:
    """Print one line for each file that has ended."""
    with installation() as parts:
        known_feed(parts, feed)
        rows = outcome_rows(parts.ledger.outcomes.all(feed))
    if as_json:
        print_json(rows)
        return
    console = table_console()
    console.print(outcome_table(rows) if rows else "no file has ended")
    if is_narrow():
        print_below(console, ((row["file"], row["error"]) for row in rows))


def list_open(feed: str | None, *, as_json: bool) -> None:
    """Print one line for each file that has not ended: its state, its last error, when it is tried again."""
    with installation() as parts:
        known_feed(parts, feed)
        found = parts.ledger.arrivals.open_files(feed)
    rows = [
        {
            "file": one.name,
            "feed": one.feed,
            "state": one.state.value,
            "first_seen_at": one.first_seen_at.isoformat(timespec="seconds"),
            "next_try_at": None if one.retry_at is None else one.retry_at.isoformat(timespec="seconds"),
            "run": one.owner,
            "error": one.error,
        }
        for one in found
    ]
    if as_json:
        print_json(rows)
        return
    narrow, console = is_narrow(), table_console()
    if not found:
        console.print("every file has ended")
        return
    heads = ("file", "feed", "state", *(() if narrow else ("first seen (UTC)",)), "next try (UTC)")
    table = Table(*heads, *(() if narrow else (Column("why", overflow="fold"),)), **box_of(narrow=narrow))
    for one in found:
        seen = () if narrow else (f"{one.first_seen_at:%Y-%m-%d %H:%M:%S}",)
        tried = "-" if one.retry_at is None else f"{one.retry_at:%Y-%m-%d %H:%M:%S}"
        why = () if narrow else (Text(one_line(one.error or ""), "red"),)
        table.add_row(Text(one.name), one.feed, one.state.value, *seen, tried, *why)
    console.print(table)
    if narrow:
        print_below(console, ((one.name, one.error) for one in found))
