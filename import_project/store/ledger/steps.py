"""Attempts at steps in the ledger: what reports are made of, and which run is at what now. They decide nothing."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from import_project.records.steps import Attempt, StepState
from import_project.store.ledger.database import Database
from import_project.store.ledger.operating_tables import steps
from import_project.store.ledger.tables import arrivals

_WORDS = 2_000
_LONGEST_DRY = timedelta(days=1)
_FIELDS = [
    arrivals.c.feed,
    arrivals.c.partition,
    arrivals.c.name.label("file"),
    *(
        steps.c[n]
        for n in ("run", "step", "attempt", "state", "dry_run", "started_at", "finished_at", "error", "facts")
    ),
]


class Steps:
    """The `steps` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(
        self, arrival_id: int, run: str, step: str, now: datetime, *, dry_run: bool = False, holds: bool = True
    ) -> int:
        """Record that an attempt begins. Returns its id.

        One that holds the file tells that what others left running on it was cut off.
        """
        mine = steps.c.arrival_id == arrival_id
        before = (steps.c.run == run) & (steps.c.step == step) & mine
        with self._database.write() as connection:
            if holds and not dry_run:
                left = mine & (steps.c.state == StepState.RUNNING) & steps.c.dry_run.is_(sa.false())
                connection.execute(sa.update(steps).where(left).values(state=StepState.CUT_OFF))
            if dry_run:  # of a killed dry run nobody else tells
                left = (
                    (steps.c.state == StepState.RUNNING) & steps.c.dry_run & (steps.c.started_at < now - _LONGEST_DRY)
                )
                connection.execute(sa.update(steps).where(left).values(state=StepState.CUT_OFF))
            tried = connection.execute(sa.select(sa.func.count()).select_from(steps).where(before)).scalar_one()
            row = {"arrival_id": arrival_id, "run": run, "step": step, "attempt": tried + 1, "started_at": now}
            made = connection.execute(
                sa.insert(steps).values(**row, state=StepState.RUNNING, dry_run=dry_run)
            ).inserted_primary_key
        assert made is not None
        return int(made[0])

    def end(
        self,
        step_id: int,
        state: StepState,
        now: datetime,
        *,
        error: str | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Record how an attempt ended, and the counts and sums that it told."""
        values = {"state": state, "finished_at": now, "error": None if error is None else error[:_WORDS]}
        values["facts"] = json.dumps(dict(facts), default=str, ensure_ascii=False) if facts else None
        with self._database.write() as connection:
            connection.execute(sa.update(steps).where(steps.c.id == step_id).values(**values))

    def of_run(self, run: str) -> list[Attempt]:
        """Return the attempts of the run whose id begins so, in their order."""
        return self._attempts(steps.c.run.startswith(run, autoescape=True))

    def of_file(self, feed: str, partition: str) -> list[Attempt]:
        """Return all attempts at a file, in their order."""
        return self._attempts((arrivals.c.feed == feed) & (arrivals.c.partition == partition))

    def running(self) -> list[Attempt]:
        """Return the attempts that have not ended, as far as is known."""
        return self._attempts(steps.c.state == StepState.RUNNING)

    def forget(self, before: datetime, most: int) -> int:
        """Delete attempts that ended before a moment, at most so many. Returns how many."""
        old = sa.select(steps.c.id).where(steps.c.started_at < before, steps.c.state != StepState.RUNNING).limit(most)
        with self._database.write() as connection:
            return connection.execute(sa.delete(steps).where(steps.c.id.in_(old))).rowcount

    def _attempts(self, where: sa.ColumnElement[bool]) -> list[Attempt]:
        query = sa.select(*_FIELDS).join(arrivals, arrivals.c.id == steps.c.arrival_id).where(where)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(steps.c.id)).all()
        return [_attempt(row) for row in rows]


def _attempt(row: sa.Row[Any]) -> Attempt:
    values = row._asdict()
    return Attempt(**values | {"state": StepState(row.state), "facts": json.loads(row.facts or "{}")})
