"""What became of a file, or of a run of it: counts, errors, and each step. Read from the ledger, without Dagster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from import_project.config.load import LoadedFeed
from import_project.errors import ConfigError
from import_project.pipeline.hold import FIRST, LAST
from import_project.pipeline.parts import Parts
from import_project.records.files import Arrival, ArrivalState
from import_project.records.outcomes import Outcome
from import_project.records.steps import Attempt, StepState

_SHORTEST_ID = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run of a file. Times are aware UTC; `completed` is None while it is under way, `source` where the feed is
    gone.

    `total` rows or payments are in the file, `processed` of them accepted or quarantined. `matched` and `unmatched`
    are None for a row file. `errors` are told once each, oldest first. `steps` are those of this run alone, `runs` all
    runs of the file that are known, oldest first. A file without a run has an empty `run`. `duplicate_of` is the
    partition of the file that brought the same bytes before, behind `FEED/` where that was another feed.
    """

    pipeline: str
    feed: str
    file: str
    partition: str
    source: str | None
    set_aside_to: str | None
    state: str
    duplicate_of: str | None
    run: str
    runs: tuple[str, ...]
    started: datetime | None
    completed: datetime | None
    total: int
    processed: int
    accepted: int
    quarantined: int
    posted: int | None
    repeated: int | None
    matched: int | None
    unmatched: int | None
    sums: Mapping[str, Decimal]
    errors: tuple[str, ...]
    dry_run: bool
    success: bool
    steps: tuple[Attempt, ...]


def report(parts: Parts, name: str, *, feed: str | None = None, feeds: Sequence[LoadedFeed] = ()) -> Report:
    """Report on the run whose id begins with `name`, or on the newest run of the file of that name or partition; on a
    dry one only where there is no other.

    Raises ConfigError when there is none, or several are meant.
    """
    of_run = parts.ledger.steps.of_run(name) if len(name) >= _SHORTEST_ID else []
    runs = {(a.feed, a.partition, a.run) for a in of_run}
    if len(runs) == 1:
        one = of_run[0]
        return _report(parts, parts.ledger.arrivals.of(one.feed, one.partition), one.run, feeds)
    if runs:
        raise ConfigError(f"{len(runs)} runs begin with {name}", do="give more of the id")
    found = parts.ledger.arrivals.called(name, feed)
    if not found:
        do = f"see `import-project files`; a run is named by {_SHORTEST_ID} or more characters of its id"
        raise ConfigError(f"no run and no file is called {name}", do=do)
    taken = [a for a in found if a.sha256 is not None]
    if len(found) > 1 and len(taken) != 1:
        known = ", ".join(f"{a.feed}: {a.partition or a.name}" for a in found)
        raise ConfigError(f"{len(found)} files are called {name}", do=f"name one by its partition: {known}")
    return _report(parts, (taken or found)[0], None, feeds)


def duplicate_of(parts: Parts, arrival: Arrival) -> Arrival | None:
    """Return the file that brought the bytes of a duplicate before it."""
    if arrival.state is not ArrivalState.DUPLICATE or arrival.sha256 is None:
        return None
    bringer = parts.ledger.arrivals.bringer(arrival.feed, arrival.sha256)
    waits = bringer.state is ArrivalState.DUPLICATE  # for another feed's
    return parts.ledger.arrivals.first_bringer(arrival.sha256) if waits else bringer


def place_of(loaded: LoadedFeed) -> str:
    """Return where a feed's files come from, such as `sftp bank.example:22 out`; no secret is in it."""
    source = loaded.feed.source
    host = f"{source.host}:{source.port}" if hasattr(source, "host") and hasattr(source, "port") else None
    named = (getattr(source, name, None) for name in ("bucket", "container", "path", "prefix"))
    return " ".join(str(part) for part in (source.kind, host, *named) if part)


def _told_first(arrival: Arrival, first: Arrival) -> str:
    partition = first.partition or ""
    return partition if first.feed == arrival.feed else f"{first.feed}/{partition}"


def _report(parts: Parts, arrival: Arrival, run: str | None, feeds: Sequence[LoadedFeed]) -> Report:
    loaded = next((one for one in feeds if one.name == arrival.feed), None)
    attempts = parts.ledger.steps.of_file(arrival.feed, arrival.partition) if arrival.partition else []
    runs = tuple(dict.fromkeys(a.run for a in attempts))
    real = tuple(dict.fromkeys(a.run for a in attempts if not a.dry_run))
    run = run or (real or runs or ("",))[-1]
    steps = tuple(a for a in attempts if a.run == run)
    dry = any(a.dry_run for a in steps)
    outcome = None
    if arrival.partition and not dry and arrival.state.ended:
        outcome = parts.ledger.outcomes.of(arrival.feed, arrival.partition)
    last = steps[-1] if steps else None
    running = last is not None and last.state is StepState.RUNNING
    return Report(
        pipeline=f"{arrival.feed}_job",
        feed=arrival.feed,
        file=arrival.name,
        partition=arrival.partition or "",
        source=None if loaded is None else place_of(loaded),
        set_aside_to=arrival.set_aside_to,
        state=arrival.state.value,
        duplicate_of=_told_first(arrival, first) if (first := duplicate_of(parts, arrival)) else None,
        run=run,
        runs=runs,
        started=steps[0].started_at if steps else None,
        completed=None if running or last is None else last.finished_at,
        **_counts(outcome, steps),
        errors=_errors(steps, outcome),
        dry_run=dry,
        success=_success(arrival, steps, dry=dry),
        steps=steps,
    )


def _counts(outcome: Outcome | None, steps: Sequence[Attempt]) -> dict[str, Any]:
    """Count as the outcome does; before the end, and of a dry run, as the steps told."""
    if outcome is not None:
        c = outcome.counts
        return {
            "total": c.rows,
            "processed": c.accepted + c.quarantined,
            "accepted": c.accepted,
            "quarantined": c.quarantined,
            "posted": c.posted,
            "repeated": c.repeated,
            "matched": c.matched,
            "unmatched": c.unmatched,
            "sums": outcome.sums,
        }
    told: dict[str, Any] = {}
    for one in steps:
        told |= one.facts
    accepted, quarantined = told.get("accepted", 0), told.get("quarantined", 0)
    decided = any(one.step == "reconcile" and one.state is StepState.DONE for one in steps)
    return {
        "total": told.get("rows", accepted + quarantined),
        "processed": accepted + quarantined,
        "accepted": accepted,
        "quarantined": quarantined,
        "posted": told.get("sent"),
        "repeated": told.get("repeated"),
        "matched": told.get("matched", 0) if decided else None,
        "unmatched": told.get("unmatched", 0) if decided else None,
        "sums": {},
    }


def _errors(steps: Sequence[Attempt], outcome: Outcome | None) -> tuple[str, ...]:
    told = [a.error for a in steps if a.error]
    if outcome is not None and outcome.error and not any(outcome.error in one for one in told):
        told.append(outcome.error)
    return tuple(dict.fromkeys(told))


def _success(arrival: Arrival, steps: Sequence[Attempt], *, dry: bool) -> bool:
    """Whether the run did what it was for: the last attempt at each of its steps ended well, and the file by it. Of a
    file whose runs are no longer known, whether it ended well."""
    last = {a.step: a.state for a in steps}
    well = all(state is StepState.DONE for state in last.values())
    ended = arrival.state.ended and arrival.state is not ArrivalState.FAILED
    if dry or not steps:
        return well if steps else ended
    by_it = LAST in last or FIRST not in last or (len(last) == 1 and ended)  # a duplicate ends with its first step
    return well and by_it
