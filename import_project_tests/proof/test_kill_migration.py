"""Killed in the middle of bringing a ledger with open work to this release (K13), at one of its statements after the
other: it is as it was, or it is whole, and the open work is still there."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext

from import_project.store.ledger.database import Database, newest, upgrade
from import_project.store.ledger.ledger import Ledger

_CHILD = """
import os, signal, sys
import sqlalchemy as sa
from import_project.store.ledger.ledger import Ledger
left = int(sys.argv[2])
def count(*_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
sa.event.listen(sa.engine.Engine, "after_cursor_execute", count)
sa.event.listen(sa.engine.Engine, "commit", count)
Ledger(sys.argv[1]).sightings.unended("f")
"""
_OLD = "0003"
#: Each child takes a second: so many statements lie between two kills.
_STRIDE = 4


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    found: str = request.getfixturevalue("postgres_database")
    return found


@pytest.fixture
def old(url: str) -> Iterator[Database]:
    """A ledger of an early release, which has seen two files."""
    database = Database(url)
    with database.engine.execution_options(write=True).begin() as connection:
        upgrade(connection, _OLD)
        arrivals = sa.Table("arrivals", sa.MetaData(), autoload_with=connection)
        for name in ("a.csv", "b.csv"):
            connection.execute(sa.insert(arrivals), _filled(arrivals, feed="f", name=name, state="seen"))
    yield database
    database.close()


def _filled(table: sa.Table, **known: Any) -> dict[str, Any]:
    """A row with something in each column that needs a value."""
    row = dict(known)
    for column in table.columns:
        if column.name not in row and not column.nullable and not column.primary_key and column.server_default is None:
            whole = isinstance(column.type, sa.Integer | sa.BigInteger)
            row[column.name] = 1 if whole else datetime(2026, 11, 20)  # noqa: DTZ001 - as the ledger keeps UTC
    return row


def test_ledger_survives_a_kill_between_its_statements(old: Database, url: str) -> None:
    killed = 0
    for statement in range(1, 10_000, _STRIDE):
        given = [sys.executable, "-c", _CHILD, url, str(statement)]
        done = subprocess.run(given, capture_output=True, text=True, check=False)
        if done.returncode != -signal.SIGKILL:
            break
        killed += 1
        with old.engine.connect() as connection:
            assert MigrationContext.configure(connection).get_current_revision() in {_OLD, newest()}
    assert done.returncode == 0, done.stderr[-2000:]
    assert killed > 12
    ledger = Ledger(url)
    assert [one.name for one in ledger.sightings.unended("f")] == ["a.csv", "b.csv"]
    ledger.close()
