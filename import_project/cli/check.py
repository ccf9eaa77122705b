"""`import-project check`: what would happen to a file of a feed. Nothing is kept, called or sent."""

import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from import_project.cli.issue_table import issue_table
from import_project.cli.outcome_table import table_console
from import_project.cli.rows import opened
from import_project.config.load import LoadedFeed, load_feeds
from import_project.config.settings import Settings
from import_project.errors import ConfigError, ImportProjectError, NotBookable, one_line
from import_project.pipeline.check import Checked, check_file

_MOST_SHOWN = 20


def check(file: Path, feed: str, *, as_json: bool) -> None:
    """Print what would become of the file. Raises NotBookable when a part of it, or all, would be set aside."""
    loaded = named_feed(feed)
    try:
        checked = check_file(loaded, partial(opened, file))
    except ImportProjectError as error:
        raise error.at(feed=feed, file=str(file)) from None
    if as_json:
        json.dump(summary(checked), sys.stdout, ensure_ascii=False, indent=2)
        print()
    else:
        show(checked, table_console())
    if checked.refused:
        raise NotBookable(f"the file would be refused: {checked.refused}", feed=feed, file=str(file))
    if checked.quarantined:
        raise NotBookable(
            f"{checked.quarantined:,} of {checked.rows:,} would be quarantined", feed=feed, file=str(file)
        )


def named_feed(feed: str) -> LoadedFeed:
    """Return a feed of the installation. Raises ConfigError when it is broken, or there is none."""
    settings = Settings.read(os.environ)
    good, broken = load_feeds(settings.feeds, os.environ)
    for one in good:
        if one.name == feed:
            return one
    for other in broken:
        if other.path.stem == feed:
            raise other.error
    known = ", ".join(one.name for one in good)
    raise ConfigError(f"no feed {feed} in {settings.feeds}", do=f"known are {known}" if known else None)


def summary(checked: Checked) -> dict[str, Any]:
    """Return counts, reasons and the first findings."""
    reasons = [
        {"severity": severity, "column": column or None, "rule": rule, "count": count}
        for (severity, column, rule), count in sorted(checked.reasons.items())
    ]
    issues = [{k: v for k, v in i.items() if v is not None} for i in checked.issues.iter_rows(named=True)]
    return {
        "feed": checked.feed,
        "format": checked.format,
        "rows": checked.rows,
        "accepted": checked.accepted,
        "quarantined": checked.quarantined,
        "skipped": checked.skipped,
        "would_post": checked.would_post,
        "posted_to": checked.posted_to,
        "refused": checked.refused,
        "first": checked.first,
        "reasons": reasons,
        "issues": issues,
    }


def show(checked: Checked, console: Console) -> None:
    """Print the same for people."""
    table = Table("feed", "format", "rows", "accepted", "quarantined", "skipped", "would post", "to")
    counts = (checked.rows, checked.accepted, checked.quarantined, checked.skipped, checked.would_post)
    table.add_row(checked.feed, checked.format, *(f"{n:,}" for n in counts), Text(checked.posted_to))
    console.print(table)
    if checked.reasons:
        why = Table("severity", "column", "rule", "count")
        for (severity, column, rule), count in sorted(checked.reasons.items(), key=lambda item: -item[1]):
            style = "red" if severity == "error" else "yellow"
            why.add_row(Text(severity, style=style), Text(one_line(column or "-")), rule, f"{count:,}")
        console.print(why)
        console.print(issue_table(checked.issues.head(_MOST_SHOWN).iter_rows(named=True), values=True))
    if checked.first is not None and checked.would_post:
        console.print("the first that would be posted:")
        console.print_json(json.dumps(checked.first, ensure_ascii=False))
    console.print("Nothing was kept, called or sent; rows that came with an earlier file are not looked up here.")
