"""Arrivals that come from no listing, for their bytes are here already: members of archives, and files handed in. And
which arrival it is that some bytes are held for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from import_project.records.files import ArrivalState, Landed, Listed
from import_project.store.ledger.database import Database
from import_project.store.ledger.tables import arrivals, files

#: Who was refused in these ways brought nothing: the same bytes may come again.
REFUSED = (ArrivalState.FAILED, ArrivalState.CANCELLED)
#: Nor did these. A duplicate that its feed's bytes are held for is one of another feed's file.
UNUSED = (*REFUSED, ArrivalState.SKIPPED, ArrivalState.DUPLICATE)
_CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class LandedFile:
    """A file with its facts, its partition key and the id of its bytes, as they came where they are `packed`."""

    feed: str
    file: Listed
    partition: str
    sha256: str
    packed: bool = False
    container: int | None = None


def add_landed(database: Database, connection: Connection, some: Sequence[LandedFile], now: datetime) -> list[int]:
    """Add an arrival of each file, landed and due. Returns their ids, in the same order."""
    occurrences = _occurrences(connection, some)
    rows: list[dict[str, Any]] = []
    for one in some:
        place = (one.feed, one.file.name, one.file.size, one.file.mtime)
        occurrence = occurrences.get(place, -1) + 1
        occurrences[place] = occurrence
        rows.append(
            {
                "feed": one.feed,
                "name": one.file.name,
                "size": one.file.size,
                "mtime": one.file.mtime,
                "version": one.file.version,
                "occurrence": occurrence,
                "partition": one.partition,
                "state": ArrivalState.CLAIMED if one.packed else ArrivalState.LANDED,
                "sha256": None if one.packed else one.sha256,
                "packed_sha256": one.sha256 if one.packed else None,
                "container": one.container,
                "looks": 1,
                "first_seen_at": now,
            }
        )
    made = sa.insert(arrivals).returning(arrivals.c.id, sort_by_parameter_order=True)
    ids = list(connection.execute(made, rows).scalars())
    plain = [
        (one.feed, Landed(sha256=one.sha256, size=one.file.size), arrival_id)
        for one, arrival_id in zip(some, ids, strict=True)
        if not one.packed
    ]
    bring(database, connection, plain, now)
    return ids


def bring(database: Database, connection: Connection, some: Sequence[tuple[str, Landed, int]], now: datetime) -> None:
    """Let each arrival be the one that brought these bytes, unless an earlier one did, and they were imported.

    One that was refused may have been so for our mistake, one that was skipped for its name, one that is a duplicate
    waits for another feed's: then this delivery is the file now.
    """
    if not some:
        return
    times = _landing_times(database, connection, sorted({landed.sha256 for _, landed, _ in some}), now)
    new = [
        {"feed": feed, "sha256": f.sha256, "size": f.size, "arrival_id": arrival_id, "landed_at": times[f.sha256]}
        for feed, f, arrival_id in some
    ]
    connection.execute(database.insert_new(files), new)
    unused = sa.select(arrivals.c.id).where(sa.or_(*(arrivals.c.state == state for state in UNUSED)))
    mine = (files.c.feed == sa.bindparam("of_feed")) & (files.c.sha256 == sa.bindparam("of_file"))
    taken = sa.update(files).where(mine, files.c.arrival_id.in_(unused))
    taken = taken.values(arrival_id=sa.bindparam("by"), landed_at=sa.bindparam("at"))
    those = [{"of_feed": f, "of_file": one.sha256, "by": i, "at": times[one.sha256]} for f, one, i in some]
    connection.execute(taken, those)


def take_up(connection: Connection, refused: int) -> None:
    """Let files of other feeds that ended as duplicates of an arrival be due again, for it was refused."""
    sha256 = sa.select(arrivals.c.sha256).where(arrivals.c.id == refused).scalar_subquery()
    theirs = sa.select(files.c.arrival_id).where(files.c.sha256 == sha256, files.c.arrival_id != refused)
    relied = arrivals.c.id.in_(theirs) & (arrivals.c.state == ArrivalState.DUPLICATE)
    connection.execute(sa.update(arrivals).where(relied).values(state=ArrivalState.LANDED, retry_at=None))


def _landing_times(
    database: Database, connection: Connection, sha256s: Sequence[str], now: datetime
) -> dict[str, datetime]:
    """Return a time for each of some bytes, later than that of the same bytes in any feed: it tells which came first,
    whatever the clocks of several machines say."""
    latest: dict[str, datetime] = {}
    for begin in sorted({one[:1] for one in sha256s}):  # few locks, however many files
        database.lock(connection, f"landing {begin}")
    for start in range(0, len(sha256s), _CHUNK):
        chunk = sha256s[start : start + _CHUNK]
        query = sa.select(files.c.sha256, sa.func.max(files.c.landed_at)).where(files.c.sha256.in_(chunk))
        latest.update(connection.execute(query.group_by(files.c.sha256)).tuples().all())
    moment = timedelta(microseconds=1)
    return {one: max(now, latest[one] + moment) if one in latest else now for one in sha256s}


def _occurrences(connection: Connection, some: Sequence[LandedFile]) -> dict[tuple[str, str, int, datetime], int]:
    """Return the newest occurrence of each file that has namesakes of the same size and time."""
    names = sorted({one.file.name for one in some})
    places = [arrivals.c[name] for name in ("feed", "name", "size", "mtime")]
    query = sa.select(*places, sa.func.max(arrivals.c.occurrence)).where(
        arrivals.c.feed.in_({one.feed for one in some}), arrivals.c.name.in_(names)
    )
    rows = connection.execute(query.group_by(*places)).tuples()
    return {(feed, name, size, mtime): occurrence for feed, name, size, mtime, occurrence in rows}
