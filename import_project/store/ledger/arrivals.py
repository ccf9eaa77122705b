"""Arrivals in the ledger from the moment they are due: who holds them, what they brought, how they ended. What polls
saw is in `sightings`; which change is due is decided by the caller."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from import_project.errors import ClaimLost, FileVanished
from import_project.records.audit import Act
from import_project.records.files import ENDED, Arrival, ArrivalState, Claim, Landed, Listed
from import_project.records.postings import UNSENT, PostingState
from import_project.store.ledger.audit import append
from import_project.store.ledger.claims import FIELDS, arrival_of, as_arrival, fence, take
from import_project.store.ledger.database import Database
from import_project.store.ledger.landed import REFUSED, UNUSED, LandedFile, add_landed, bring
from import_project.store.ledger.tables import arrivals, files, outcomes, postings

_CHUNK = 500
_OPEN = (ArrivalState.READY, ArrivalState.CLAIMED, ArrivalState.LANDED)


class Arrivals:
    """The `arrivals` and `files` tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, feed: str, partition: str) -> Arrival:
        """Return the arrival with this partition key. Raises FileVanished when the ledger has none."""
        with self._database.read() as connection:
            found = arrival_of(connection, feed, partition)
        if found is None:
            raise FileVanished("the ledger knows no such file", feed=feed, file=partition)
        return found

    def called(self, name: str, feed: str | None = None) -> list[Arrival]:
        """Return the arrivals of this name or partition key, of a feed or of all, oldest first."""
        query = sa.select(*FIELDS).where((arrivals.c.name == name) | (arrivals.c.partition == name))
        query = query.where(arrivals.c.feed == feed) if feed else query
        with self._database.read() as connection:
            return [as_arrival(row._asdict()) for row in connection.execute(query.order_by(arrivals.c.id))]

    def unfinished(self, feed: str) -> list[Arrival]:
        """Return the arrivals that need a run, in the order they were first seen: to bring them to their end, or to
        send what was decided of them since."""
        unsent = sa.exists().where(
            postings.c.feed == arrivals.c.feed, postings.c.sha256 == arrivals.c.sha256, postings.c.state.in_(UNSENT)
        )
        ended = (arrivals.c.state == ArrivalState.DONE) & unsent
        query = sa.select(*FIELDS).where(arrivals.c.feed == feed, arrivals.c.state.in_(_OPEN) | ended)
        with self._database.read() as connection:
            return [as_arrival(row._asdict()) for row in connection.execute(query.order_by(arrivals.c.id))]

    def troubled(self, most: int) -> list[Arrival]:
        """Return files that failed and are tried again, the next one due first; at most so many."""
        query = sa.select(*FIELDS).where(arrivals.c.state.in_(_OPEN), arrivals.c.error.is_not(None))
        with self._database.read() as connection:
            return [
                as_arrival(row._asdict()) for row in connection.execute(query.order_by(arrivals.c.retry_at).limit(most))
            ]

    def open_files(self, feed: str | None) -> list[Arrival]:
        """Return the files that have not ended, of a feed or of all, in the order they were first seen."""
        query = sa.select(*FIELDS).where(arrivals.c.state.not_in(ENDED))
        query = query.where(arrivals.c.feed == feed) if feed else query
        with self._database.read() as connection:
            return [as_arrival(row._asdict()) for row in connection.execute(query.order_by(arrivals.c.id))]

    def needed(self, files: Sequence[str], *, since: datetime, now: datetime) -> set[tuple[str, str]]:
        """Return feed and id of those files that may still be read: not ended, or ended since, or held by a run, or
        with postings that wait, that nobody can tell of, or that a person may send again."""
        ended = sa.select(outcomes.c.arrival_id).where(outcomes.c.concluded_at < since)
        open_ended = arrivals.c.state.not_in(ENDED) | arrivals.c.id.not_in(ended)
        open_ended |= arrivals.c.lease_until > now
        wait = postings.c.state.in_((*UNSENT, PostingState.DEAD, PostingState.REJECTED))
        found: set[tuple[str, str]] = set()
        with self._database.read() as connection:
            for start in range(0, len(files), _CHUNK):
                some = files[start : start + _CHUNK]
                for table, which in ((arrivals, open_ended), (postings, wait)):
                    query = sa.select(table.c.feed, table.c.sha256).distinct().where(table.c.sha256.in_(some), which)
                    found.update(connection.execute(query).tuples())
                packed = sa.select(arrivals.c.feed, arrivals.c.packed_sha256)
                found.update(connection.execute(packed.where(arrivals.c.packed_sha256.in_(some), open_ended)).tuples())
        return found

    def requested(self, ids: Iterable[int], *, again_at: datetime) -> None:
        """Count a request for a run; until `again_at` none is due unless a run claims and fails before."""
        with self._database.write() as connection:
            for arrival_id in ids:
                row = sa.update(arrivals).where(arrivals.c.id == arrival_id)
                connection.execute(row.values(requests=arrivals.c.requests + 1, retry_at=again_at))

    def not_requested(self, feed: str, partitions: Iterable[str]) -> None:
        """Take requests back for runs that were never begun, so that they can be asked for at once."""
        with self._database.write() as connection:
            for partition in partitions:
                mine = (arrivals.c.feed == feed) & (arrivals.c.partition == partition) & arrivals.c.owner.is_(None)
                connection.execute(sa.update(arrivals).where(mine).values(retry_at=None))

    def claim(self, feed: str, partition: str, *, owner: str, now: datetime, lease: timedelta) -> tuple[Arrival, Claim]:
        """Take or renew the right to act on a file.

        Raises ClaimLost while another owner's lease is good, FileVanished when the file went before any claim.
        """
        with self._database.write() as connection:
            return take(connection, feed, partition, owner=owner, now=now, lease=lease)

    def renew(self, claim: Claim, *, until: datetime) -> None:
        """Extend the lease. Raises ClaimLost when another run has taken over, or it was given back."""
        mine = (arrivals.c.id == claim.arrival_id) & arrivals.c.lease_until.is_not(None)
        with self._database.write() as connection:
            fence(connection, claim)
            longer = sa.update(arrivals).where(mine).values(lease_until=until)
            if connection.execute(longer).rowcount != 1:
                raise ClaimLost("the lease has ended", feed=claim.feed, file=claim.partition)

    def release(self, claim: Claim) -> None:
        """End the lease, so that the next run need not wait for it."""
        self._fenced(claim, {"lease_until": None})

    def release_of(self, feed: str, partition: str, owner: str) -> None:
        """End the lease of a run that is known to have ended."""
        mine = (arrivals.c.feed == feed) & (arrivals.c.partition == partition) & (arrivals.c.owner == owner)
        with self._database.write() as connection:
            connection.execute(sa.update(arrivals).where(mine).values(lease_until=None))

    def moved(self, claim: Claim, claimed_as: str) -> None:
        """Record under which path the sender's copy is held."""
        self._fenced(claim, {"claimed_as": claimed_as})

    def changed(self, claim: Claim, now: Listed) -> None:
        """Record that the held copy is no longer what was seen; it counts as the newest of its namesakes."""
        twin = arrivals.alias()
        same = (twin.c.feed == arrivals.c.feed) & (twin.c.name == arrivals.c.name)
        same &= (twin.c.size == now.size) & (twin.c.mtime == _bound(now.mtime))
        newest = sa.select(_next_occurrence(twin)).where(same).scalar_subquery()
        facts = {"size": now.size, "mtime": now.mtime, "version": now.version}
        self._fenced(claim, {**facts, "occurrence": newest})

    def packed(self, claim: Claim, packed: Landed) -> None:
        """Record that the bytes are ours, and packed: what is in them is still to be seen."""
        self._fenced(claim, {"packed_sha256": packed.sha256, "error": None})

    def landed(self, claim: Claim, landed: Landed, now: datetime) -> None:
        """Record that the content's bytes are ours."""
        with self._database.write() as connection:
            fence(connection, claim)
            bring(self._database, connection, [(claim.feed, landed, claim.arrival_id)], now)
            values = {"sha256": landed.sha256, "state": ArrivalState.LANDED, "error": None}
            connection.execute(sa.update(arrivals).where(arrivals.c.id == claim.arrival_id).values(**values))

    def unpacked(self, claim: Claim, members: Iterable[tuple[Listed, str, Landed]], now: datetime) -> None:
        """Record the files that came in this one, each with its facts, partition key and bytes, landed and due.

        What an earlier try recorded is left as it is.
        """
        with self._database.write() as connection:
            fence(connection, claim)
            mine = sa.select(arrivals.c.name, arrivals.c.sha256).where(arrivals.c.container == claim.arrival_id)
            before = set(connection.execute(mine).tuples())
            new = [
                LandedFile(feed=claim.feed, file=f, partition=p, sha256=landed.sha256, container=claim.arrival_id)
                for f, p, landed in members
                if (f.name, landed.sha256) not in before
            ]
            if new:
                add_landed(self._database, connection, new, now)

    def bringer(self, feed: str, sha256: str) -> Arrival:
        """Return the arrival that these bytes are held for; every other one with the same bytes is a duplicate."""
        query = sa.select(*FIELDS).join(files, files.c.arrival_id == arrivals.c.id)
        with self._database.read() as connection:
            row = connection.execute(query.where(files.c.feed == feed, files.c.sha256 == sha256)).one()
            return as_arrival(row._asdict())

    def first_bringer(self, sha256: str) -> Arrival | None:
        """Return the arrival that brought these bytes before any other, in whatever feed; none that was refused, or is
        a duplicate itself."""
        query = sa.select(*FIELDS).join(files, files.c.arrival_id == arrivals.c.id)
        query = query.where(files.c.sha256 == sha256, arrivals.c.state.not_in(UNUSED))
        with self._database.read() as connection:
            row = connection.execute(query.order_by(files.c.landed_at, arrivals.c.id).limit(1)).one_or_none()
        return None if row is None else as_arrival(row._asdict())

    def bring_again(self, claim: Claim, landed: Landed, now: datetime) -> None:
        """Let a file whose bytes are here be the one that brought them, if the one before it was refused since."""
        with self._database.write() as connection:
            fence(connection, claim)
            bring(self._database, connection, [(claim.feed, landed, claim.arrival_id)], now)

    def relied_on(self, feed: str, sha256: str) -> bool:
        """Whether a file with the same bytes ended as a duplicate: it counts on the one that brought them."""
        same = (arrivals.c.feed == feed) & (arrivals.c.sha256 == sha256)
        query = sa.select(arrivals.c.id).where(same, arrivals.c.state == ArrivalState.DUPLICATE)
        with self._database.read() as connection:
            return connection.execute(query.limit(1)).first() is not None

    def brought(self, arrival: Arrival, sha256: str) -> Arrival:
        """Return the arrival that these bytes would be held for if the given one brought them now."""
        query = sa.select(*FIELDS).join(files, files.c.arrival_id == arrivals.c.id)
        query = query.where(files.c.feed == arrival.feed, files.c.sha256 == sha256, arrivals.c.state.not_in(UNUSED))
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return arrival if row is None else as_arrival(row._asdict())

    def namesakes(self, arrival: Arrival) -> list[Arrival]:
        """Return earlier files of the same name that brought other bytes and were not refused, oldest first."""
        query = sa.select(*FIELDS).where(
            arrivals.c.feed == arrival.feed,
            arrivals.c.name == arrival.name,
            arrivals.c.id < arrival.id,
            arrivals.c.sha256.is_not(None),
            arrivals.c.state.not_in(REFUSED),
        )
        with self._database.read() as connection:
            return [as_arrival(row._asdict()) for row in connection.execute(query.order_by(arrivals.c.id))]

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

    def cancel(self, arrival: Arrival, by: str, now: datetime) -> None:
        """Record that a file is to be taken back; its next step ends it, if nothing is decided of it by then."""
        with self._database.write() as connection:
            mine = (arrivals.c.id == arrival.id) & arrivals.c.state.not_in(ENDED)
            connection.execute(sa.update(arrivals).where(mine).values(cancelled_by=by, retry_at=None))
            told = {"taken back": arrival.partition}
            file = arrival.sha256 or arrival.packed_sha256 or ""
            append(self._database, connection, Act.DESK, told, feed=arrival.feed, file=file, by=by, now=now)

    def set_aside(self, arrival_id: int, path: str, now: datetime, *, error: str | None) -> None:
        """Record where the sender's copy was put when all was done, and what is wrong with it."""
        with self._database.write() as connection:
            row = sa.update(arrivals).where(arrivals.c.id == arrival_id)
            connection.execute(row.values(set_aside_to=path, set_aside_at=now, error=error))

    def _fenced(self, claim: Claim, values: dict[str, Any]) -> None:
        with self._database.write() as connection:
            fence(connection, claim)
            connection.execute(sa.update(arrivals).where(arrivals.c.id == claim.arrival_id).values(**values))


def _bound(moment: datetime) -> sa.BindParameter[datetime]:
    return sa.bindparam(None, moment, type_=arrivals.c.mtime.type)


def _next_occurrence(table: Any) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.max(table.c.occurrence) + 1, 0)
