"""The installation that a command works on: its parts, its feeds, and JSON for machines. No command of its own."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from import_project.config.load import LoadedFeed, load_feeds
from import_project.config.settings import Settings
from import_project.errors import ConfigError
from import_project.pipeline.parts import Parts
from import_project.pipeline.wiring import build_parts


@contextmanager
def installation(*, new: bool = False) -> Iterator[Parts]:
    """Open the parts of the installation that the environment names. Raises ConfigError when there is none, unless it
    may be a `new` one."""
    settings = Settings.read(os.environ)
    if settings.ledger is None and not settings.home.is_dir() and not new:
        raise ConfigError(
            f"no ledger in {settings.home.absolute()}", do="set IMPORT_PROJECT_HOME; the demo's is .demo/state"
        )
    parts = build_parts(settings, os.environ)
    try:
        yield parts
    finally:
        parts.close()


def named_feed(name: str) -> LoadedFeed:
    """Return a feed by its name. Raises ConfigError, with what is wrong with its file, when there is none."""
    good, broken = load_feeds(Settings.read(os.environ).feeds, os.environ)
    for one in good:
        if one.name == name:
            return one
    raise next((b.error for b in broken if b.name == name), ConfigError(f"no feed {name}"))


def known_feed(parts: Parts, name: str | None) -> None:
    """Raise ConfigError for a name that no feed has, and no file was ever seen under."""
    if name is not None and name not in parts.ledger.sightings.states():
        named_feed(name)


def all_feeds() -> list[LoadedFeed]:
    """Return all feeds that can be used."""
    return load_feeds(Settings.read(os.environ).feeds, os.environ)[0]


def print_json(told: Any) -> None:
    """Print JSON to stdout."""
    json.dump(told, sys.stdout, ensure_ascii=False, indent=2)
    print()
