"""The health of receiving APIs, shared by all runs: who may send, who tries first after an outage, at which pace."""

from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from import_project.records.postings import Health
from import_project.store.ledger.database import Database
from import_project.store.ledger.tables import apis

_LONGEST_PACE = timedelta(hours=1)
_FIELDS = [apis.c[name] for name in Health.__slots__]


def change_health(database: Database, connection: Connection, api: str, change: Callable[[Health], Health]) -> Health:
    """Change how an API has been answering, in the caller's transaction: other runs change it too. Returns it."""
    connection.execute(database.insert_new(apis).values(api=api))
    query = sa.select(*_FIELDS).where(apis.c.api == api).with_for_update()
    before = Health(**connection.execute(query).one()._asdict())
    health = change(before)
    if health != before:
        values = {name: getattr(health, name) for name in Health.__slots__}
        connection.execute(sa.update(apis).where(apis.c.api == api).values(**values))
    return health


class Apis:
    """The `apis` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def health(self, api: str) -> Health:
        """Return how an API has been answering."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(*_FIELDS).where(apis.c.api == api)).one_or_none()
        return Health(api=api) if row is None else Health(**row._asdict())

    def all(self) -> list[Health]:
        """Return how every API that was posted to has been answering."""
        with self._database.read() as connection:
            return [Health(**row._asdict()) for row in connection.execute(sa.select(*_FIELDS).order_by(apis.c.api))]

    def closed(self, now: datetime) -> list[Health]:
        """Return the APIs that are left in peace now."""
        query = sa.select(*_FIELDS).where(apis.c.closed_until > sa.bindparam("now", now, apis.c.closed_until.type))
        with self._database.read() as connection:
            return [Health(**row._asdict()) for row in connection.execute(query.order_by(apis.c.api))]

    def probe(self, health: Health, until: datetime) -> bool:
        """Take the right to try whether a closed API is back, for the time until then. False: another run has it."""
        mine = (apis.c.api == health.api) & (
            apis.c.closed_until == sa.bindparam("was", health.closed_until, apis.c.closed_until.type)
        )
        with self._database.write() as connection:
            return connection.execute(sa.update(apis).where(mine).values(closed_until=until)).rowcount == 1

    def pace(self, api: str, count: int, rate: float, now: datetime) -> datetime:
        """Reserve the time of the next `count` requests at `rate` a second. Returns when the first may leave."""
        with self._database.write() as connection:
            connection.execute(self._database.insert_new(apis).values(api=api))
            mine = apis.c.api == api
            row = connection.execute(sa.select(apis.c.paced_until).where(mine).with_for_update()).one()
            known = row.paced_until or now
            begins = known if now < known <= now + _LONGEST_PACE else now  # further off, a clock was wrong
            ends = begins + timedelta(seconds=count / rate)
            connection.execute(sa.update(apis).where(mine).values(paced_until=ends))
        return begins
