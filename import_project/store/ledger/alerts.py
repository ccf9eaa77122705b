"""Alerts in the ledger: what was raised, and which channels have delivered it."""

import json
from datetime import datetime

import sqlalchemy as sa

from import_project.records.alerts import Alert, Undelivered
from import_project.store.ledger.database import Database
from import_project.store.ledger.operating_tables import alerts, deliveries


class Alerts:
    """The `alerts` and `deliveries` tables: each alert is delivered once over each channel."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def undelivered(self, alert: Alert, now: datetime) -> Undelivered | None:
        """Record an alert under its key, if it is new. Returns it as it was raised first, with the channels that have
        it; None when all have."""
        facts = json.dumps(dict(alert.facts), ensure_ascii=False)
        row = {"key": alert.key, "message": alert.text, "facts": facts, "raised_at": now}
        with self._database.write() as connection:
            connection.execute(self._database.insert_new(alerts).values(**row))
        return next(iter(self._waiting(alerts.c.key == alert.key)), None)

    def delivered(self, key: str, channel: str, now: datetime) -> None:
        """Record that a channel has delivered an alert."""
        with self._database.write() as connection:
            row = {"key": key, "channel": channel, "delivered_at": now}
            connection.execute(self._database.insert_new(deliveries).values(**row))

    def sent(self, key: str, now: datetime) -> None:
        """Record that an alert has reached all its receivers."""
        with self._database.write() as connection:
            connection.execute(sa.update(alerts).where(alerts.c.key == key).values(sent_at=now))

    def waiting(self) -> list[Undelivered]:
        """Return alerts that have not reached all their receivers, oldest first."""
        return self._waiting(sa.true())

    def known(self, key: str) -> bool:
        """Whether an alert was raised."""
        with self._database.read() as connection:
            return connection.execute(sa.select(alerts.c.key).where(alerts.c.key == key)).first() is not None

    def last(self, prefix: str) -> str | None:
        """Return the key, of those that begin so, that was raised last."""
        query = sa.select(alerts.c.key).where(alerts.c.key.startswith(prefix, autoescape=True))
        with self._database.read() as connection:
            found = connection.execute(query.order_by(alerts.c.raised_at.desc(), alerts.c.key.desc()).limit(1))
            key: str | None = found.scalar_one_or_none()
        return key

    def forget(self, before: datetime, most: int) -> int:
        """Delete alerts that reached all their receivers before a moment, at most so many. Returns how many."""
        old = sa.select(alerts.c.key).where(alerts.c.sent_at < before).order_by(alerts.c.sent_at).limit(most)
        with self._database.write() as connection:
            keys = list(connection.execute(old).scalars())
            for table in (deliveries, alerts):
                connection.execute(sa.delete(table).where(table.c.key.in_(keys)))
        return len(keys)

    def newest(self, count: int) -> list[tuple[Alert, datetime, datetime | None]]:
        """Return the newest alerts, newest first, each with when it was raised and when all receivers had it."""
        query = sa.select(alerts).order_by(alerts.c.raised_at.desc(), alerts.c.key).limit(count)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [(_alert(r), r.raised_at, r.sent_at) for r in rows]

    def _waiting(self, which: sa.ColumnElement[bool]) -> list[Undelivered]:
        query = sa.select(alerts).where(alerts.c.sent_at.is_(None), which).order_by(alerts.c.raised_at, alerts.c.key)
        channels: dict[str, set[str]] = {}
        with self._database.read() as connection:
            rows = connection.execute(query).all()
            some = sa.select(deliveries.c.key, deliveries.c.channel)
            some = some.join(alerts, alerts.c.key == deliveries.c.key).where(alerts.c.sent_at.is_(None))
            for key, channel in connection.execute(some):
                channels.setdefault(key, set()).add(channel)
        return [Undelivered(alert=_alert(r), delivered=frozenset(channels.get(r.key, ()))) for r in rows]


def _alert(row: sa.Row[tuple[str, ...]]) -> Alert:
    return Alert(key=row.key, text=row.message, facts=json.loads(row.facts))
