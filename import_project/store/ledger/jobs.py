"""Jobs of the front desk in the ledger: handed in, listed, taken by a worker, told to whoever waits for them."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from import_project.errors import DeskRefused, KeyTaken, TooMany
from import_project.records.audit import Act
from import_project.records.files import ENDED, Arrival, ArrivalState, Listed
from import_project.records.jobs import HandIn, Job, JobState
from import_project.store.ledger.audit import New, append_all
from import_project.store.ledger.claims import FIELDS, as_arrival
from import_project.store.ledger.database import Database
from import_project.store.ledger.desk_tables import jobs
from import_project.store.ledger.landed import LandedFile, add_landed
from import_project.store.ledger.tables import arrivals, outcomes

_MINUTE = timedelta(minutes=1)
_LOOKED_AT = 1_000
_UNENDED = tuple(state for state in ArrivalState if not state.ended)
_OURS = [jobs.c[n] for n in ("number", "id", "workspace", "handed_in_by", "created_at")]
_members = arrivals.alias("members")
_mine = sa.select(sa.func.count()).where(_members.c.container == arrivals.c.id)
_OPEN = _mine.where(_members.c.state.not_in(ENDED)).scalar_subquery()
_FAILED = _mine.where(_members.c.state == ArrivalState.FAILED).scalar_subquery()
_QUERY = (
    sa.select(
        *(column.label(f"job_{column.name}") for column in _OURS),
        arrivals.c.started_at.label("job_started_at"),
        sa.func.coalesce(outcomes.c.concluded_at, outcomes.c.finished_at).label("job_completed_at"),
        _OPEN.label("job_members_open"),
        _FAILED.label("job_members_failed"),
        *FIELDS,
    )
    .join(arrivals, arrivals.c.id == jobs.c.arrival_id)
    .outerjoin(outcomes, outcomes.c.arrival_id == arrivals.c.id)
)


class Jobs:
    """The `jobs` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hand_in(self, some: Sequence[tuple[HandIn, str]], now: datetime) -> list[str | DeskRefused]:
        """Make a job and an arrival of each file, with its partition key, in one transaction.

        Returns the id of each job, of the earlier one where its key is known; or why it is refused.
        """
        made: list[str | DeskRefused] = []
        with self._database.write() as connection:
            waiting, lately = Counter[str](), Counter[str]()
            for name in {one.workspace for one, _ in some}:
                waiting[name] = connection.execute(_waiting(name)).scalar_one()
                lately[name] = connection.execute(_since(name, now - _MINUTE)).scalar_one()
            taken = list[tuple[HandIn, str]]()
            known = _known(connection, {one.key for one, _ in some if one.key is not None})
            for one, partition in some:
                place, file = (one.workspace, one.key or one.job_id), (one.feed, one.sha256)
                before = known.get(place)
                if before is not None:
                    made.append(before[0] if before[1:] == file else KeyTaken("the key came with another file before"))
                    continue
                refused = _refused(
                    one.workspace,
                    (waiting[one.workspace], one.most_waiting),
                    (lately[one.workspace], one.most_a_minute),
                )
                if refused is None:
                    known[place] = (one.job_id, *file)
                    taken.append((one, partition))
                    waiting[one.workspace] += 1
                    lately[one.workspace] += 1
                made.append(refused or one.job_id)
            if taken:
                self._add(connection, taken, now)
        return made

    def _add(self, connection: Connection, some: Sequence[tuple[HandIn, str]], now: datetime) -> None:
        files = [
            LandedFile(
                feed=one.feed,
                file=Listed(name=one.name, size=one.size, mtime=now.replace(microsecond=0), version=one.job_id),
                partition=partition,
                sha256=one.sha256,
                packed=one.packed,
            )
            for one, partition in some
        ]
        ids = add_landed(self._database, connection, files, now)
        rows = [
            {
                "id": one.job_id,
                "workspace": one.workspace,
                "handed_in_by": one.by,
                "key": one.key,
                "arrival_id": arrival_id,
                "created_at": now,
                "hook_at": now if one.hook else None,
            }
            for (one, _), arrival_id in zip(some, ids, strict=True)
        ]
        connection.execute(sa.insert(jobs), rows)
        told = [
            New(
                facts={"handed in": {"job": one.job_id, "name": one.name, "bytes": one.size}},
                feed=one.feed,
                file=one.sha256,
                by=one.by,
            )
            for one, _ in some
        ]
        append_all(self._database, connection, Act.DESK, told, now)

    def keyed(self, workspace: str, key: str) -> tuple[str, str, str] | None:
        """Return the job that a caller's key made: its id, its feed, and the SHA-256 of the file as it came."""
        with self._database.read() as connection:
            return _known(connection, {key}).get((workspace, key))

    def room(self, workspace: str, most_waiting: int, most_a_minute: int, now: datetime) -> None:
        """Raise TooMany where a file of a workspace would be refused now."""
        with self._database.read() as connection:
            waiting = connection.execute(_waiting(workspace)).scalar_one()
            lately = connection.execute(_since(workspace, now - _MINUTE)).scalar_one()
        if refused := _refused(workspace, (waiting, most_waiting), (lately, most_a_minute)):
            raise refused

    def of(self, workspace: str, job_id: str) -> Job | None:
        """Return a workspace's job; None where it has none of that id."""
        return next(iter(self._jobs((jobs.c.workspace == workspace) & (jobs.c.id == job_id), 1)), None)

    def all(
        self,
        workspace: str,
        now: datetime,
        *,
        state: JobState | None = None,
        feed: str | None = None,
        before: int | None = None,
        most: int = 50,
    ) -> list[Job]:
        """Return jobs of a workspace, the newest first; those before a number, in a state, of a feed."""
        where = jobs.c.workspace == workspace
        where = where if feed is None else where & (arrivals.c.feed == feed)
        where = where if before is None else where & (jobs.c.number < before)
        return self._jobs(where if state is None else where & _is(state, now), most)

    def states(self, now: datetime) -> dict[JobState, int]:
        """Return how many jobs of all workspaces are in each state."""
        found: dict[JobState, int] = {}
        with self._database.read() as connection:
            for state in JobState:
                query = sa.select(sa.func.count()).select_from(jobs).join(arrivals, arrivals.c.id == jobs.c.arrival_id)
                found[state] = connection.execute(query.where(_is(state, now))).scalar_one()
        return found

    def take(self, now: datetime, *, again_at: datetime) -> Arrival | None:
        """Take the oldest file that is due a run, of those that were handed in and of those that came in them; until
        `again_at` nobody else takes it, unless a run fails before."""
        handed_in = sa.select(jobs.c.arrival_id)
        due = arrivals.c.state.in_(_UNENDED) & (arrivals.c.retry_at.is_(None) | (arrivals.c.retry_at <= now))
        due &= arrivals.c.lease_until.is_(None) | (arrivals.c.lease_until <= now)
        due &= arrivals.c.id.in_(handed_in) | arrivals.c.container.in_(handed_in)
        # In no order: sorted by id, a database would look through all files that ever ended.
        with self._database.read() as connection:
            rows = connection.execute(sa.select(*FIELDS).where(due).limit(_LOOKED_AT)).all()
        if not rows:
            return None
        oldest = min(rows, key=lambda row: row.id)
        with self._database.write() as connection:
            mine = sa.update(arrivals).where(due, arrivals.c.id == oldest.id)
            taken = connection.execute(mine.values(requests=arrivals.c.requests + 1, retry_at=again_at))
        return as_arrival(oldest._asdict()) if taken.rowcount == 1 else None

    def to_tell(self, now: datetime, *, again_at: datetime, most: int) -> list[tuple[Job, int]]:
        """Take ended jobs whose workspace waits to be told, each with how often that was tried before."""
        due = jobs.c.told_at.is_(None) & (jobs.c.hook_at <= now) & arrivals.c.state.in_(ENDED) & (_OPEN == 0)
        found = []
        for job in self._jobs(due, most, oldest=True):
            with self._database.write() as connection:
                mine = (jobs.c.number == job.number) & (jobs.c.hook_at <= now)
                tries = connection.execute(sa.select(jobs.c.hook_tries).where(mine)).scalar()
                taken = sa.update(jobs).where(mine).values(hook_at=again_at, hook_tries=jobs.c.hook_tries + 1)
                if connection.execute(taken).rowcount == 1:
                    found.append((job, int(tries or 0)))
        return found

    def told(self, number: int, now: datetime) -> None:
        """Record that the workspace was told of a job's end."""
        with self._database.write() as connection:
            connection.execute(sa.update(jobs).where(jobs.c.number == number).values(told_at=now))

    def tell_again(self, number: int, at: datetime | None) -> None:
        """Record when it is tried again; None: never."""
        with self._database.write() as connection:
            connection.execute(sa.update(jobs).where(jobs.c.number == number).values(hook_at=at))

    def _jobs(self, where: sa.ColumnElement[bool], most: int, *, oldest: bool = False) -> list[Job]:
        query = _QUERY.where(where).order_by(jobs.c.number if oldest else jobs.c.number.desc()).limit(most)
        with self._database.read() as connection:
            return [_job(row) for row in connection.execute(query)]


