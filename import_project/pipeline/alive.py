"""Whether anything evaluates the feeds: a sign of life in the ledger, and the alert when it is missing.

Who looks must be another process than the one that is looked at: `import-project alerts watch`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from import_project.alerting.channel import Channel
from import_project.pipeline.alerts import raise_alert
from import_project.pipeline.parts import Parts
from import_project.records.alerts import Alert

_NAME = "feeds evaluated"
#: Under this name a worker of the front desk says that it lives.
DESK_WORKER = "desk worker"


def beat(parts: Parts, again_in: timedelta | None = None) -> None:
    """Say that the feeds are evaluated: by the daemon's sensors, or by a pass of `poll`; and when they are again."""
    now = parts.clock()
    parts.ledger.heartbeats.beat(_NAME, now, due_at=None if again_in is None else now + again_in)


def last_beat(parts: Parts) -> datetime | None:
    """Return when the feeds were last evaluated, as far as is known."""
    return parts.ledger.heartbeats.last(_NAME)


def tell_silence(parts: Parts, channels: Sequence[Channel], longest: timedelta) -> str | None:
    """Tell people, once, when nothing has evaluated the feeds for so long after it was due, and once when something
    does again.

    Returns what is wrong, None when nothing is. Raises NotDelivered.
    """
    last = last_beat(parts)
    if last is None:
        return "nothing has evaluated the feeds yet"
    if parts.clock() - (parts.ledger.heartbeats.due(_NAME) or last) <= longest:
        key = parts.ledger.alerts.last("silence:")
        if key is not None and not parts.ledger.alerts.known(f"recovered:{key}"):
            text = "the feeds are evaluated again"
            raise_alert(parts, channels, Alert(key=f"recovered:{key}", text=text, facts={}))
        return None
    told = f"nothing has evaluated the feeds since {last:%Y-%m-%d %H:%M:%S} UTC: is dagster-daemon running?"
    raise_alert(parts, channels, Alert(key=f"silence:{last.isoformat()}", text=told, facts={}))
    return told
