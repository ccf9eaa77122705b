"""Outcomes in the ledger: one for each file that has ended."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from import_project.records.files import ArrivalState, Claim
from import_project.records.outcomes import Counts, Outcome
from import_project.store.ledger.claims import fence
from import_project.store.ledger.database import Database
from import_project.store.ledger.landed import REFUSED, take_up
from import_project.store.ledger.tables import arrivals, outcomes, sums

_COUNTS = [f.name for f in fields(Counts)]


class Outcomes:
    """The `outcomes` and `sums` tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def conclude(
        self,
        claim: Claim,
        state: ArrivalState,
        counts: Counts,
        amounts: Mapping[str, Decimal],
        now: datetime,
        *,
        error: str | None = None,
    ) -> None:
        """End the arrival and keep its outcome in one transaction; a later run of the same file replaces it.

        `finished_at` stays the first run's, so that a look at a finished file does not age it; what is kept for so many
        days is counted from the last.
        """
        with self._database.write() as connection:
            fence(connection, claim)
            mine = arrivals.c.id == claim.arrival_id
            started = connection.execute(sa.select(arrivals.c.started_at).where(mine)).scalar_one()
            before = connection.execute(
                sa.select(outcomes.c.finished_at).where(outcomes.c.arrival_id == claim.arrival_id)
            ).scalar()
            for table in (sums, outcomes):
                connection.execute(sa.delete(table).where(table.c.arrival_id == claim.arrival_id))
            row = {
                **asdict(counts),
                "error": error,
                "started_at": started,
                "finished_at": before or now,
                "concluded_at": now,
            }
            connection.execute(sa.insert(outcomes).values(arrival_id=claim.arrival_id, **row))
            each = [{"arrival_id": claim.arrival_id, "currency": c, "amount": a} for c, a in amounts.items()]
            if each:
                connection.execute(sa.insert(sums), each)
            connection.execute(sa.update(arrivals).where(mine).values(state=state, error=error, retry_at=None))
            if state in REFUSED:
                take_up(connection, claim.arrival_id)

    def ended_before(self, feed: str, moment: datetime) -> list[str]:
        """Return the partition keys of a feed's files that ended for the last time before a moment."""
        query = sa.select(arrivals.c.partition).join(outcomes, arrivals.c.id == outcomes.c.arrival_id)
        query = query.where(
            arrivals.c.feed == feed, outcomes.c.concluded_at < moment, arrivals.c.partition.is_not(None)
        )
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def all(self, feed: str | None = None) -> list[Outcome]:
        """Return the outcomes of a feed, or of all, in the order the files were first seen."""
        return self._outcomes(arrivals.c.feed == feed if feed else sa.true(), arrivals.c.id)

    def of(self, feed: str, partition: str) -> Outcome | None:
        """Return a file's outcome; None while it has not ended."""
        found = self._outcomes((arrivals.c.feed == feed) & (arrivals.c.partition == partition), arrivals.c.id)
        return found[0] if found else None

    def of_members(self, arrival_id: int) -> list[Outcome]:
        """Return the outcomes of the files that came in an archive and have ended."""
        return self._outcomes(arrivals.c.container == arrival_id, arrivals.c.id)

    def since(self, moment: datetime) -> list[Outcome]:
        """Return the outcomes of files that ended from a moment on, newest first."""
        return self._outcomes(outcomes.c.finished_at >= moment, outcomes.c.finished_at.desc())

    def last_of_each_feed(self) -> dict[str, Outcome]:
        """Return the outcome of each feed that came last."""
        newest = sa.select(sa.func.max(arrivals.c.id)).join(outcomes, outcomes.c.arrival_id == arrivals.c.id)
        return {o.feed: o for o in self._outcomes(arrivals.c.id.in_(newest.group_by(arrivals.c.feed)), arrivals.c.id)}

    def _outcomes(self, which: sa.ColumnElement[bool], order: sa.ColumnElement[Any]) -> list[Outcome]:
        query = (
            sa.select(
                outcomes, arrivals.c.feed, arrivals.c.name, arrivals.c.partition, arrivals.c.state, arrivals.c.sha256
            )
            .join(arrivals, arrivals.c.id == outcomes.c.arrival_id)
            .where(which)
        )
        money = sa.select(sums).where(sums.c.arrival_id.in_(query.with_only_columns(arrivals.c.id)))
        with self._database.read() as connection:
            rows = [row._asdict() for row in connection.execute(query.order_by(order))]
            amounts: dict[int, dict[str, Decimal]] = {}
            for arrival_id, currency, amount in connection.execute(money):
                amounts.setdefault(arrival_id, {})[currency] = amount
        return [
            Outcome(
                feed=row["feed"],
                name=row["name"],
                partition=row["partition"],
                state=row["state"],
                sha256=row["sha256"],
                counts=Counts(**{n: row[n] for n in _COUNTS}),
                sums=amounts.get(row["arrival_id"], {}),
                error=row["error"],
                started_at=row["started_at"],
                finished_at=row["finished_at"],
            )
            for row in rows
        ]
