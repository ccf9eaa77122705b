"""How long to wait before the next try: full jitter, Retry-After, and a budget of time without progress. Pure."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from import_project.records.terms import Waits

_MOST_DOUBLINGS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """Time and chance, from outside: `clock` gives aware UTC, `chance` draws from 0 to 1. Once the file may have been
    taken over, time is `over`: nothing more leaves."""

    clock: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[object]]
    chance: Callable[[], float]
    over: Callable[[], bool] = lambda: False


def jittered(waits: Waits, failures: int, chance: float) -> float:
    """Return seconds before the next try after so many failures in a row: anything from 0 to a bound that doubles.

    `chance` is drawn from 0 to 1. Source: "full jitter" of AWS's article on exponential back-off.
    """
    return chance * min(waits.longest, waits.first * 2.0 ** min(max(failures - 1, 0), _MOST_DOUBLINGS))


def retry_after(text: str | None, now: datetime, longest: float) -> float | None:
    """Return the seconds that an API asks to be left in peace, at most `longest`; None when it does not say.

    Source: RFC 9110, section 10.2.3: seconds, or a date.
    """
    told = (text or "").strip()
    if told.isascii() and told.isdigit():
        return min(float(told[:12]), longest)
    try:
        moment = parsedate_to_datetime(told)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return min(max((moment - now).total_seconds(), 0.0), longest)
