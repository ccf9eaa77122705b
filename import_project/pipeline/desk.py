"""The front desk's use cases: what a workspace may hand in, what became of it, and taking it back. No HTTP."""

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import PurePath
from uuid import uuid4

from import_project.config.load import LoadedFeed
from import_project.config.workspaces import Workspace
from import_project.errors import BadForm, DeskRefused, FileCancelled, NoSuchThing, TooLarge, TooLate, WrongKind
from import_project.formats.registry import SUFFIXES
from import_project.packing.kinds import HEAD, PACKED_SUFFIXES, kind_of
from import_project.pipeline.compare import partition_key
from import_project.pipeline.hold import Facts, Held, relied_on, run_step
from import_project.pipeline.parts import Parts
from import_project.records.files import ArrivalState, Landed, Listed
from import_project.records.jobs import HandIn, Job, JobState, Progress, Token
from import_project.records.outcomes import Outcome
from import_project.records.postings import PostingState
from import_project.records.steps import StepState

_LONGEST_NAME = 200


def suffixes(loaded: LoadedFeed) -> list[str]:
    """Return the endings of file names that a feed takes: those of its format, of its pattern, and packed ones where it
    unpacks."""
    pattern = loaded.feed.files.pattern
    own = PurePath(pattern.glob or pattern.dated or "").suffix.lower()
    found = set(SUFFIXES.get(loaded.feed.format.kind, ()))
    found |= {own} if re.fullmatch(r"\.[a-z0-9]+", own) else set()
    found |= set(PACKED_SUFFIXES) if loaded.feed.files.unpack is not None else set()
    return sorted(found)


def check_name(loaded: LoadedFeed, name: str) -> None:
    """Raise BadForm for a name that no file may have, WrongKind for a kind of file that the feed does not take."""
    if not name or len(name) > _LONGEST_NAME or name in {".", ".."} or "/" in name or "\\" in name:
        raise BadForm(f"{name[:80]!r} is no name of a file", do=f"at most {_LONGEST_NAME} characters, no folders")
    if not name.isprintable():
        raise BadForm("the name of the file holds control characters")
    taken = suffixes(loaded)
    if taken and not name.lower().endswith(tuple(taken)):
        raise WrongKind(f"{loaded.name} does not take {name}", do=f"it takes {', '.join(taken)}")


def check_size(workspace: Workspace, size: int) -> None:
    """Raise TooLarge for more bytes than a file of the workspace may have."""
    most = workspace.limits.most_bytes
    if size > most:
        raise TooLarge(f"more than {most:,} bytes", do="split the file, or ask for a higher limit")


def is_packed(parts: Parts, landed: Landed) -> bool:
    """Whether what has landed is compressed, packed or encrypted."""
    return kind_of(parts.landing.head(landed.sha256, HEAD)) is not None


def handed_in(
    parts: Parts,
    workspace: Workspace,
    loaded: LoadedFeed,
    name: str,
    landed: Landed,
    by: Token,
    key: str | None,
    *,
    packed: bool,
) -> tuple[HandIn, str]:
    """Return what the ledger is told of a file that has landed, and its key in Dagster."""
    now, job_id = parts.clock(), uuid4().hex
    file = Listed(name=name, size=landed.size, mtime=now)
    one = HandIn(
        job_id=job_id,
        workspace=workspace.workspace,
        feed=loaded.name,
        name=name,
        sha256=landed.sha256,
        size=landed.size,
        packed=packed,
        by=by.person,
        key=key,
        hook=workspace.webhook is not None,
        most_waiting=workspace.limits.most_waiting,
        most_a_minute=workspace.limits.uploads_a_minute,
    )
    return one, partition_key(file, now, job_id)


def hand_in(parts: Parts, some: Sequence[tuple[HandIn, str]], now: datetime) -> list[str | DeskRefused]:
    """Make a job of each, in one transaction. Returns ids, or why one is refused."""
    return parts.ledger.jobs.hand_in(some, now)


def job_of(parts: Parts, workspace: Workspace, job_id: str) -> Job:
    """Return a workspace's job. Raises NoSuchThing, also for another workspace's."""
    found = parts.ledger.jobs.of(workspace.workspace, job_id)
    if found is None:
        raise NoSuchThing(f"no job {job_id[:40]}")
    return found


def progress(parts: Parts, job: Job) -> Progress:
    """Return how far a job is: as its outcome says; before that as its steps told, and as its postings stand."""
    arrival = job.arrival
    if arrival.state is ArrivalState.UNPACKED:
        return _of_members(parts.ledger.outcomes.of_members(arrival.id))
    outcome = None
    if arrival.state.ended:
        outcome = parts.ledger.outcomes.of(arrival.feed, arrival.partition or "")
    if outcome is not None:
        c = outcome.counts
        return Progress(
            total=c.rows,
            processed=c.accepted + c.quarantined,
            accepted=c.accepted,
            quarantined=c.quarantined,
            posted=c.posted,
            matched=c.matched,
            unmatched=c.unmatched,
            sums=outcome.sums,
        )
    told: dict[str, int] = {}
    for one in parts.ledger.steps.of_file(arrival.feed, arrival.partition or ""):
        if one.state is StepState.DONE and not one.dry_run:
            told |= {k: v for k, v in one.facts.items() if isinstance(v, int)}
    ended = posted = 0
    if arrival.sha256 is not None and "accepted" in told:
        for (_, state), count in parts.ledger.postings.subjects(arrival.feed, arrival.sha256).items():
            ended += count if state is not PostingState.READY else 0
            posted += count if state is PostingState.DONE else 0
    total, aside = told.get("rows", 0), told.get("quarantined", 0)
    return Progress(
        total=total,
        processed=min(aside + ended, total),
        accepted=told.get("accepted", 0),
        quarantined=aside,
        posted=posted,
        sums=dict[str, Decimal](),
    )


def _of_members(found: Sequence[Outcome]) -> Progress:
    """Add up what became of the files in an archive."""
    counts = [one.counts for one in found]
    sums: dict[str, Decimal] = {}
    for one in found:
        for currency, amount in one.sums.items():
            sums[currency] = sums.get(currency, Decimal(0)) + amount
    matched = [c.matched for c in counts if c.matched is not None]
    unmatched = [c.unmatched for c in counts if c.unmatched is not None]
    return Progress(
        total=sum(c.rows for c in counts),
        processed=sum(c.accepted + c.quarantined for c in counts),
        accepted=sum(c.accepted for c in counts),
        quarantined=sum(c.quarantined for c in counts),
        posted=sum(c.posted for c in counts),
        matched=sum(matched) if matched else None,
        unmatched=sum(unmatched) if unmatched else None,
        sums=sums,
    )


def cancel(parts: Parts, loaded: LoadedFeed, job: Job, by: Token, now: datetime) -> None:
    """Take a file back. One that a run works on ends with that run's next step; the others end here.

    Raises TooLate when it has ended, or anything of it is decided: what follows from that is posted, and stays.
    """
    arrival = job.arrival
    if job.state(now).ended:
        raise TooLate(f"the job is {job.state(now)}")
    if relied_on(parts, arrival):
        raise TooLate("rows of the file are decided, or its bytes came again and count on it", do="let it end")
    parts.ledger.arrivals.cancel(arrival, by.person, now)
    if job.state(now) is JobState.RUNNING:
        return

    async def take_back(_held: Held) -> Facts:
        raise TooLate("rows of the file are decided by now")

    try:
        run_step(parts, loaded, arrival.partition or "", owner=f"cancel-{job.id[:12]}", step=take_back)
    except FileCancelled:
        return
