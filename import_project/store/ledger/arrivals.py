"""Arrivals in the ledger: what was seen, who holds it, how it ended. Which change is due is decided by the caller."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from import_project.errors import ClaimLost, FileVanished
from import_project.records.files import ENDED, Arrival, ArrivalState, Claim, Landed, Listed
from import_project.store.ledger.database import Database
from import_project.store.ledger.tables import arrivals, files, polls

_FIELDS = [arrivals.c[name] for name in Arrival.__slots__]
_WAITING = (ArrivalState.SEEN, ArrivalState.READY)
_OPEN = (ArrivalState.READY, ArrivalState.CLAIMED, ArrivalState.LANDED)
_CHUNK = 500


def _arrival(row: sa.Row[Any]) -> Arrival:
    values = row._asdict()
    return Arrival(**{**values, "state": ArrivalState(values["state"])})


def fence(connection: Connection, claim: Claim) -> None:
    """Lock the arrival for this transaction, and raise ClaimLost when a newer claim exists."""
    still = sa.update(arrivals).where(arrivals.c.id == claim.arrival_id, arrivals.c.token == claim.token)
    if connection.execute(still.values(owner=claim.owner)).rowcount != 1:
        raise ClaimLost("another run has taken this file over", feed=claim.feed, file=claim.partition)


class Arrivals:
    """The `arrivals` and `files` tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, feed: str, partition: str) -> Arrival:
        """Return the arrival with this partition key. Raises FileVanished when the ledger has none."""
        query = sa.select(*_FIELDS).where(arrivals.c.feed == feed, arrivals.c.partition == partition)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise FileVanished("the ledger knows no such file", feed=feed, file=partition)
        return _arrival(row)

    def unended(self, feed: str) -> list[Arrival]:
        """Return all arrivals of a feed that have not ended, or whose copy at the sender still waits to be moved."""
        aside_due = arrivals.c.claimed_as.is_not(None) & arrivals.c.set_aside_at.is_(None)
        query = sa.select(*_FIELDS).where(arrivals.c.feed == feed, arrivals.c.state.not_in(ENDED) | aside_due)
        with self._database.read() as connection:
            return [_arrival(row) for row in connection.execute(query.order_by(arrivals.c.id))]

    def named(self, feed: str, names: Sequence[str]) -> list[Arrival]:
        """Return all arrivals a feed ever had under `names`, oldest first."""
        found: list[Arrival] = []
        with self._database.read() as connection:
            for start in range(0, len(names), _CHUNK):
                some = arrivals.c.name.in_(names[start : start + _CHUNK])
                query = sa.select(*_FIELDS).where(arrivals.c.feed == feed, some).order_by(arrivals.c.id)
                found += [_arrival(row) for row in connection.execute(query)]
        return found

    def see(self, feed: str, new: Iterable[tuple[Listed, int, str | None]], now: datetime) -> None:
        """Record first sightings, each with its occurrence number, and its partition key if it is ready at once."""
        rows = [
            {"feed": feed, "name": f.name, "size": f.size, "mtime": f.mtime, "occurrence": occurrence}
            | {"state": ArrivalState.READY if partition else ArrivalState.SEEN, "partition": partition}
            | {"looks": 1, "first_seen_at": now}
            for f, occurrence, partition in new
        ]
        if rows:
            with self._database.write() as connection:
                connection.execute(self._database.insert_new(arrivals), rows)

    def look_again(self, ids: Iterable[int]) -> None:
        """Count one more look at arrivals that have not changed."""
        self._change(ids, {"looks": arrivals.c.looks + 1})

    def vanish(self, ids: Iterable[int]) -> None:
        """End arrivals that are no longer listed, unless a run has claimed them meanwhile."""
        self._change(ids, {"state": ArrivalState.VANISHED})

    def ready(self, partitions: Iterable[tuple[int, str]]) -> None:
        """Make stable arrivals ready under their partition keys."""
        for arrival_id, partition in partitions:
            self._change([arrival_id], {"state": ArrivalState.READY, "partition": partition})

    def _change(self, ids: Iterable[int], values: dict[str, Any]) -> None:
        wanted = list(ids)
        if not wanted:
            return
        with self._database.write() as connection:
            for start in range(0, len(wanted), _CHUNK):
                some = arrivals.c.id.in_(wanted[start : start + _CHUNK])
                connection.execute(sa.update(arrivals).where(some, arrivals.c.state.in_(_WAITING)).values(**values))

    def polled(self, feed: str, *, listed: int, now: datetime) -> None:
        """Record that the inbox was listed, and how many wanted files it held."""
        with self._database.write() as connection:
            values = {"polled_at": now, "polls": polls.c.polls + 1, "listed": listed}
            if connection.execute(sa.update(polls).where(polls.c.feed == feed).values(**values)).rowcount == 0:
                first = {"feed": feed, "polled_at": now, "polls": 1, "listed": listed}
                connection.execute(self._database.insert_new(polls).values(**first))

    def polls(self) -> dict[str, int]:
        """Return how often each feed's inbox has been listed."""
        with self._database.read() as connection:
            return dict(connection.execute(sa.select(polls.c.feed, polls.c.polls)).tuples().all())

    def due(self, feed: str, now: datetime) -> list[Arrival]:
        """Return the arrivals a run should be asked for now: ready or unfinished, held by none, not waiting."""
        free = arrivals.c.lease_until.is_(None) | (arrivals.c.lease_until <= now)
        waited = arrivals.c.retry_at.is_(None) | (arrivals.c.retry_at <= now)
        query = sa.select(*_FIELDS).where(arrivals.c.feed == feed, arrivals.c.state.in_(_OPEN), free, waited)
        with self._database.read() as connection:
            return [_arrival(row) for row in connection.execute(query.order_by(arrivals.c.id))]

    def requested(self, ids: Iterable[int], *, again_at: datetime) -> None:
        """Count a request for a run; until `again_at` none is due unless a run claims and fails before."""
        with self._database.write() as connection:
            for arrival_id in ids:
                row = sa.update(arrivals).where(arrivals.c.id == arrival_id)
                connection.execute(row.values(requests=arrivals.c.requests + 1, retry_at=again_at))

    def claim(self, feed: str, partition: str, *, owner: str, now: datetime, lease: timedelta) -> tuple[Arrival, Claim]:
        """Take or renew the right to act on a file.

        Raises ClaimLost while another owner's lease is good, FileVanished when the file went before any claim.
        """
        with self._database.write() as connection:
            where = (arrivals.c.feed == feed) & (arrivals.c.partition == partition)
            row = connection.execute(sa.select(*_FIELDS).where(where).with_for_update()).one_or_none()
            if row is None or row.state == ArrivalState.VANISHED:
                raise FileVanished("no such file waits any more", feed=feed, file=partition)
            held = _arrival(row)
            if held.held(now) and held.owner != owner:
                raise ClaimLost(f"run {held.owner} holds this file", feed=feed, file=partition, do="wait for it to end")
            values: dict[str, Any] = {"owner": owner, "lease_until": now + lease}
            values["token"] = held.token if held.owner == owner and held.held(now) else held.token + 1
            if held.state is ArrivalState.READY:
                values |= {"state": ArrivalState.CLAIMED}
            started = sa.func.coalesce(
                arrivals.c.started_at, sa.bindparam("started", now, type_=arrivals.c.started_at.type)
            )
            connection.execute(sa.update(arrivals).where(arrivals.c.id == held.id).values(started_at=started, **values))
            taken = _arrival(connection.execute(sa.select(*_FIELDS).where(where)).one())
        claim = Claim(arrival_id=taken.id, feed=feed, partition=partition, owner=owner, token=taken.token)
        return taken, claim

    def renew(self, claim: Claim, *, until: datetime) -> None:
        """Extend the lease. Raises ClaimLost when another run has taken over."""
        self._fenced(claim, {"lease_until": until})

    def release(self, claim: Claim) -> None:
        """End the lease, so that the next run need not wait for it."""
        self._fenced(claim, {"lease_until": None})

    def moved(self, claim: Claim, claimed_as: str) -> None:
        """Record under which path the sender's copy is held."""
        self._fenced(claim, {"claimed_as": claimed_as})

    def changed(self, claim: Claim, *, size: int, mtime: datetime) -> None:
        """Record that the held copy is no longer what was seen; it counts as the newest of its namesakes."""
        twin = arrivals.alias()
        same = (twin.c.feed == arrivals.c.feed) & (twin.c.name == arrivals.c.name)
        same &= (twin.c.size == size) & (twin.c.mtime == sa.bindparam("m", mtime, type_=arrivals.c.mtime.type))
        newest = sa.select(sa.func.coalesce(sa.func.max(twin.c.occurrence) + 1, 0)).where(same).scalar_subquery()
        self._fenced(claim, {"size": size, "mtime": mtime, "occurrence": newest})

    def landed(self, claim: Claim, landed: Landed, now: datetime) -> int | None:
        """Record that the bytes are ours. Returns the arrival that brought the same bytes before, or None."""
        with self._database.write() as connection:
            fence(connection, claim)
            where = (files.c.feed == claim.feed) & (files.c.sha256 == landed.sha256)
            before = sa.select(files.c.arrival_id, arrivals.c.state).join(arrivals, arrivals.c.id == files.c.arrival_id)
            row = connection.execute(before.where(where)).one_or_none()
            first: int | None = None if row is None else row.arrival_id
            if row is not None and row.state == ArrivalState.FAILED:
                # Refused then, perhaps for our mistake: this delivery is the file now.
                connection.execute(sa.update(files).where(where).values(arrival_id=claim.arrival_id))
                first = claim.arrival_id
            elif row is None:
                new = {"feed": claim.feed, "sha256": landed.sha256, "size": landed.size}
                connection.execute(sa.insert(files).values(**new, arrival_id=claim.arrival_id, landed_at=now))
            values = {"sha256": landed.sha256, "state": ArrivalState.LANDED, "error": None}
            connection.execute(sa.update(arrivals).where(arrivals.c.id == claim.arrival_id).values(**values))
        return None if first == claim.arrival_id else first

    def bringer(self, feed: str, sha256: str) -> int:
        """Return the arrival that these bytes are held for; every other one with the same bytes is a duplicate."""
        query = sa.select(files.c.arrival_id).where(files.c.feed == feed, files.c.sha256 == sha256)
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def end(self, claim: Claim, state: ArrivalState, *, error: str | None = None) -> None:
        """Give the arrival its final state, with the reason when it was refused."""
        self._fenced(claim, {"state": state, "error": error, "retry_at": None})

    def try_later(self, claim: Claim, *, error: str, retry_at: datetime) -> None:
        """Record a failed attempt and when the next one is due; the lease ends."""
        values = {"error": error, "retry_at": retry_at, "failures": arrivals.c.failures + 1, "lease_until": None}
        self._fenced(claim, values)

    def failures(self, claim: Claim) -> int:
        """Return how many attempts at this file have failed."""
        with self._database.read() as connection:
            query = sa.select(arrivals.c.failures).where(arrivals.c.id == claim.arrival_id)
            return int(connection.execute(query).scalar_one())

    def set_aside(self, arrival_id: int, path: str, now: datetime, *, error: str | None) -> None:
        """Record where the sender's copy was put when all was done, and what is wrong with it."""
        with self._database.write() as connection:
            row = sa.update(arrivals).where(arrivals.c.id == arrival_id)
            connection.execute(row.values(set_aside_to=path, set_aside_at=now, error=error))

    def _fenced(self, claim: Claim, values: dict[str, Any]) -> None:
        with self._database.write() as connection:
            fence(connection, claim)
            connection.execute(sa.update(arrivals).where(arrivals.c.id == claim.arrival_id).values(**values))
