"""Steps 2 to 4: claim the sender's copy, stream it to landing, unpack it, see whether it came before, recognise it. The
ledger's claim is first."""

from collections.abc import Sequence

from import_project.errors import ComesAgain, FileChanged, FileVanished, NotAllowed, NotRecognised
from import_project.formats.registry import recognises
from import_project.logs import LOG
from import_project.packing.kinds import HEAD, kind_of
from import_project.pipeline.again import meeting, policy
from import_project.pipeline.aside import try_move_aside
from import_project.pipeline.hold import Facts, Held
from import_project.pipeline.logins import opened
from import_project.pipeline.places import held_path
from import_project.pipeline.unpack import is_packed, unpacked
from import_project.records.files import Arrival, ArrivalState, Landed, Listed, Staged
from import_project.records.outcomes import Counts
from import_project.sources.base import Source

#: What is read of a file to recognise its format.
_START = 1 << 18


async def receive(held: Held) -> Facts | None:
    """Bring the file's bytes into landing. None: nothing more is to be done with it, and it has ended.

    Raises FileVanished when it was gone before the claim, FileChanged when its facts moved meanwhile, ComesAgain when
    the feed does not want its like again, NotAllowed when it is too large, and NotRecognised when the content is not
    the feed's format.
    """
    arrival = held.arrival
    if arrival.sha256 is not None and not arrival.state.ended:
        landed = Landed(sha256=arrival.sha256, size=arrival.size)
        held.parts.ledger.arrivals.bring_again(held.claim, landed, held.parts.clock())
    sha256 = arrival.sha256 or await _content(held)
    if isinstance(sha256, tuple):
        await _end(held, ArrivalState.UNPACKED, told=f"not taken: {', '.join(sha256)}" if sha256 else None)
        return None
    arrivals = held.parts.ledger.arrivals
    namesakes = arrivals.namesakes(arrival)
    if state := unwanted(held, sha256, arrivals.bringer(held.feed, sha256), namesakes):
        await _end(held, state)
        return None
    if arrival.state is not ArrivalState.DONE:  # of one that is done the bytes may have been let go
        recognise(held, sha256)
    facts: dict[str, int | str] = {"bytes": arrival.size, "sha256": sha256, "name": arrival.name}
    if (before := _revised(held, sha256, namesakes)) is not None:
        facts["revision of"] = before.partition or before.name
    return facts


def _revised(held: Held, sha256: str, namesakes: Sequence[Arrival]) -> Arrival | None:
    """Return the file that came before under this name with other bytes, if any, and say so in the log."""
    before = next((a for a in reversed(namesakes) if a.sha256 != sha256), None)
    if before is not None:
        fields = {"feed": held.feed, "file": held.arrival.name, "partition": held.claim.partition}
        LOG.warning("revision", extra={"fields": {**fields, "of": before.partition}})
    return before


def recognise(held: Held, sha256: str) -> None:
    """Raise NotRecognised when the landed content is not the feed's format."""
    form = held.loaded.feed.format
    if not recognises(form.kind, held.parts.landing.head(sha256, _START), held.loaded.format_options):
        packed = kind_of(held.parts.landing.head(sha256, HEAD))
        do = f"it is packed ({packed}): say files.unpack" if packed else "look at it with `import-project inspect`"
        raise NotRecognised(f"the content is not {form.kind}", do=do)


async def _end(held: Held, state: ArrivalState, *, told: str | None = None) -> None:
    """End a file of which nothing more is imported."""
    held.parts.ledger.outcomes.conclude(held.claim, state, Counts(), {}, held.parts.clock(), error=told)
    await try_move_aside(held.parts, held.loaded, held.claim.partition)
    held.parts.ledger.arrivals.release(held.claim)