def _waiting(workspace: str) -> sa.Select[tuple[int]]:
    query = sa.select(sa.func.count()).select_from(jobs).join(arrivals, arrivals.c.id == jobs.c.arrival_id)
    return query.where(jobs.c.workspace == workspace, arrivals.c.state.not_in(ENDED))


def _since(workspace: str, moment: datetime) -> sa.Select[tuple[int]]:
    query = sa.select(sa.func.count()).select_from(jobs)
    return query.where(jobs.c.workspace == workspace, jobs.c.created_at > moment)


def _known(connection: Connection, keys: Collection[str]) -> dict[tuple[str, str], tuple[str, str, str]]:
    """Return the jobs of the callers' own keys, by workspace and key: id, feed, and the file as it came."""
    if not keys:
        return {}
    came = sa.func.coalesce(arrivals.c.packed_sha256, arrivals.c.sha256)
    query = sa.select(jobs.c.workspace, jobs.c.key, jobs.c.id, arrivals.c.feed, came)
    query = query.join(arrivals, arrivals.c.id == jobs.c.arrival_id).where(jobs.c.key.in_(keys))
    return {
        (workspace, key): (job, feed, file) for workspace, key, job, feed, file in connection.execute(query).tuples()
    }


def _refused(workspace: str, waiting: tuple[int, int], lately: tuple[int, int]) -> TooMany | None:
    """Say why a file is refused, given how many there are of each, and at most may be."""
    if waiting[0] >= waiting[1]:
        return TooMany(f"{waiting[0]} files of {workspace} wait already", do="wait for them to end", seconds=30)
    if lately[0] >= lately[1]:
        return TooMany(f"{lately[0]} files came from {workspace} in a minute", do="wait a minute", seconds=60)
    return None


def _is(state: JobState, now: datetime) -> sa.ColumnElement[bool]:
    """Say in SQL what `Job.state` says."""
    failed = (ArrivalState.FAILED, ArrivalState.VANISHED)
    is_, held = arrivals.c.state, arrivals.c.lease_until > now
    open_, packed = is_.not_in(ENDED), is_ == ArrivalState.UNPACKED
    under_way, refused = packed & (_OPEN > 0), packed & (_OPEN == 0) & (_FAILED > 0)
    well = is_.in_(ENDED) & is_.not_in((*failed, ArrivalState.CANCELLED))
    return {
        JobState.CANCELLED: is_ == ArrivalState.CANCELLED,
        JobState.FAILED: is_.in_(failed) | refused,
        JobState.COMPLETED: well & sa.not_(under_way) & sa.not_(refused),
        JobState.RUNNING: (open_ & held) | under_way,
        JobState.PENDING: open_ & (arrivals.c.lease_until.is_(None) | (arrivals.c.lease_until <= now)),
    }[state]


def _job(row: sa.Row[Any]) -> Job:
    values = row._asdict()
    own = {n.removeprefix("job_"): values.pop(n) for n in list(values) if n.startswith("job_")}
    return Job(**own, arrival=as_arrival(values))
