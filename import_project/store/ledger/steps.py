"""Attempts at steps in the ledger: what reports are made of, and which run is at what now. They decide nothing."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
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


# What is asked at every step is built once.


@cache
def _cut_off() -> sa.Update:
    left = (steps.c.arrival_id == sa.bindparam("of")) & (steps.c.state == StepState.RUNNING)
    return sa.update(steps).where(left & steps.c.dry_run.is_(sa.false())).values(state=StepState.CUT_OFF)


@cache
def _tried() -> sa.Select[tuple[int]]:
    before = [steps.c[name] == sa.bindparam(f"this_{name}") for name in ("arrival_id", "run", "step")]
    return sa.select(sa.func.count()).select_from(steps).where(*before)


@cache
def _ended() -> sa.Update:
    values: dict[str, Any] = {n: sa.bindparam(f"new_{n}") for n in ("state", "finished_at", "error", "facts")}
    return sa.update(steps).where(steps.c.id == sa.bindparam("this")).values(**values)


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
        this = {"arrival_id": arrival_id, "run": run, "step": step}
        with self._database.write() as connection:
            if holds and not dry_run:
                connection.execute(_cut_off(), {"of": arrival_id})
            if dry_run:  # of a killed dry run nobody else tells
                left = (
                    (steps.c.state == StepState.RUNNING) & steps.c.dry_run & (steps.c.started_at < now - _LONGEST_DRY)
                )
                connection.execute(sa.update(steps).where(left).values(state=StepState.CUT_OFF))
            tried = connection.execute(_tried(), {f"this_{name}": value for name, value in this.items()}).scalar_one()
            row = {**this, "attempt": tried + 1, "started_at": now, "state": StepState.RUNNING, "dry_run": dry_run}
            made = connection.execute(sa.insert(steps), row).inserted_primary_key
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
        new = {"new_state": state, "new_finished_at": now, "new_error": None if error is None else error[:_WORDS]}
        new["new_facts"] = json.dumps(dict(facts), default=str, ensure_ascii=False) if facts else None
        with self._database.write() as connection:
            connection.execute(_ended(), {"this": step_id, **new})

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
