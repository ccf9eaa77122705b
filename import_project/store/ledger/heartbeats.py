"""Signs of life in the ledger: when something that must keep running last said that it does."""

from datetime import datetime

import sqlalchemy as sa

from import_project.store.ledger.database import Database
from import_project.store.ledger.operating_tables import heartbeats


class Heartbeats:
    """The `heartbeats` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def beat(self, name: str, now: datetime) -> None:
        """Record that it lives."""
        row = {"name": name, "beat_at": now}
        with self._database.write() as connection:
            mine = sa.update(heartbeats).where(heartbeats.c.name == name).values(beat_at=now)
            if connection.execute(mine).rowcount == 0:
                connection.execute(self._database.insert_new(heartbeats).values(**row))

    def last(self, name: str) -> datetime | None:
        """Return when it last did; None: never."""
        with self._database.read() as connection:
            found: datetime | None = connection.execute(
                sa.select(heartbeats.c.beat_at).where(heartbeats.c.name == name)
            ).scalar_one_or_none()
        return found
