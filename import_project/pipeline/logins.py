"""How often a login that is refused is tried again: less and less, for an account that is tried twice a minute is soon
locked. Connections that fail are no refusals, and are tried at every poll."""

from datetime import datetime, timedelta
from hashlib import sha256

from import_project.config.load import LoadedFeed
from import_project.config.values import secret_files
from import_project.errors import ImportProjectError, LoginRefused, LoginSpared
from import_project.pipeline.parts import Parts
from import_project.records.files import Refusals

_FIRST = timedelta(minutes=1)
_LONGEST = timedelta(hours=1)


def next_login(refusals: Refusals) -> datetime:
    """Say when the login may be tried again: a minute after the first refusal, twice as long after each, at most an
    hour."""
    return refusals.last_at + min(_LONGEST, _FIRST * (1 << min(refusals.count - 1, 10)))


def spare(parts: Parts, loaded: LoadedFeed) -> None:
    """Raise LoginSpared while it is too early to try a refused login again.

    One that has other terms by now, for the feed's file or the file of a secret was changed, is tried at once.
    """
    refusals = parts.ledger.sightings.refusals(loaded.name)
    if refusals is None or refusals.tried_with != _tried_with(loaded) or (at := next_login(refusals)) <= parts.clock():
        return
    times = "once" if refusals.count == 1 else f"{refusals.count} times"
    raise LoginSpared(
        f"the login was refused {times}, and is not tried before {at:%H:%M:%S} UTC, lest the account be locked: "
        + refusals.error.removeprefix(f"feed {loaded.name}: "),
        feed=loaded.name,
        do=f"mend it, and let `import-project doctor {loaded.name}` try it now",
    )


def note_failure(parts: Parts, loaded: LoadedFeed, error: ImportProjectError) -> None:
    """Record why a poll failed. A login that was not even tried leaves what is known as it is."""
    if isinstance(error, LoginSpared):
        return
    tried_with = _tried_with(loaded) if isinstance(error, LoginRefused) else None
    line = error.at(feed=loaded.name).line
    parts.ledger.sightings.poll_failed(loaded.name, line, parts.clock(), refused_with=tried_with)


def _tried_with(loaded: LoadedFeed) -> str:
    """Return what changes with the feed's file and the files of its secrets, and tells nothing of what they hold."""
    seen = []
    for path in (loaded.path, *secret_files(loaded.feed.source)):
        try:
            found = path.stat()
        except OSError:
            seen.append((str(path), 0, 0))
        else:
            seen.append((str(path), found.st_mtime_ns, found.st_size))
    return sha256(repr(seen).encode()).hexdigest()
