"""The right to act on a file: taking it, and holding every write against it. A newer claim shuts the older out.

Every step does this, so its statements are built once: that takes as long as SQLite takes to answer them.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from import_project.errors import ClaimLost, FileVanished
from import_project.records.files import Arrival, ArrivalState, Claim
from import_project.store.ledger.tables import arrivals

FIELDS = [arrivals.c[name] for name in Arrival.__slots__]


def as_arrival(values: Mapping[str, Any]) -> Arrival:
    """Return the values of FIELDS as a record."""
    return Arrival(**{**values, "state": ArrivalState(values["state"])})


@cache
def _one() -> sa.Select[Any]:
    return sa.select(*FIELDS).where(arrivals.c.feed == sa.bindparam("of"), arrivals.c.partition == sa.bindparam("key"))


@cache
def _one_locked() -> sa.Select[Any]:
    return _one().with_for_update()


@cache
def _take() -> sa.Update:
    values: dict[str, Any] = {n: sa.bindparam(f"new_{n}") for n in ("owner", "lease_until", "token", "state")}
    begun = sa.bindparam("now", type_=arrivals.c.started_at.type)
    values["started_at"] = sa.func.coalesce(arrivals.c.started_at, begun)
    return sa.update(arrivals).where(arrivals.c.id == sa.bindparam("this")).values(**values)


@cache
def _fence() -> sa.Update:
    mine = (arrivals.c.id == sa.bindparam("this")) & (arrivals.c.token == sa.bindparam("held"))
    return sa.update(arrivals).where(mine).values(owner=sa.bindparam("by"))


def fence(connection: Connection, claim: Claim) -> None:
    """Lock the arrival for this transaction, and raise ClaimLost when a newer claim exists."""
    mine = {"this": claim.arrival_id, "held": claim.token, "by": claim.owner}
    if connection.execute(_fence(), mine).rowcount != 1:
        raise ClaimLost("another run has taken this file over", feed=claim.feed, file=claim.partition)


def arrival_of(connection: Connection, feed: str, partition: str, *, lock: bool = False) -> Arrival | None:
    """Return the arrival with this partition key, locked for this transaction if asked for."""
    query = _one_locked() if lock else _one()
    row = connection.execute(query, {"of": feed, "key": partition}).one_or_none()
    return None if row is None else as_arrival(row._asdict())


def take(
    connection: Connection, feed: str, partition: str, *, owner: str, now: datetime, lease: timedelta
) -> tuple[Arrival, Claim]:
    """Take or renew the right to act on a file, in the caller's transaction. Raises as `Arrivals.claim` does."""
    held = arrival_of(connection, feed, partition, lock=True)
    if held is None or held.state is ArrivalState.VANISHED:
        raise FileVanished("no such file waits any more", feed=feed, file=partition)
    if held.held(now) and held.owner != owner:
        raise ClaimLost(f"run {held.owner} holds this file", feed=feed, file=partition, do="wait for it to end")
    taken = replace(
        held,
        owner=owner,
        lease_until=now + lease,
        token=held.token if held.owner == owner and held.held(now) else held.token + 1,
        state=ArrivalState.CLAIMED if held.state is ArrivalState.READY else held.state,
    )
    new = {f"new_{name}": getattr(taken, name) for name in ("owner", "lease_until", "token", "state")}
    connection.execute(_take(), {"this": held.id, "now": now, **new})
    return taken, Claim(arrival_id=taken.id, feed=feed, partition=partition, owner=owner, token=taken.token)
