"""The whole installation at a glance: feeds, files in each state, who works on what, and what is in trouble. Read from
the ledger in a few queries, whatever its size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from import_project.pipeline.alive import last_beat
from import_project.pipeline.parts import Parts
from import_project.records.files import ENDED, Arrival
from import_project.records.outcomes import Outcome
from import_project.records.postings import Health
from import_project.records.steps import Attempt

_RATE_SPAN = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedOverview:
    """One feed: when it was polled, how many files were listed then, how many are in each state, the last outcome, and
    why it could not be polled, if so."""

    feed: str
    polled_at: datetime | None
    listed: int
    states: Mapping[str, int]
    last: Outcome | None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOverview:
    """One API, or Python in its place: how many postings wait for it, how many are dead, and how it has been
    answering."""

    api: str
    unsent: int
    dead: int
    health: Health


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Times are aware UTC. Rates are of the last hour, `files_ended` and `rows_ended` are counted in it.

    `working` are attempts under way whose run holds its file; `troubled` files that failed and are tried again.
    """

    at: datetime
    evaluated_at: datetime | None
    feeds: tuple[FeedOverview, ...]
    working: tuple[Attempt, ...]
    troubled: tuple[Arrival, ...]
    recent: tuple[Outcome, ...]
    files_ended: int
    rows_ended: int
    seconds_worked: float
    apis: tuple[ApiOverview, ...]
    undelivered: int

    @property
    def rows_per_second(self) -> float:
        """How many rows went through in a second of work, over the files that ended in the last hour."""
        return self.rows_ended / self.seconds_worked if self.seconds_worked else 0.0


def overview(parts: Parts, feeds: Sequence[str], broken: Mapping[str, str] | None = None) -> Overview:
    """Look at the installation now. Feeds that were never polled are shown too; so are those that are `broken`, with
    why, and feeds that are gone while files of theirs have not ended."""
    now, ledger = parts.clock(), parts.ledger
    states, polled, counted = ledger.sightings.states(), ledger.sightings.last_polls(), ledger.dead_letters.counted()
    health = {one.api: one for one in ledger.apis.all()}
    recent = ledger.outcomes.since(now - _RATE_SPAN)
    last = ledger.outcomes.last_of_each_feed()
    errors = {**ledger.sightings.poll_errors(), **(broken or {})}
    left = {feed for feed, counts in states.items() if any(state not in ENDED for state in counts)}
    names = sorted({*feeds, *(broken or {}), *left})
    return Overview(
        at=now,
        evaluated_at=last_beat(parts),
        feeds=tuple(
            FeedOverview(
                feed=name,
                polled_at=polled.get(name, (None, 0))[0],
                listed=polled.get(name, (None, 0))[1],
                states=states.get(name, {}),
                last=last.get(name),
                error=errors.get(name),
            )
            for name in names
        ),
        working=tuple(a for a in ledger.steps.running() if a.dry_run or _held(parts, a, now)),
        troubled=tuple(ledger.arrivals.troubled(50)),
        recent=tuple(recent[:10]),
        files_ended=len(recent),
        rows_ended=sum(o.counts.rows for o in recent),
        seconds_worked=sum(o.seconds for o in recent),
        apis=tuple(_api(name, counted.get(name, (0, 0)), health.get(name)) for name in sorted({*health, *counted})),
        undelivered=len(ledger.alerts.waiting()),
    )


def _api(name: str, counted: tuple[int, int], health: Health | None) -> ApiOverview:
    return ApiOverview(api=name, unsent=counted[0], dead=counted[1], health=health or Health(api=name))


def _held(parts: Parts, attempt: Attempt, now: datetime) -> bool:
    """Whether its run lives: the run of a killed process lets its lease lapse."""
    arrival = parts.ledger.arrivals.of(attempt.feed, attempt.partition)
    return arrival.owner == attempt.run and arrival.held(now)
