"""`import-project feeds check`: what is wrong with which feed file."""

import os
from pathlib import Path

from rich.console import Console
from rich.table import Table

from import_project.config.load import load_feeds
from import_project.config.settings import Settings
from import_project.config.workspaces import load_workspaces
from import_project.errors import ConfigError


def _workspaces(folder: Path, feeds: set[str]) -> list[str]:
    """Return what is wrong with the workspaces of the front desk, and which of their feeds there are not."""
    found, broken = load_workspaces(folder, os.environ)
    told = [one.error.what for one in broken]
    for one in found.values():
        told += [f"workspaces/{one.workspace}.yaml: feeds: there is no feed {n}" for n in one.feeds if n not in feeds]
    return told


def check_feeds(folder: Path) -> None:
    """Print the feeds that are right. Raises ConfigError for the last that is not, or the last workspace, after a line
    for each other."""
    Settings.read(os.environ)  # a mistyped variable of ours is a mistake too
    good, broken = load_feeds(folder, os.environ)
    table = Table("feed", "kind", "source", "files", "format", "api")
    for loaded in good:
        feed = loaded.feed
        pattern = feed.files.pattern.glob or feed.files.pattern.regex or feed.files.pattern.dated or ""
        table.add_row(feed.feed, feed.kind, feed.source.kind, pattern, feed.format.kind, loaded.target)
    if good:
        Console().print(table)
    told = list(dict.fromkeys(one.error.what for one in broken))  # an API's mistake breaks several feeds
    told += _workspaces(folder, {feed.name for feed in good})
    for line in told[:-1]:
        Console(stderr=True).print(f"error: {line}", markup=False, highlight=False, soft_wrap=True)
    if told:
        raise ConfigError(told[-1])
    if not good:
        raise ConfigError(f"no feed in {folder}", do="a feed is a file named *.yaml")
