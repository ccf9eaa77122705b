"""What a poll does at the sender beside listing: it moves ended files aside, and finds what nobody holds any more.

It comes after the listing is recorded and is bounded in number and time, so that no trouble here hides a new file.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

from import_project.config.load import LoadedFeed
from import_project.errors import SourceError, SourceUnreachable
from import_project.pipeline.aside import move_aside, watched
from import_project.pipeline.compare import occurrence
from import_project.pipeline.parts import Parts
from import_project.pipeline.strays import compare_strays
from import_project.records.files import Arrival
from import_project.sources.base import Source

_AT_ONCE = 50
_SECONDS = 10.0


async def tidy(
    parts: Parts, loaded: LoadedFeed, source: Source, before: Sequence[Arrival], wanted: Callable[[str], bool]
) -> list[str]:
    """Tidy up through an open source. Returns what a person should look at; a source that fails is among it."""
    if loaded.feed.source.read_only:
        return []
    problems: list[str] = []
    try:
        async with asyncio.timeout(_SECONDS):
            await _look_for_strays(parts, loaded, source, before, wanted)
            problems += await _move_the_ended(parts, loaded, source, before)
    except SourceError as error:
        problems.append(str(error.at(feed=loaded.name)))
    except TimeoutError:
        problems.append(f"setting files aside took more than {_SECONDS:.0f} seconds; the next poll goes on")
    return problems


async def _move_the_ended(parts: Parts, loaded: LoadedFeed, source: Source, before: Sequence[Arrival]) -> list[str]:
    """Move some of the files that wait for it, other ones each time; those that cannot be moved are told as one."""
    now = parts.clock()
    due = [a for a in before if a.aside_due and not a.held(now) and not watched(loaded, a, now)]
    turn = int(now.timestamp()) % len(due) if due else 0
    problems: list[str] = []
    failed: list[SourceError] = []
    for arrival in (due[turn:] + due[:turn])[:_AT_ONCE]:
        try:
            aside = await move_aside(parts, loaded, source, arrival)
            problems += [aside.problem] if aside.problem else []
        except SourceError as error:
            error.at(feed=loaded.name, file=arrival.name)
            failed.append(error)
            if isinstance(error, SourceUnreachable):
                break  # the connection is gone
    if failed:
        more = f" (and {len(failed) - 1} more files)" if len(failed) > 1 else ""
        problems.append(f"{failed[0]}{more}")
    return problems


async def _look_for_strays(
    parts: Parts, loaded: LoadedFeed, source: Source, before: Sequence[Arrival], wanted: Callable[[str], bool]
) -> None:
    """Find what stands claimed and is nobody's; one that stays so becomes ours."""
    ledger, files, now = parts.ledger.sightings, loaded.feed.files, parts.clock()
    found = await source.held(files.folders.processing)
    strays = compare_strays(
        found,
        [a for a in before if a.stray],
        owned=ledger.owned([c.held_as for c in found]),
        wanted=lambda name: wanted(name) and not files.is_done_file(name),
        after=timedelta(seconds=files.adopt_after_seconds),
        now=now,
    )
    ledger.vanish(strays.gone)
    ledger.adopt(strays.adopt)
    if strays.new:
        namesakes = ledger.named(loaded.name, [file.name for file, _ in strays.new])
        ledger.see_stray(loaded.name, [(f, occurrence(f, namesakes), path) for f, path in strays.new], now)
