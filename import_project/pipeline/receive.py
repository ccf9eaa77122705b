"""Steps 2 to 4: claim the sender's copy, stream it to landing, unpack it, see whether it came before, recognise it. The
ledger's claim is first."""

from import_project.errors import ComesAgain, FileChanged, FileVanished, NotRecognised
from import_project.formats.registry import format_named
from import_project.packing.kinds import HEAD, kind_of
from import_project.pipeline.again import meeting, policy
from import_project.pipeline.aside import try_move_aside
from import_project.pipeline.hold import Facts, Held
from import_project.pipeline.places import held_path
from import_project.pipeline.unpack import unpacked
from import_project.records.files import Arrival, ArrivalState, Landed, Listed, Staged
from import_project.records.outcomes import Counts
from import_project.sources.base import Source

#: What is read of a file to recognise its format.
_START = 1 << 18


async def receive(held: Held) -> Facts | None:
    """Bring the file's bytes into landing. None: nothing more is to be done with it, and it has ended.

    Raises FileVanished when it was gone before the claim, FileChanged when its facts moved meanwhile, ComesAgain when
    the feed does not want its like again, and NotRecognised when the content is not the feed's format.
    """
    arrival = held.arrival
    sha256 = arrival.sha256 or await _fetch(held)
    if isinstance(sha256, tuple):
        await _end(held, ArrivalState.UNPACKED, told=f"not taken: {', '.join(sha256)}" if sha256 else None)
        return None
    if state := _unwanted(held, sha256):
        await _end(held, state)
        return None
    form = held.loaded.feed.format
    if not format_named(form.kind).recognise(held.parts.landing.head(sha256, _START), **form.options):
        packed = kind_of(held.parts.landing.head(sha256, HEAD))
        do = f"it is packed ({packed}): say files.unpack" if packed else "look at it with `import-project inspect`"
        raise NotRecognised(f"the content is not {form.kind}", do=do)
    return {"bytes": arrival.size, "sha256": sha256, "name": arrival.name}


async def _end(held: Held, state: ArrivalState, *, told: str | None = None) -> None:
    """End a file of which nothing more is imported."""
    held.parts.ledger.outcomes.conclude(held.claim, state, Counts(), {}, held.parts.clock(), error=told)
    await try_move_aside(held.parts, held.loaded, held.claim.partition)
    held.parts.ledger.arrivals.release(held.claim)


def _unwanted(held: Held, sha256: str) -> ArrivalState | None:
    """Hold a landed file against those before it. Returns the state to end it with, None to go on.

    A file that has ended and is run again by hand has been decided about; only a duplicate stays one.
    """
    arrivals, arrival = held.parts.ledger.arrivals, held.arrival
    met = meeting(arrival, arrivals.bringer(held.feed, sha256), arrivals.namesakes(arrival), sha256)
    if arrival.state.ended and met in {"new", "same_name_new_bytes", "same_facts_new_bytes"}:
        return None
    wanted = policy(held.loaded.feed.files.again, met)
    if wanted == "quarantine" and not arrival.state.ended:
        told = met.replace("_", " ")
        raise ComesAgain(f"the feed refuses a file with {told}", do=f"look at it; files.again.{met} decides")
    if wanted == "skip":
        same = met in {"same_file", "new_name_same_bytes"}
        return ArrivalState.DUPLICATE if same else ArrivalState.SKIPPED
    return None


async def _fetch(held: Held) -> str | tuple[str, ...]:
    """Claim, stream, unpack and record. Returns the content's sha256; of an archive, the members not taken."""
    async with held.parts.open_source(held.loaded) as source:
        landed = await fetch(held, source)
    content = await unpacked(held, landed)
    if isinstance(content, tuple):
        return content
    packed = None if content == landed else landed.sha256
    held.parts.ledger.arrivals.landed(held.claim, content, held.parts.clock(), packed=packed)
    return content.sha256


async def fetch(held: Held, source: Source) -> Landed:
    """Claim the copy through an open source and bring its bytes into landing."""
    parts, arrival = held.parts, held.arrival
    file, before = await _claimed(held, source)
    _unchanged(held, arrival, before)
    landed = await parts.landing.receive(source.open(file, before.size), expected_size=before.size)
    _unchanged(held, before, await source.facts(file))
    done_file = held.loaded.feed.files.done_name(arrival.name)
    if done_file is not None and not held.loaded.feed.source.read_only:
        held_as = held_path(held.loaded.feed.files.folders, held.claim.partition, done_file)
        for listed in (await source.list(lambda name: name == done_file)).files:
            await source.claim(Staged(name=done_file, held_as=held_as, version=listed.version))
    return landed


async def _claimed(held: Held, source: Source) -> tuple[Staged, Listed]:
    """Hold the copy at the sender, or leave it where it lies if nothing may be moved there. Returns its facts too."""
    arrival, claim, feed = held.arrival, held.claim, held.loaded.feed
    arrivals = held.parts.ledger.arrivals
    if feed.source.read_only:
        file = arrival.staged(arrival.name)
    else:
        file = arrival.staged(arrival.claimed_as or held_path(feed.files.folders, claim.partition, arrival.name))
        arrivals.moved(claim, file.held_as)
    try:
        if not feed.source.read_only and not await source.claim(file):
            raise FileVanished("another took it")
        return file, await source.facts(file)
    except FileVanished:
        arrivals.end(claim, ArrivalState.VANISHED)
        raise FileVanished("the file was gone before it was claimed") from None


def _unchanged(held: Held, before: Arrival | Listed, now: Listed) -> None:
    """Raise FileChanged when size or mtime moved; the ledger then knows the new ones, for the next try to compare."""
    if before.facts != now.facts:
        held.parts.ledger.arrivals.changed(held.claim, now)
        told = f"{before.size} bytes of {before.mtime:%F %T} became {now.size} of {now.mtime:%F %T}"
        raise FileChanged(f"the sender still writes: {told}")
