"""What polls saw, in the ledger: arrivals up to the moment a run claims them. Which change is due is the caller's."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from import_project.records.files import ENDED, Arrival, ArrivalState, Listed, Refusals
from import_project.store.ledger.claims import FIELDS, as_arrival
from import_project.store.ledger.database import Database
from import_project.store.ledger.operating_tables import poll_errors, polls
from import_project.store.ledger.tables import arrivals

_WAITING = (ArrivalState.SEEN, ArrivalState.READY)
_NOT_VANISHED = frozenset(ArrivalState) - {ArrivalState.VANISHED}  # a list of states is found by index; `!=` is not
_CHUNK = 500
_WHOLE = 20_000

#: A file by which an inbox tells it from others: name, size, mtime, version.
Identity = tuple[str, int, datetime, str | None]


class Sightings:
    """The waiting part of the `arrivals` table, and the `polls` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unended(self, feed: str) -> list[Arrival]:
        """Return all arrivals of a feed that have not ended, or whose copy at the sender still waits to be moved."""
        aside_due = arrivals.c.claimed_as.is_not(None) & arrivals.c.set_aside_at.is_(None)
        query = sa.select(*FIELDS).where(
            arrivals.c.feed == feed,
            arrivals.c.state.not_in(ENDED) | aside_due,
            arrivals.c.state.in_(_NOT_VANISHED),
        )
        with self._database.read() as connection:
            return [as_arrival(row._asdict()) for row in connection.execute(query.order_by(arrivals.c.id))]

    def named(self, feed: str, names: Sequence[str]) -> list[Arrival]:
        """Return all arrivals a feed ever had under `names`, oldest first."""
        found: list[Arrival] = []
        with self._database.read() as connection:
            for start in range(0, len(names), _CHUNK):
                some = arrivals.c.name.in_(names[start : start + _CHUNK])
                query = sa.select(*FIELDS).where(arrivals.c.feed == feed, some).order_by(arrivals.c.id)
                found += [as_arrival(row._asdict()) for row in connection.execute(query)]
        return found

    def ended(self, feed: str) -> set[Identity]:
        """Return what tells the files that have ended from others, all but those that vanished before their time."""
        # Seconds, counted by the database, become times in a third of the time that its texts do.
        mtime = sa.cast(sa.extract("epoch", arrivals.c.mtime), sa.BigInteger)
        columns = [arrivals.c.name, arrivals.c.size, mtime, arrivals.c.version]
        states = ENDED & _NOT_VANISHED
        query = sa.select(*columns).where(arrivals.c.feed == feed, arrivals.c.state.in_(states))
        with self._database.read() as connection:
            rows = connection.execution_options(yield_per=_WHOLE).execute(query).tuples()
            return {(name, size, datetime.fromtimestamp(at, UTC), version) for name, size, at, version in rows}

    def see(self, feed: str, new: Iterable[tuple[Listed, int, str | None]], now: datetime) -> None:
        """Record first sightings, each with its occurrence number, and its partition key if it is ready at once."""
        rows = [
            {**_row(feed, f, occurrence, now), "partition": partition}
            | {"state": ArrivalState.READY if partition else ArrivalState.SEEN}
            for f, occurrence, partition in new
        ]
        if rows:
            with self._database.write() as connection:
                connection.execute(self._database.insert_new(arrivals), rows)

    def see_stray(self, feed: str, strays: Iterable[tuple[Listed, int, str]], now: datetime) -> None:
        """Record files that stand claimed at the sender by nobody we know, each with the path it is held under."""
        rows = [
            # A millisecond apart: the names they are set aside under are made of it.
            {**_row(feed, f, occurrence, now + timedelta(milliseconds=n)), "claimed_as": held_as}
            | {"state": ArrivalState.SEEN}
            for n, (f, occurrence, held_as) in enumerate(strays)
        ]
        if rows:
            with self._database.write() as connection:
                connection.execute(self._database.insert_new(arrivals), rows)

    def adopt(self, partitions: Iterable[tuple[int, str]]) -> None:
        """Make strays ours: claimed by no run, for the next run to take over."""
        self._give_partitions(partitions, ArrivalState.CLAIMED)

    def owned(self, paths: Sequence[str]) -> set[str]:
        """Return those of the paths at the sender that some feed's arrival is held under."""
        query = sa.select(arrivals.c.claimed_as).where(
            arrivals.c.claimed_as.in_(paths),
            arrivals.c.state.not_in([ArrivalState.SEEN, ArrivalState.VANISHED]),
            arrivals.c.set_aside_at.is_(None),  # after that, what lies there is another file
        )
        with self._database.read() as connection:
            return set(connection.execute(query).scalars()) if paths else set()

    def look_again(self, ids: Iterable[int], now: datetime) -> None:
        """Count one more look at arrivals that have not changed."""
        self._change(ids, {"looks": arrivals.c.looks + 1, "looked_at": now, "missing": 0})

    def miss(self, ids: Iterable[int]) -> None:
        """Count one more listing that did not show these arrivals."""
        self._change(ids, {"missing": arrivals.c.missing + 1})

    def vanish(self, ids: Iterable[int]) -> None:
        """End arrivals that are no longer listed, unless a run has claimed them meanwhile."""
        self._change(ids, {"state": ArrivalState.VANISHED})

    def ready(self, partitions: Iterable[tuple[int, str]]) -> None:
        """Make stable arrivals ready under their partition keys."""
        self._give_partitions(partitions, ArrivalState.READY)

    def _give_partitions(self, partitions: Iterable[tuple[int, str]], state: ArrivalState) -> None:
        given = [{"the_id": arrival_id, "key": key} for arrival_id, key in partitions]
        if given:
            # IN cannot be used where one statement runs with many values.
            waits = sa.or_(*(arrivals.c.state == state for state in _WAITING))
            row = (arrivals.c.id == sa.bindparam("the_id")) & waits
            with self._database.write() as connection:
                connection.execute(
                    sa.update(arrivals).where(row).values(state=state, partition=sa.bindparam("key")), given
                )

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
                first = {"feed": feed, "polled_at": now, "first_polled_at": now, "polls": 1, "listed": listed}
                connection.execute(self._database.insert_new(polls).values(**first))
            connection.execute(sa.delete(poll_errors).where(poll_errors.c.feed == feed))

    def poll_failed(self, feed: str, error: str, now: datetime) -> None:
        """Record why the inbox could not be listed; forgotten when it could."""
        self._failed(feed, {"failed_at": now, "error": error}, refusals=0)

    def login_refused(self, feed: str, error: str, now: datetime, tried_with: str) -> None:
        """Count a login that was refused, with what it was tried with; forgotten when it was not."""
        self._failed(feed, {"failed_at": now, "error": error, "refused_at": now, "tried_with": tried_with}, refusals=1)

    def _failed(self, feed: str, values: dict[str, Any], *, refusals: int) -> None:
        mine, more = poll_errors.c.feed == feed, {"refusals": poll_errors.c.refusals + refusals}
        with self._database.write() as connection:
            first = {"feed": feed, "refusals": 0, **values}
            connection.execute(self._database.insert_new(poll_errors).values(**first))
            connection.execute(sa.update(poll_errors).where(mine).values(**values, **more))

    def refusals(self, feed: str) -> Refusals | None:
        """Return how often a feed's login was refused since the inbox was last listed; None: not at all."""
        known = poll_errors.c
        query = sa.select(known.refusals, known.refused_at, known.tried_with, known.error).where(known.feed == feed)
        with self._database.read() as connection:
            row = connection.execute(query.where(known.refusals > 0)).one_or_none()
        return None if row is None else Refusals(count=row[0], last_at=row[1], tried_with=row[2], error=row[3])

    def login_accepted(self, feed: str) -> None:
        """Forget that a feed's login was refused."""
        with self._database.write() as connection:
            connection.execute(sa.update(poll_errors).where(poll_errors.c.feed == feed).values(refusals=0))

    def poll_errors(self) -> dict[str, str]:
        """Return why feeds could not be polled, of those that could not when it was last tried."""
        with self._database.read() as connection:
            return dict(connection.execute(sa.select(poll_errors.c.feed, poll_errors.c.error)).tuples().all())

    def all_ended(self, feed: str) -> str | None:
        """Return the digest of the last listing all of whose files had ended, for good."""
        with self._database.read() as connection:
            query = sa.select(polls.c.all_ended).where(polls.c.feed == feed)
            found: str | None = connection.execute(query).scalar_one_or_none()
        return found

    def note_all_ended(self, feed: str, digest: str) -> None:
        """Record that all files of a listing have ended."""
        with self._database.write() as connection:
            connection.execute(sa.update(polls).where(polls.c.feed == feed).values(all_ended=digest))

    def polls(self) -> dict[str, int]:
        """Return how often each feed's inbox has been listed."""
        with self._database.read() as connection:
            return dict(connection.execute(sa.select(polls.c.feed, polls.c.polls)).tuples().all())

    def last_polls(self) -> dict[str, tuple[datetime, int]]:
        """Return when each feed's inbox was last listed, and how many wanted files it held."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(polls.c.feed, polls.c.polled_at, polls.c.listed))
            return {feed: (at, listed) for feed, at, listed in rows.tuples()}

    def states(self) -> dict[str, dict[str, int]]:
        """Return how many arrivals of each feed are in each state."""
        query = sa.select(arrivals.c.feed, arrivals.c.state, sa.func.count()).group_by(
            arrivals.c.feed, arrivals.c.state
        )
        found: dict[str, dict[str, int]] = {}
        with self._database.read() as connection:
            for feed, state, count in connection.execute(query).tuples():
                found.setdefault(feed, {})[state] = count
        return found

    def first_polled(self, feed: str) -> datetime | None:
        """Return when a feed's inbox was first listed; None: not yet."""
        with self._database.read() as connection:
            found: datetime | None = connection.execute(
                sa.select(polls.c.first_polled_at).where(polls.c.feed == feed)
            ).scalar_one_or_none()
        return found

    def came_since(self, feed: str, since: datetime) -> list[tuple[str, datetime]]:
        """Return name and first sighting of the files that came from `since` on, oldest first; none out of archives."""
        query = (
            sa.select(arrivals.c.name, arrivals.c.first_seen_at)
            .where(arrivals.c.feed == feed, arrivals.c.first_seen_at >= since, arrivals.c.container.is_(None))
            .where(arrivals.c.state != ArrivalState.VANISHED)
        )
        with self._database.read() as connection:
            return list(connection.execute(query.order_by(arrivals.c.first_seen_at)).tuples())


def _row(feed: str, file: Listed, occurrence: int, now: datetime) -> dict[str, Any]:
    facts = {"feed": feed, "name": file.name, "size": file.size, "mtime": file.mtime, "version": file.version}
    return facts | {"occurrence": occurrence, "looks": 1, "looked_at": now, "first_seen_at": now}
