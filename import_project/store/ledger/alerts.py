"""Alerts in the ledger: what was raised, and whether it has reached its receiver."""

from datetime import datetime

import sqlalchemy as sa

from import_project.store.ledger.database import Database
from import_project.store.ledger.tables import alerts


class Alerts:
    """The `alerts` table: each alert is sent once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unsent(self, key: str, message: str, now: datetime) -> bool:
        """Record an alert under its key, if it is new. Returns whether it still waits to be sent."""
        with self._database.write() as connection:
            row = connection.execute(sa.select(alerts.c.sent_at).where(alerts.c.key == key)).one_or_none()
            if row is None:
                connection.execute(sa.insert(alerts).values(key=key, message=message, raised_at=now))
            return row is None or row.sent_at is None

    def sent(self, key: str, now: datetime) -> None:
        """Record that an alert has reached its receiver."""
        with self._database.write() as connection:
            connection.execute(sa.update(alerts).where(alerts.c.key == key).values(sent_at=now))

    def waiting(self) -> list[tuple[str, str]]:
        """Return key and message of alerts that have not reached their receiver, oldest first."""
        query = sa.select(alerts.c.key, alerts.c.message).where(alerts.c.sent_at.is_(None))
        with self._database.read() as connection:
            return [(key, message) for key, message in connection.execute(query.order_by(alerts.c.raised_at))]
