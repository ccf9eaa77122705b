"""Whether a file that is expected has come: the calendar's times held against what was seen. `judge` is pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from import_project.config.files import Expect
from import_project.config.load import LoadedFeed
from import_project.pipeline.parts import Parts

#: How many of the latest expected times are looked at again, for files that came late.
_LOOK_BACK = 10
_FAR_BACK, _MOST = timedelta(days=800), 2000


class Coming(StrEnum):
    """What became of an expected file."""

    CAME = "came"
    LATE = "late"  # its time is over, it is still waited for
    MISSED = "missed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A file that should have come at `due_at` and was waited for until `deadline` (aware, on the calendar's clock)."""

    due_at: datetime
    deadline: datetime
    coming: Coming

    def told(self, feed: str) -> str:
        """Say it in one line."""
        due = f"{self.due_at:%Y-%m-%d %H:%M %Z}"
        if self.coming is Coming.MISSED:
            return f"{feed}: file arrival deadline missed: expected at {due}, waited for until {self.deadline:%H:%M}"
        return f"{feed}: the file expected at {due} is late; it is waited for until {self.deadline:%H:%M}"


def expected_files(parts: Parts, loaded: LoadedFeed) -> tuple[Expected, ...]:
    """Return what became of the feed's latest expected files, oldest first; none of before its first poll."""
    expect = loaded.feed.files.expect
    began = parts.ledger.sightings.first_polled(loaded.name)
    if expect is None or began is None:
        return ()
    now = parts.clock()
    times = due_times(expect, now)
    since = max([began, *times[:1]]) if len(times) > _LOOK_BACK else began
    came = [seen_at for _, seen_at in parts.ledger.sightings.came_since(loaded.name, since)]
    judged = judge([t for t in times if t > since], came, patience=patience_of(expect), now=now)
    return tuple(e for e in judged if e.due_at > began)


@dataclass(frozen=True, slots=True, kw_only=True)
class LateFile:
    """An expected file to tell of, under a key of its own; `fails`: the feed wants a run that fails for it."""

    key: str
    text: str
    fails: bool


def late_files(parts: Parts, loaded: LoadedFeed) -> list[LateFile]:
    """Return the late and missed files of a feed that people are to be told of."""
    expect = loaded.feed.files.expect
    if expect is None or expect.on_miss == "skip":
        return []
    return [
        LateFile(
            key=f"{one.coming}:{loaded.name}:{one.due_at.isoformat()}",
            text=one.told(loaded.name),
            fails=one.coming is Coming.MISSED and expect.on_miss == "fail",
        )
        for one in expected_files(parts, loaded)
        if one.coming is not Coming.CAME
    ]


def patience_of(expect: Expect) -> timedelta:
    """Return how long a late file is waited for."""
    return timedelta(minutes=expect.max_retries * expect.interval_minutes)


def due_times(expect: Expect, now: datetime) -> list[datetime]:
    """Return the latest times up to `now` at which a file was expected, oldest first, on the calendar's clock.

    They reach back so far that the deadline of the first is over.
    """
    from cronsim import CronSim

    free = Holidays(expect)
    backwards = CronSim(expect.cron, now.astimezone(ZoneInfo(expect.timezone)) + timedelta(minutes=1), reverse=True)
    recent = takewhile(lambda t: t > now - _FAR_BACK, backwards)
    times = [t for t in islice(recent, _MOST) if t <= now and t.date() not in free]
    waited = sum(now - t <= patience_of(expect) for t in times)
    return times[: max(_LOOK_BACK, waited) + 1][::-1]


def judge(
    due: Sequence[datetime], came: Sequence[datetime], *, patience: timedelta, now: datetime
) -> tuple[Expected, ...]:
    """Give each due time the first file that may be its own. Both are sorted.

    A file that comes after a due time that still lacks one is its late one up to the deadline, or up to half-way to the
    next due time if that is later; a second one counts for the next due time if it comes after the deadline.
    """
    found: dict[int, datetime] = {}
    for seen_at in came:
        for number, time in enumerate(due):
            before, after = due[number - 1] if number else None, due[number + 1] if number + 1 < len(due) else None
            too_early = before is not None and seen_at <= min(_later(before, patience), _half_way(before, time))
            too_late = after is not None and seen_at > max(_later(time, patience), _half_way(time, after))
            if number not in found and not too_early and not too_late:
                found[number] = seen_at
                break
    return tuple(
        Expected(
            due_at=time,
            deadline=_later(time, patience),
            coming=Coming.CAME if n in found else Coming.LATE if now < _later(time, patience) else Coming.MISSED,
        )
        for n, time in enumerate(due)
    )


def _half_way(time: datetime, following: datetime) -> datetime:
    return _later(time, (following.astimezone(UTC) - time.astimezone(UTC)) / 2)


def _later(time: datetime, span: timedelta) -> datetime:
    """Add a span of real time; plain addition is the wall clock's and an hour off when it is put forward or back."""
    return (time.astimezone(UTC) + span).astimezone(time.tzinfo)


class Holidays:
    """The days on which no file is expected."""

    def __init__(self, expect: Expect) -> None:
        self._dates = {d for d in expect.holidays if isinstance(d, date)}
        self._calendars = [_calendar(code) for code in expect.holidays if isinstance(code, str)]

    def __contains__(self, day: date) -> bool:
        return day in self._dates or any(day in calendar for calendar in self._calendars)


def _calendar(code: str) -> "dict[date, str]":
    import holidays

    if code in holidays.list_supported_financial():
        return holidays.financial_holidays(code)
    country, _, subdivision = code.partition("-")
    return holidays.country_holidays(country, subdiv=subdivision or None)
