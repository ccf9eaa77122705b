"""Signs of life in the ledger: when something that must keep running last said that it does."""

from datetime import datetime

import sqlalchemy as sa

from import_project.store.ledger.database import Database
from import_project.store.ledger.operating_tables import heartbeats


class Heartbeats:
    """The `heartbeats` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def beat(self, name: str, now: datetime, *, due_at: datetime | None = None) -> None:
        """Record that it lives, and when it will say so again, where that is known."""
        row = {"name": name, "beat_at": now, "due_at": due_at}
        with self._database.write() as connection:
            mine = sa.update(heartbeats).where(heartbeats.c.name == name).values(beat_at=now, due_at=due_at)
            if connection.execute(mine).rowcount == 0:
                connection.execute(self._database.insert_new(heartbeats).values(**row))

    def last(self, name: str) -> datetime | None:
        """Return when it last did; None: never."""
        with self._database.read() as connection:
            found: datetime | None = connection.execute(
                sa.select(heartbeats.c.beat_at).where(heartbeats.c.name == name)
            ).scalar_one_or_none()
        return found

    def due(self, name: str) -> datetime | None:
        """Return when it was to say so again; None: it did not tell."""
        with self._database.read() as connection:
            found: datetime | None = connection.execute(
                sa.select(heartbeats.c.due_at).where(heartbeats.c.name == name)
            ).scalar_one_or_none()
        return found
