"""`import-project files`: the outcomes in the ledger, and the files that have none yet."""

from rich.table import Column, Table
from rich.text import Text

from import_project.cli.installation import installation, print_json
from import_project.cli.outcome_table import outcome_rows, outcome_table, table_console
from import_project.errors import one_line


def list_files(feed: str | None, *, as_json: bool) -> None:
    """Print one line for each file that has ended."""
    with installation() as parts:
        rows = outcome_rows(parts.ledger.outcomes.all(feed))
    if as_json:
        print_json(rows)
    else:
        table_console().print(outcome_table(rows))


def list_open(feed: str | None, *, as_json: bool) -> None:
    """Print one line for each file that has not ended: its state, its last error, when it is tried again."""
    with installation() as parts:
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
    table = Table("file", "feed", "state", "first seen (UTC)", "next try (UTC)", Column("why", overflow="fold"))
    for one in found:
        tried = "-" if one.retry_at is None else f"{one.retry_at:%Y-%m-%d %H:%M:%S}"
        why = Text(one_line(one.error or ""), "red")
        table.add_row(Text(one.name), one.feed, one.state.value, f"{one.first_seen_at:%Y-%m-%d %H:%M:%S}", tried, why)
    table_console().print(table)
