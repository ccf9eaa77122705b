"""Steps 2 to 4: claim the sender's copy by rename, stream it to landing, recognise it. The ledger's claim is first."""

from import_project.errors import FileChanged, FileVanished, NotRecognised
from import_project.formats.registry import format_named
from import_project.pipeline.aside import try_move_aside
from import_project.pipeline.hold import Facts, Held
from import_project.records.files import ArrivalState, Listed
from import_project.records.outcomes import Counts


async def receive(held: Held) -> Facts | None:
    """Bring the file's bytes into landing. None: they came before, and the file ends as a duplicate.

    Raises FileVanished when it was gone before the claim, FileChanged when size or mtime moved meanwhile, and
    NotRecognised when the content is not the feed's format.
    """
    parts, arrival, claim = held.parts, held.arrival, held.claim
    sha256 = arrival.sha256 or await _fetch(held)
    if parts.ledger.arrivals.bringer(held.feed, sha256) != arrival.id:
        parts.ledger.outcomes.conclude(claim, ArrivalState.DUPLICATE, Counts(), {}, parts.clock())
        await try_move_aside(parts, held.loaded, claim.partition)
        parts.ledger.arrivals.release(claim)
        return None
    form = held.loaded.feed.format
    if not format_named(form.kind).recognise(parts.landing.read(sha256), **form.options):
        raise NotRecognised(f"the content is not {form.kind}", do="look at it with `import-project inspect`")
    return {"bytes": arrival.size, "sha256": sha256, "name": arrival.name}


async def _fetch(held: Held) -> str:
    """Claim, stream and record. Returns the bytes' sha256."""
    parts, arrival, claim = held.parts, held.arrival, held.claim
    held_as = arrival.claimed_as or f".processing/{arrival.id}-{arrival.name}"
    async with parts.open_source(held.loaded) as source:
        parts.ledger.arrivals.moved(claim, held_as)
        if not await source.claim(arrival.name, held_as):
            parts.ledger.arrivals.end(claim, ArrivalState.VANISHED)
            raise FileVanished("the file was gone before it was claimed")
        before = await source.facts(held_as)
        _unchanged(held, Listed(name=arrival.name, size=arrival.size, mtime=arrival.mtime), before)
        landed = await parts.landing.receive(source.open(held_as), expected_size=before.size)
        _unchanged(held, before, await source.facts(held_as))
    parts.ledger.arrivals.landed(claim, landed, parts.clock())
    return landed.sha256


def _unchanged(held: Held, before: Listed, now: Listed) -> None:
    """Raise FileChanged when size or mtime moved; the ledger then knows the new ones, for the next try to compare."""
    if (before.size, before.mtime) != (now.size, now.mtime):
        held.parts.ledger.arrivals.changed(held.claim, size=now.size, mtime=now.mtime)
        told = f"{before.size} bytes of {before.mtime:%F %T} became {now.size} of {now.mtime:%F %T}"
        raise FileChanged(f"the sender still writes: {told}")
