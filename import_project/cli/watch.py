"""`import-project watch`: the installation at a glance, refreshed in place. What is shown is `pipeline.overview`'s."""

import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from import_project.cli.installation import installation, print_json
from import_project.cli.outcome_table import table_console
from import_project.config.load import load_feeds
from import_project.config.settings import Settings
from import_project.errors import one_line
from import_project.pipeline.overview import Overview, overview
from import_project.pipeline.parts import Parts

_UNDER_WAY = ("seen", "ready", "claimed", "landed")
_ENDED = ("done", "failed", "cancelled", "duplicate", "skipped", "unpacked", "vanished")
_COLOURS = {"done": "green", "failed": "red", "duplicate": "yellow", "skipped": "yellow"}


def watch(every: float, *, compact: bool, once: bool, as_json: bool) -> None:
    """Show the overview until Ctrl-C, or once."""
    with installation() as parts:
        if as_json:
            print_json(_values(_look(parts)))
            return
        show = compact_view if compact else full_view
        if once:
            table_console().print(show(_look(parts)))
            return
        console = Console()
        with Live(show(_look(parts)), console=console, screen=console.is_terminal, auto_refresh=False) as live:
            while True:
                time.sleep(every)
                live.update(show(_look(parts)), refresh=True)


def _look(parts: Parts) -> Overview:
    good, broken = load_feeds(Settings.read(os.environ).feeds, os.environ)
    return overview(parts, [f.name for f in good], {b.name: b.error.line for b in broken})


def _values(found: Overview) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [plain(v) for v in value]
        return value if isinstance(value, int | float | bool | None) else str(value)

    told: dict[str, Any] = plain(asdict(found))
    return told | {"rows_per_second": round(found.rows_per_second, 1)}


def compact_view(found: Overview) -> RenderableType:
    """Return one line a feed, and one of all that is in trouble."""
    lines = [_head(found)]
    for feed in found.feeds:
        states = " ".join(f"{state} {n}" for state in (*_UNDER_WAY, *_ENDED) if (n := feed.states.get(state)))
        working = [a for a in found.working if a.feed == feed.feed]
        now = " | cannot be polled" if feed.error else ""
        now += f" | {len(working)} at work: {working[0].step}" if working else ""
        lines.append(Text(f"{feed.feed}: {states or 'no file yet'}{now}", no_wrap=True, overflow="ellipsis"))
    return Group(*lines, *_troubles(found, most=3))


def full_view(found: Overview) -> RenderableType:
    """Return tables of feeds, of those at work, of APIs and of what ended last, and all that is in trouble."""
    views: list[RenderableType] = [_head(found), _feeds(found)]
    views += [_working(found)] if found.working else []
    views += [_apis(found)] if found.apis else []
    views += [_recent(found)] if found.recent else []
    return Group(*views, *_troubles(found, most=10))


def _head(found: Overview) -> Text:
    alive = "never" if found.evaluated_at is None else f"{_ago(found.at, found.evaluated_at)} ago"
    told = Text(f"{found.at:%Y-%m-%d %H:%M:%S} UTC", style="bold")
    told.append(
        f"  feeds evaluated {alive}  last hour: {found.files_ended} files, {found.rows_ended:,} rows", "default"
    )
    if found.rows_ended:
        told.append(f", {found.rows_per_second:,.0f} rows a second of work", "default")
    return told


def _feeds(found: Overview) -> Table:
    shown = [s for s in (*_UNDER_WAY, *_ENDED) if any(feed.states.get(s) for feed in found.feeds)]
    table = Table("feed", "polled", "listed", *shown, "last file", title="feeds", title_justify="left")
    for feed in found.feeds:
        polled = Text("-" if feed.polled_at is None else f"{_ago(found.at, feed.polled_at)} ago")
        polled = Text("fails", "red") if feed.error else polled
        counts = [Text(str(feed.states.get(s, "")), _COLOURS.get(s, "cyan")) for s in shown]
        last = Text("-") if feed.last is None else Text(feed.last.name, _COLOURS.get(feed.last.state, ""))
        table.add_row(feed.feed, polled, str(feed.listed), *counts, last)
    return table


def _working(found: Overview) -> Table:
    table = Table("file", "feed", "step", "for", "run", title="at work", title_justify="left")
    for one in found.working:
        dry = " (dry run)" if one.dry_run else ""
        table.add_row(Text(one.file), one.feed, one.step + dry, _ago(found.at, one.started_at), one.run[:8])
    return table


def _apis(found: Overview) -> Table:
    table = Table("API", "to send", "dead", Column("state", overflow="fold"), title="APIs", title_justify="left")
    for one in found.apis:
        closed = one.health.closed_until is not None and one.health.closed_until > found.at
        state = Text("ok", "green")
        if closed:
            state = Text(f"paused until {one.health.closed_until:%H:%M:%S}: {one_line(one.health.reason)}", "red")
        dead = Text(str(one.dead), "red" if one.dead else "")
        table.add_row(one.api, f"{one.unsent:,}", dead, state)
    return table


def _recent(found: Overview) -> Table:
    table = Table("ended", "file", "feed", "rows", "quarantined", "seconds", "state", title="last files")
    table.title_justify = "left"
    for one in found.recent:
        state, counts = Text(one.state, _COLOURS.get(one.state, "")), one.counts
        when, seconds = f"{_ago(found.at, one.finished_at)} ago", f"{one.seconds:.1f}"
        table.add_row(when, Text(one.name), one.feed, f"{counts.rows:,}", f"{counts.quarantined:,}", seconds, state)
    return table


def _troubles(found: Overview, most: int) -> Iterator[Text]:
    told = [
        f"{a.feed}: {a.name} is tried again{'' if a.retry_at is None else f' at {a.retry_at:%H:%M:%S}'}: {a.error}"
        for a in found.troubled
    ]
    told = [f"{f.feed} cannot be polled: {f.error}" for f in found.feeds if f.error] + told
    told += [f"{f.feed}: {f.last.name}: {f.last.error}" for f in found.feeds if f.last is not None and f.last.error]
    told += [f"{found.undelivered} alerts wait to be sent"] if found.undelivered else []
    for text in told[:most]:
        yield Text(one_line(text), "red", no_wrap=True, overflow="ellipsis")
    if len(told) > most:
        yield Text(f"and {len(told) - most} more", "red")


def _ago(now: datetime, then: datetime) -> str:
    seconds = max((now - then).total_seconds(), 0)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"
