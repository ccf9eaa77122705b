"""A feed's source, opened; and how often a login that is refused is tried again: less and less, for an account that is
tried twice a minute is soon locked. Connections that fail are no refusals, and are tried each time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from hashlib import sha256

from import_project.config.load import LoadedFeed
from import_project.config.sources import FtpServer, HttpPull, SftpServer
from import_project.config.values import secret_files
from import_project.errors import ImportProjectError, LoginRefused, LoginSpared, StoreError
from import_project.pipeline.parts import Parts
from import_project.records.files import Refusals
from import_project.sources.base import Source

_FIRST = timedelta(minutes=1)
_LONGEST = timedelta(hours=1)
#: Those that log in when they are entered; a request over HTTP brings its login along.
_SESSIONS = (SftpServer, FtpServer)
#: Where an account may be locked; no store of objects does that.
_LOCKED = (*_SESSIONS, HttpPull)


def next_login(refusals: Refusals) -> datetime:
    """Say when the login may be tried again: a minute after the first refusal, twice as long after each, at most an
    hour."""
    return refusals.last_at + min(_LONGEST, _FIRST * (1 << min(refusals.count - 1, 10)))


@asynccontextmanager
async def opened(parts: Parts, loaded: LoadedFeed) -> AsyncIterator[Source]:
    """Open a feed's source, for polls and runs alike.

    Raises LoginSpared while it is too early to try a refused login again. One that has other terms by now, for the
    feed's file or the file of a secret was changed, is tried at once. A refusal is counted.
    """
    if not isinstance(loaded.feed.source, _LOCKED):
        async with parts.open_source(loaded) as source:
            yield source
        return
    tried_with = _tried_with(loaded)
    refusals = parts.ledger.sightings.refusals(loaded.name)
    if refusals is not None and refusals.tried_with == tried_with:
        _spare(loaded, refusals, parts.clock())
    try:
        async with parts.open_source(loaded) as source:
            if refusals is not None and isinstance(loaded.feed.source, _SESSIONS):
                let_in(parts, loaded)
            yield source
    except LoginRefused as error:
        with suppress(StoreError):
            line = error.at(feed=loaded.name).line
            parts.ledger.sightings.login_refused(loaded.name, line, parts.clock(), tried_with)
        raise


def let_in(parts: Parts, loaded: LoadedFeed) -> None:
    """Forget that a feed's login was refused."""
    with suppress(StoreError):
        parts.ledger.sightings.login_accepted(loaded.name)


def _spare(loaded: LoadedFeed, refusals: Refusals, now: datetime) -> None:
    if (at := next_login(refusals)) <= now:
        return
    times = "once" if refusals.count == 1 else f"{refusals.count} times"
    raise LoginSpared(
        f"the login was refused {times}, and is not tried before {at:%H:%M:%S} UTC, lest the account be locked: "
        + refusals.error.removeprefix(f"feed {loaded.name}: "),
        feed=loaded.name,
        do=f"mend it, and let `import-project doctor {loaded.name}` try it now",
    )


def lasting(parts: Parts, loaded: LoadedFeed, error: ImportProjectError) -> str:
    """Return what a failed poll is told as, the same each time: of a login that is spared, why it was refused."""
    refusals = parts.ledger.sightings.refusals(loaded.name) if isinstance(error, LoginSpared) else None
    return error.at(feed=loaded.name).line if refusals is None else refusals.error


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
