"""`import-project postings`: what is posted. Listed, explained, sent again, settled, and held against the API."""

import asyncio
import getpass
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import click
from rich.table import Column, Table
from rich.text import Text

from import_project.cli.installation import all_feeds, installation, named_feed, print_json
from import_project.cli.outcome_table import table_console
from import_project.errors import ConfigError, one_line
from import_project.pipeline.audit import history
from import_project.pipeline.dead_letters import Word, find_posting, replay_postings, settle_posting, shown
from import_project.pipeline.parts import Parts
from import_project.pipeline.verify import Verified, verify_api
from import_project.records.postings import KeptPosting, PostingState

_MOST_SHOWN = 100
_SHORT, _WIDEST = 15, 60
_COLOURS = {"done": "green", "rejected": "red", "dead": "bold red", "unknown": "yellow"}
_OPEN = tuple(state for state in PostingState if state is not PostingState.DONE)


def list_postings(feed: str | None, states: Sequence[str], file: str | None, *, as_json: bool) -> None:
    """Print postings, in the order they were frozen."""
    if feed is not None:
        named_feed(feed)
    wanted = tuple(PostingState(s) for s in states) or _OPEN
    with installation() as parts:
        names = _FileNames(parts)
        kept = parts.ledger.dead_letters.kept(states=wanted, feed=feed)
        if as_json:
            print_json([shown(parts, one) for one in kept if file in {None, names.of(one)}])
            return
        closed = parts.ledger.apis.closed(parts.clock())
        rows, counts = list[tuple[KeptPosting, str]](), Counter[str]()
        for one in kept:
            if file in {None, names.of(one)}:
                counts[one.state] += 1
                if len(rows) < _MOST_SHOWN:
                    rows.append((one, names.of(one)))
    console = table_console()
    for api in closed:
        until = f"{api.closed_until:%Y-%m-%d %H:%M:%S} UTC"
        told = f"the API {api.api} is left in peace until {until}: {api.reason}"
        console.print(Text(one_line(told), style="yellow"))
    if not rows:
        console.print("no such posting: what is done is not listed without --state done")
        return
    table = Table("posting", "state", "row", Column("file", overflow="fold"), "path", "tries", "the API's words")
    for one, name in rows:
        values = (one.id, one.state, one.row_number, name, one.path, one.attempts, one.receipt or "-")
        cells = [Text(_cut(one_line(str(value)))) for value in values]
        cells[1].stylize(_COLOURS.get(one.state, ""))
        table.add_row(*cells)
    console.print(table)
    counted = ", ".join(f"{n:,} {state}" for state, n in counts.items())
    console.print(f"{_postings(sum(counts.values()))}: {counted}", highlight=False)
    if sum(counts.values()) > len(rows):
        console.print(f"the first {len(rows)} are shown: name a --feed, --file or --state, or say --json")


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def _postings(count: int) -> str:
    return f"{count:,} posting{'' if count == 1 else 's'}"


