"""Closing the loop: what an API holds against what the ledger says it does. Nothing is changed."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from import_project.config.load import LoadedFeed
from import_project.errors import ConfigError
from import_project.pipeline.parts import Parts
from import_project.posting.client import ImportApiClient
from import_project.posting.look_ups import differences, look_up, values_of
from import_project.records.endpoints import Listing, LookUp
from import_project.records.postings import KeptPosting, PostingKind, PostingState

_AT_ONCE = 500
#: What our keys begin with.
_OURS = "ip-"
_SETTLED = (PostingState.DONE, PostingState.REJECTED, PostingState.DEAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that the API and the ledger do not agree on. `posting` is None for what the ledger does not know."""

    what: str
    key: str
    told: str
    posting: KeptPosting | None = None


@dataclass(slots=True, kw_only=True)
class Verified:
    """How many postings were compared, what was found, and which endpoints cannot be asked."""

    compared: int = 0
    differences: list[Difference] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)


async def verify_api(parts: Parts, loaded: LoadedFeed, since: datetime | None) -> Verified:
    """Compare a feed's postings that were frozen since a moment (None: all) with what its API has.

    An endpoint with `listing` is read whole; one with `look_up` is asked for each posting. Missing: done here, not
    there. Unexpected: there, not done here. Differs: a field in `same` is not as it was posted. Raises ConfigError for
    a feed of which no endpoint can be asked, and what the API's client does.
    """
    found = Verified()
    endpoints = loaded.routes
    found.unasked = sorted({e.path for e in endpoints.values() if e.look_up is None and e.listing is None})
    if len(found.unasked) == len({e.path for e in endpoints.values()}):
        raise ConfigError(f"no endpoint of {loaded.name} has look_up or listing: it cannot be asked", feed=loaded.name)
    async with parts.open_api(loaded) as client:
        for listing in {e.listing for e in endpoints.values() if e.listing is not None}:
            kinds = {kind for kind, e in endpoints.items() if e.listing == listing}
            await _against_listing(parts, loaded, client, listing, kinds, since, found)
        asked = {k: e.look_up for k, e in endpoints.items() if e.listing is None and e.look_up is not None}
        await _against_look_ups(parts, loaded, client, asked, since, found)
    return found


async def _against_listing(
    parts: Parts,
    loaded: LoadedFeed,
    client: ImportApiClient,
    listing: Listing,
    kinds: set[PostingKind],
    since: datetime | None,
    found: Verified,
) -> None:
    seen: set[str] = set()
    async for page in _chunks(client.pages(listing.path)):
        items = [item for item in page if hasattr(item, "get")]
        by_key = {str(item.get(listing.key, "")): item for item in items}
        known = parts.ledger.dead_letters.by_keys(loaded.target, list(by_key))
        for key, item in by_key.items():
            if not key.startswith(_OURS):
                continue
            one = known.get(key)
            twice = key in seen or sum(str(i.get(listing.key, "")) == key for i in items) > 1
            seen.add(key)
            found.differences += _compared(key, one, item, listing.same, twice=twice)
    for one in _postings(parts, loaded, kinds, since, (PostingState.DONE,)):
        found.compared += 1
        if one.key not in seen:
            found.differences.append(_missing(one))


def _compared(
    key: str, one: KeptPosting | None, item: Mapping[str, Any], same: tuple[str, ...], *, twice: bool
) -> Iterator[Difference]:
    if one is None:
        yield Difference(what="unexpected", key=key, told="the ledger does not know it")
        return
    if twice:
        yield Difference(what="twice", key=key, posting=one, told="the API lists it more than once")
    if one.state is not PostingState.DONE:
        yield Difference(what="unexpected", key=key, posting=one, told=f"the API has it, here it is {one.state}")
    if names := differences(same, values_of(one), item):
        yield Difference(what="differs", key=key, posting=one, told=_difference(names, one, item))


def _difference(names: Iterable[str], one: KeptPosting, item: Mapping[str, Any]) -> str:
    values = values_of(one)
    return ", ".join(f"{n}: posted {values.get(n)!r}, the API has {item.get(n)!r}" for n in names)


def _missing(one: KeptPosting) -> Difference:
    return Difference(what="missing", key=one.key, posting=one, told="done here, the API does not have it")


async def _against_look_ups(
    parts: Parts,
    loaded: LoadedFeed,
    client: ImportApiClient,
    asked: Mapping[PostingKind, LookUp],
    since: datetime | None,
    found: Verified,
) -> None:
    postings = _postings(parts, loaded, set(asked), since, _SETTLED)
    places = asyncio.Semaphore(client.concurrency)

    async def ask(one: KeptPosting) -> list[Difference]:
        async with places:
            return await _looked_up(client, asked[one.kind], one)

    while some := list(itertools.islice(postings, _AT_ONCE)):
        found.compared += len(some)
        for differing in await asyncio.gather(*map(ask, some)):
            found.differences += differing


async def _looked_up(client: ImportApiClient, how: LookUp, one: KeptPosting) -> list[Difference]:
    there = await look_up(client, how, one)
    done = one.state is PostingState.DONE
    if len(there.alike) > 1:
        told = f"the API has it {len(there.alike)} times"
        return [Difference(what="twice", key=one.key, posting=one, told=told)]
    if there.alike and not done:
        told = f"the API has it, here it is {one.state}"
        return [Difference(what="unexpected", key=one.key, posting=one, told=told)]
    if there.other and done and not there.alike:
        names = differences(how.same, values_of(one), there.other[0])
        return [Difference(what="differs", key=one.key, posting=one, told=_difference(names, one, there.other[0]))]
    return [_missing(one)] if done and not there.alike else []


def _postings(
    parts: Parts,
    loaded: LoadedFeed,
    kinds: set[PostingKind],
    since: datetime | None,
    states: tuple[PostingState, ...],
) -> Iterator[KeptPosting]:
    if not kinds:
        return iter(())
    each = (
        parts.ledger.dead_letters.kept(states=(s,), feed=loaded.name, api=loaded.target, since=since) for s in states
    )
    return (one for one in itertools.chain.from_iterable(each) if one.kind in kinds)


async def _chunks(items: AsyncIterator[dict[str, Any]]) -> AsyncIterator[list[dict[str, Any]]]:
    some: list[dict[str, Any]] = []
    async for item in items:
        some.append(item)
        if len(some) == _AT_ONCE:
            yield some
            some = []
    if some:
        yield some
