"""`import-project doctor`: everything the feeds need, tried out and told in one table."""

import asyncio
import json
import os
import sys
from dataclasses import asdict

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from import_project.cli.outcome_table import table_console
from import_project.config.load import LoadedFeed, load_feeds
from import_project.config.settings import Settings
from import_project.errors import ConfigError
from import_project.pipeline.doctor import Finding, examine
from import_project.pipeline.parts import Parts
from import_project.pipeline.wiring import build_parts


def look(feed: str | None, *, as_json: bool) -> None:
    """Examine one feed or all, and print what was found. Raises ConfigError when something must be mended."""
    settings = Settings.read(os.environ)
    good, broken = load_feeds(settings.feeds, os.environ)
    unusable = [
        Finding(
            feed=one.path.stem, check="feed file", ok=False, told=one.error.what, do=one.error.do or "mend the file"
        )
        for one in broken
        if feed in {None, one.path.stem}
    ]
    wanted = [one for one in good if feed in {None, one.name}]
    if not wanted and not unusable:
        known = ", ".join(one.name for one in good)
        raise ConfigError(f"no feed {feed or ''} in {settings.feeds}", do=f"known are {known}" if known else None)
    parts = build_parts(settings, os.environ)
    try:
        with Console(stderr=True).status("trying out"):
            findings = unusable + asyncio.run(_examine_all(parts, wanted))
    finally:
        parts.close()
    if as_json:
        json.dump([asdict(f) for f in findings], sys.stdout, ensure_ascii=False, indent=2)
        print()
    else:
        _show(findings)
    failed = sum(not f.ok for f in findings)
    if failed:
        raise ConfigError(f"{failed} of {len(findings)} checks failed", do="beside each stands how to mend it")


async def _examine_all(parts: Parts, feeds: list[LoadedFeed]) -> list[Finding]:
    async def one(feed: LoadedFeed) -> list[Finding]:
        found = []
        try:
            async for finding in examine(parts, feed):
                found.append(finding)  # noqa: PERF401 - what was found before an error is kept
        except Exception as error:  # noqa: BLE001 - one feed's trouble hides no other's
            told = f"{type(error).__name__}: {error}"
            found.append(
                Finding(feed=feed.name, check="defect", ok=False, told=told, do="this is ours; please report it")
            )
        return found

    return [finding for found in await asyncio.gather(*map(one, feeds)) for finding in found]


def _show(findings: list[Finding]) -> None:
    table = Table("feed", "check", "", Column("found", overflow="fold"), Column("do", overflow="fold"))
    for f in findings:
        sign = Text("ok", style="green") if f.ok else Text("no", style="bold red")
        table.add_row(Text(f.feed), f.check, sign, Text(f.told), Text(f.do or ""))
    table_console().print(table)