class _FileNames:
    """Names of files by feed and id, each asked for once."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._known = parts, dict[tuple[str, str], str]()

    def of(self, one: KeptPosting) -> str:
        key = (one.feed, one.sha256)
        if key not in self._known:
            self._known[key] = self._parts.ledger.arrivals.bringer(*key).name
        return self._known[key]


def show_posting(name: str, *, as_json: bool) -> None:
    """Print everything about one posting."""
    with installation() as parts:
        one = find_posting(parts, name)
        told = shown(parts, one) | {"history": history(parts, one)}
    if as_json:
        told["history"] = [{**h, "at": h["at"].isoformat(timespec="seconds")} for h in told["history"]]
    _print(told, as_json=as_json)


def _print(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(told)
        return
    lines = {
        "posting": f"{told['id']}, {told['kind']} of row {told['row_number']} of {told['file']} ({told['feed']})",
        "state": f"{told['state']}: {told['explained']}",
        "request": f"{told['method']} {told['path']} of the API {told['api']}",
        "key": told["key"],
        "body": told["body"],
        "tries": f"{told['attempts']}, the last change at {told['changed_at']}",
        "sent first": told["sent_at"] or "-",
        "answer": told["receipt"] or "-",
    }
    lines |= {f"{h['at']:%Y-%m-%d %H:%M:%S}": f"{h['told']} by {h['by']}" for h in told.get("history", ())}
    table = Table(show_header=False, box=None)
    for key, value in lines.items():
        table.add_row(Text(key, style="bold"), Text(one_line(str(value))))
    table_console().print(table)


def replay_named(
    names: Sequence[str], feed: str | None, state: str | None, by: str | None, note: str, *, as_json: bool
) -> None:
    """Send postings again with their keys: those that are named, or all in a state."""
    if bool(names) == (state is not None):
        raise ConfigError("name postings, or a --state of which all are replayed")
    word = Word(by=by or getpass.getuser(), note=note)
    if feed is not None:
        named_feed(feed)
    with installation() as parts:
        if names:
            some = [find_posting(parts, name) for name in dict.fromkeys(names)]
        else:
            some = list(parts.ledger.dead_letters.kept(states=(PostingState(state or ""),), feed=feed))
        told, refused = _replayed(parts, some, word, lost=False)
    _print_replayed(told, refused, as_json=as_json)


def replay_missing(
    names: Sequence[str], feed: str | None, state: str | None, by: str | None, note: str, *, as_json: bool
) -> None:
    """Send again what is done here and the API does not have, with the keys it always had."""
    if names or state is not None or feed is None:
        raise ConfigError("--missing is for all of one --feed, without names or --state")
    word, loaded = Word(by=by or getpass.getuser(), note=note), named_feed(feed)
    with installation() as parts:
        found = asyncio.run(verify_api(parts, loaded, None))
        some = [d.posting for d in found.differences if d.what == "missing" and d.posting is not None]
        told, refused = _replayed(parts, some, word, lost=True)
    _print_replayed(told, refused, as_json=as_json)


def _replayed(
    parts: Parts, some: Sequence[KeptPosting], word: Word, *, lost: bool
) -> tuple[list[dict[str, Any]], list[str]]:
    """Replay postings file by file. Returns how they stand, and why some were not."""
    by_file: defaultdict[tuple[str, str], list[KeptPosting]] = defaultdict(list)
    for one in some:
        by_file[one.feed, one.sha256].append(one)
    told, refused = list[dict[str, Any]](), list[str]()
    for (of_feed, _), mine in by_file.items():
        owner = f"postings-{uuid4().hex[:12]}"
        now, not_replayed = replay_postings(parts, named_feed(of_feed), mine, word, owner=owner, lost=lost)
        told += [shown(parts, one) for one in now]
        refused += not_replayed
    return told, refused


def _print_replayed(told: Sequence[dict[str, Any]], refused: Sequence[str], *, as_json: bool) -> None:
    for line in refused:
        click.echo(f"not replayed: {line}", err=True)
    if as_json:
        print_json(told)
        return
    counts = Counter(one["state"] for one in told)
    console = table_console()
    counted = ", ".join(f"now {n:,} {s}" for s, n in counts.items()) or "there was none"
    console.print(f"{_postings(len(told))} replayed: {counted}", highlight=False)
    if len(told) == 1:
        _print(told[0], as_json=False)


def settle_named(name: str, state: str, by: str | None, note: str, *, as_json: bool) -> None:
    """Take a person's word for what became of a posting."""
    word = Word(by=by or getpass.getuser(), note=note)
    with installation() as parts:
        one = find_posting(parts, name)
        owner = f"postings-{uuid4().hex[:12]}"
        now = settle_posting(parts, named_feed(one.feed), one, PostingState(state), word, owner=owner)
        told = shown(parts, now)
    _print(told, as_json=as_json)


def verify_postings(feed: str | None, days: int | None, *, as_json: bool) -> None:
    """Print what differs between APIs and the ledger; exit with 1 when anything does."""
    feeds = [named_feed(feed)] if feed is not None else [f for f in all_feeds() if f.routes]
    found: dict[str, Verified] = {}
    unasked: dict[str, str] = {}
    with installation() as parts:
        since = None if days is None else parts.clock() - timedelta(days=days)
        for loaded in feeds:
            try:
                found[loaded.name] = asyncio.run(verify_api(parts, loaded, since))
            except ConfigError as error:
                if feed is not None:
                    raise
                unasked[loaded.name] = error.what
    rows = [
        {"feed": name, "what": d.what, "key": d.key, "told": d.told}
        | {"posting": d.posting.id if d.posting else None, "row_number": d.posting.row_number if d.posting else None}
        for name, one in found.items()
        for d in one.differences
    ]
    if as_json:
        compared = {name: {"compared": one.compared, "unasked": one.unasked} for name, one in found.items()}
        print_json({"feeds": compared, "unasked": unasked, "differences": rows})
    else:
        _print_verified(found, unasked, rows)
    if rows:
        sys.exit(1)


def _print_verified(found: dict[str, Verified], unasked: dict[str, str], rows: Sequence[dict[str, Any]]) -> None:
    console = table_console()
    if rows:
        table = Table("feed", "what", "posting", "row", "key", "told")
        for row in rows[:_MOST_SHOWN]:
            cells = ["-" if row[n] is None else str(row[n]) for n in ("posting", "row_number")]
            table.add_row(row["feed"], row["what"], *cells, row["key"][:_SHORT], Text(one_line(row["told"])))
        console.print(table)
    for name, one in found.items():
        count = len(one.differences)
        verdict = f"{count:,} difference{'' if count == 1 else 's'}" if count else "all as the ledger says"
        console.print(f"{name}: {_postings(one.compared)} compared, {verdict}", markup=False, highlight=False)
        for path in one.unasked:
            console.print(f"{name}: {path} has no look_up and no listing: not compared", markup=False, highlight=False)
    for why in unasked.values():
        console.print(why, markup=False, highlight=False)
