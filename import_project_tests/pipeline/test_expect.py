"""Files that should have come: times by calendar, and which file is whose, in tables."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from import_project.config.files import Expect
from import_project.pipeline.expect import Coming, due_times, judge

HOUR = timedelta(hours=1)
DUE = [datetime(2026, 11, day, 6, tzinfo=UTC) for day in (16, 17, 18)]


def expect(**given: Any) -> Expect:
    return Expect.model_validate({"cron": "0 7 * * 1-5", "timezone": "Europe/Stockholm", **given})


def coming(*came: datetime, now: datetime, patience: timedelta = HOUR) -> list[str]:
    return [e.coming.value for e in judge(DUE, sorted(came), patience=patience, now=now)]


NOW = DUE[2] + timedelta(minutes=30)


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        ([], ["missed", "missed", "late"]),
        ([d - HOUR for d in DUE], ["came", "came", "came"]),
        ([d + timedelta(minutes=5) for d in DUE], ["came", "came", "came"]),
        ([DUE[0] + 3 * HOUR, DUE[1] - HOUR], ["came", "came", "late"]),  # the first was late, past its deadline
        ([DUE[0] + 13 * HOUR], ["missed", "came", "late"]),  # past half-way, it is the next one's, early
        ([DUE[0] - HOUR, DUE[0] - HOUR / 2, DUE[1] - HOUR], ["came", "came", "late"]),  # two at once are one day's
        ([DUE[1] - HOUR, DUE[1] + HOUR / 2], ["missed", "came", "late"]),
        ([DUE[1] - HOUR, DUE[1] + 2 * HOUR], ["missed", "came", "came"]),
    ],
)
def test_whose_file_is_it(came: list[datetime], expected: list[str]) -> None:
    assert coming(*came, now=NOW) == expected


def test_late_until_the_deadline_then_missed() -> None:
    assert coming(*DUE[:2], now=DUE[2] + HOUR - timedelta(seconds=1))[2] == "late"
    assert coming(*DUE[:2], now=DUE[2] + HOUR)[2] == "missed"
    assert coming(*DUE[:2], now=DUE[2], patience=timedelta())[2] == "missed"


@given(st.lists(st.integers(-48, 72), max_size=6).map(lambda hours: [DUE[0] + h * HOUR for h in hours]))
def test_no_file_is_counted_twice(came: list[datetime]) -> None:
    found = coming(*came, now=DUE[2] + 48 * HOUR)
    assert found.count(Coming.CAME) <= len(came)


def test_times_are_on_the_calendars_clock_without_weekends_and_holidays() -> None:
    now = datetime(2026, 12, 28, 6, 0, tzinfo=UTC)  # 07:00 in Stockholm
    calendar = expect(holidays=["SE", date(2026, 12, 23), "XECB"])
    days = [t.date().isoformat() for t in due_times(calendar, now)][-3:]
    assert days == ["2026-12-22", "2026-12-24", "2026-12-28"]
    assert due_times(calendar, now - timedelta(seconds=1))[-1].date() == date(2026, 12, 24)


def test_clock_changes() -> None:
    for now, hour in ((datetime(2026, 3, 30, 12, tzinfo=UTC), 5), (datetime(2026, 10, 26, 12, tzinfo=UTC), 6)):
        last = due_times(expect(), now)[-1]
        assert (last.hour, last.astimezone(UTC).hour) == (7, hour)
    across = due_times(expect(cron="30 1 * * *"), datetime(2026, 3, 29, 12, tzinfo=UTC))[-1]
    (found,) = judge([across], [], patience=HOUR, now=across)
    assert (found.deadline.hour, found.deadline.minute) == (3, 30)  # 02:30 is no time that night


def test_calendar_of_holidays_only_ends() -> None:
    assert due_times(expect(cron="0 7 25 12 *", holidays=["SE"]), datetime(2026, 12, 28, tzinfo=UTC)) == []