def unwanted(held: Held, sha256: str, bringer: Arrival, namesakes: Sequence[Arrival]) -> ArrivalState | None:
    """Hold a file against those before it under its name, and the one that brought its bytes. Returns the state to end
    it with, None to go on. Raises ComesAgain.

    One that has ended and is run again by hand has been decided about, and so has one whose rows are; only a duplicate
    stays one.
    """
    arrival, again = held.arrival, held.loaded.feed.files.again
    met = meeting(arrival, bringer, namesakes, sha256)
    mine = met in {"new", "same_name_new_bytes", "same_facts_new_bytes"}
    decided = mine and held.parts.ledger.decisions.any_decided(held.feed, sha256)
    if mine and not decided and _elsewhere_first(held, sha256):
        met, mine = "other_feed_same_bytes", False
    elif mine and (decided or arrival.state.ended):
        return None
    wanted = policy(again, met)
    if wanted == "quarantine" and not arrival.state.ended:
        told = met.replace("_", " ")
        raise ComesAgain(f"the feed refuses a file with {told}", do=f"look at it; files.again.{met} decides")
    if wanted == "skip":
        return ArrivalState.SKIPPED if mine else ArrivalState.DUPLICATE
    return None


def _elsewhere_first(held: Held, sha256: str) -> bool:
    """Whether another feed had the bytes first, and this one wants no second import of them."""
    wanted, state = held.loaded.feed.files.again.other_feed_same_bytes, held.arrival.state
    asks = {"skip": state is not ArrivalState.DONE, "quarantine": not state.ended}
    if not asks.get(wanted):
        return False
    first = held.parts.ledger.arrivals.first_bringer(sha256)
    return first is not None and first.feed != held.feed


async def _content(held: Held) -> str | tuple[str, ...]:
    """Fetch the bytes, unless they are here, and unpack them. Returns the content's sha256; of an archive, the members
    not taken."""
    arrivals, arrival = held.parts.ledger.arrivals, held.arrival
    if arrival.packed_sha256 is not None:
        landed = Landed(sha256=arrival.packed_sha256, size=arrival.size)
    elif arrival.state.ended:
        raise FileVanished("the file has ended, and its bytes never came", do="have it sent again")
    else:
        async with opened(held.parts, held.loaded) as source:
            landed = await fetch(held, source)
        if is_packed(held, landed):
            arrivals.packed(held.claim, landed)
    content = await unpacked(held, landed) if is_packed(held, landed) else landed
    if isinstance(content, Landed):
        arrivals.landed(held.claim, content, held.parts.clock())
        return content.sha256
    return content


async def fetch(held: Held, source: Source) -> Landed:
    """Claim the copy through an open source and bring its bytes into landing."""
    file, before = await _claimed(held, source)
    most = held.loaded.feed.files.max_bytes
    if before.size > most:
        do = f"files.max_bytes allows {most:,}: raise it if that is right"
        raise NotAllowed(f"the file has {before.size:,} bytes", do=do)
    _unchanged(held, held.arrival, before)
    landed = await held.parts.landing.receive(source.open(file, before.size), expected_size=before.size)
    _unchanged(held, before, await source.facts(file))
    return landed


async def _claimed(held: Held, source: Source) -> tuple[Staged, Listed]:
    """Hold the copy at the sender, or leave it where it lies if nothing may be moved there. Returns its facts too."""
    arrival, claim, feed = held.arrival, held.claim, held.loaded.feed
    arrivals = held.parts.ledger.arrivals
    stays = feed.source.read_only and arrival.claimed_as is None
    path = arrival.claimed_as or held_path(feed.files.folders, claim.partition, arrival.name)
    file = arrival.staged(arrival.name if stays else path)
    try:
        if not stays:
            arrivals.moved(claim, path)
            if not await source.claim(file):
                raise FileVanished("another took it")
            await _claim_done_file(held, source)
        return file, await source.facts(file)
    except FileVanished:
        arrivals.end(claim, ArrivalState.VANISHED)
        raise FileVanished("the file was gone before it was claimed") from None


async def _claim_done_file(held: Held, source: Source) -> None:
    """Take the done-file along, at once: a later one is the next file's."""
    files = held.loaded.feed.files
    name = files.done_name(held.arrival.name)
    if name is not None:
        held_as = held_path(files.folders, held.claim.partition, name)
        for listed in (await source.list(lambda other: other == name)).files:
            await source.claim(Staged(name=name, held_as=held_as, version=listed.version))


def _unchanged(held: Held, before: Arrival | Listed, now: Listed) -> None:
    """Raise FileChanged when size or mtime moved; the ledger then knows the new ones, for the next try to compare."""
    if before.facts != now.facts:
        held.parts.ledger.arrivals.changed(held.claim, now)
        told = f"{before.size} bytes of {before.mtime:%F %T} became {now.size} of {now.mtime:%F %T}"
        raise FileChanged(f"the sender still writes: {told}")
