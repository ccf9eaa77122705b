"""A file's steps as a dry run: what a run would do now, with nothing claimed, decided, posted or moved.

A real run's functions do the work wherever they only read. Tables go to the run's own folder; the ledger is only read,
but for the note that a step was tried: the claim of a dry run has a token that every write to the ledger refuses.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from hashlib import sha256 as digest

import polars as pl

from import_project.config.load import LoadedFeed
from import_project.errors import ConfigError, FileVanished, ImportProjectError, NotConserved
from import_project.pipeline.conclude import kinds_of, sums_of
from import_project.pipeline.freeze import REPEATED, WOULD_POST, waiting, would_decide
from import_project.pipeline.hold import Facts, Held
from import_project.pipeline.lease import Lease
from import_project.pipeline.logins import opened
from import_project.pipeline.open_invoices import fetch_invoices
from import_project.pipeline.parts import Parts
from import_project.pipeline.post import accepted_rows, drafts_of
from import_project.pipeline.read import parse_file, rows_parsed, validate_rows
from import_project.pipeline.receive import recognise, unwanted
from import_project.pipeline.reconcile import reconcile
from import_project.pipeline.retired import as_it_was
from import_project.pipeline.tell import tell_step
from import_project.records.files import Arrival, ArrivalState, Claim
from import_project.records.postings import PostingKind
from import_project.records.steps import StepState

_REFUSED = -1
_RECEIVED = "received"


def dry_step(parts: Parts, loaded: LoadedFeed, partition: str, *, owner: str, step: str) -> Facts | None:
    """Try a step of a file, by its name. Raises what the real step would raise; the file stays as it is."""
    arrival = parts.ledger.arrivals.of(loaded.name, partition)
    claim = Claim(arrival_id=arrival.id, feed=loaded.name, partition=partition, owner=owner, token=_REFUSED)
    known = replace(arrival, sha256=file_id(parts, loaded.name, partition))
    lease = Lease(parts.lease)
    held = Held(parts=parts, loaded=loaded, arrival=known, claim=claim, lease=lease)
    began = parts.clock()
    attempt = parts.ledger.steps.begin(arrival.id, owner, step, began, dry_run=True)
    state, told, facts = StepState.FAILED, None, None
    try:
        facts = asyncio.run(_awaited(held, step))
        state = StepState.DONE
    except BaseException as error:
        told = type(error).__name__
        if isinstance(error, ImportProjectError):
            told = str(error.at(feed=loaded.name, file=arrival.name))
        if isinstance(error, parts.interrupts):
            state = StepState.CUT_OFF
        raise
    finally:
        now = parts.clock()
        parts.ledger.steps.end(attempt, state, now, error=told, facts=facts)
        where = {"feed": loaded.name, "file": arrival.name, "partition": partition, "run": owner, "dry_run": "true"}
        tell_step(where, step, (now - began).total_seconds(), told)
    return facts


def file_id(parts: Parts, feed: str, partition: str) -> str | None:
    """Return the sha256 of a file's content; of one that a dry run has read before any run, what that noted."""
    arrival = parts.ledger.arrivals.of(feed, partition)
    if arrival.sha256 is not None or not parts.tables.has(feed, _RECEIVED, _key(partition)):
        return arrival.sha256
    return str(parts.tables.read(feed, _RECEIVED, _key(partition))["sha256"][0])


async def _awaited(held: Held, step: str) -> Facts | None:
    return await _STEPS[step](held)


async def _receive(held: Held) -> Facts | None:
    """Read the file where it lies, unless its bytes have landed; nobody is kept from it."""
    arrival, parts = held.arrival, held.parts
    if held.loaded.feed.files.unpack is not None and arrival.sha256 is None:
        raise ConfigError("a dry run opens no packed file", do="run it; the files in it are partitions of their own")
    sha256 = arrival.sha256 or await _read(held, arrival)
    noted = pl.DataFrame({"sha256": [sha256]})
    parts.tables.write(held.feed, _RECEIVED, _key(held.claim.partition), noted)
    arrivals = parts.ledger.arrivals
    if unwanted(held, sha256, arrivals.brought(arrival, sha256), arrivals.namesakes(arrival)):
        return None
    if arrival.state is not ArrivalState.DONE:
        recognise(held, sha256)
    return {"bytes": arrival.size, "sha256": sha256, "name": arrival.name}


async def _read(held: Held, arrival: Arrival) -> str:
    if arrival.state.ended:
        raise FileVanished("the file has ended, and its bytes never came", do="have it sent again")
    file = arrival.staged(arrival.claimed_as or arrival.name)
    async with opened(held.parts, held.loaded) as source:
        size = (await source.facts(file)).size
        return (await held.parts.landing.receive(source.open(file, size), expected_size=size)).sha256


async def _post_rows(held: Held) -> Facts:
    if held.retired:
        return {"would post": waiting(held).total()}
    accepted = pl.concat(list(accepted_rows(held)), how="diagonal")
    return would_decide(held, accepted, drafts_of(held, accepted))


def _posting(*kinds: PostingKind) -> Callable[[Held], Awaitable[Facts]]:
    async def would_post(held: Held) -> Facts:
        new: dict[str, int] = {}
        if held.parts.tables.has(held.feed, WOULD_POST, held.sha256):
            new = dict(held.parts.tables.read(held.feed, WOULD_POST, held.sha256).iter_rows())
        frozen = waiting(held)
        return {"would post": sum(new.get(kind.value, 0) + frozen[kind] for kind in kinds)}

    return would_post


async def _conclude(held: Held) -> Facts:
    if held.retired:
        return as_it_was(held)
    tables = held.parts.tables
    rows = {table: tables.rows(held.feed, table, held.sha256) for table in ("accepted", "quarantined")}
    total = rows_parsed(held)
    if total != sum(rows.values()):
        raise NotConserved(f"{total} rows, {rows['accepted']} accepted, {rows['quarantined']} quarantined")
    kinds: Counter[str] = kinds_of(held)
    facts: dict[str, int | str] = {"rows": total, **rows, **dict(sorted(kinds.items()))}
    facts |= {"repeated": kinds[REPEATED]}
    return facts | {f"sum {currency}": f"{amount:.2f}" for currency, amount in sums_of(held).items()}


def _key(partition: str) -> str:
    return digest(partition.encode()).hexdigest()


_STEPS: Mapping[str, Callable[[Held], Awaitable[Facts | None]]] = {
    "receive": _receive,
    "parse_file": parse_file,
    "validate_rows": validate_rows,
    "fetch_invoices": fetch_invoices,
    "reconcile": reconcile,
    "post_matched": _posting(PostingKind.MATCHED, PostingKind.CREDIT),
    "post_unmatched": _posting(PostingKind.UNMATCHED),
    "post_rows": _post_rows,
    "conclude": _conclude,
}
