"""Engines of the ledger's database, one for each in a process, and how SQLite is set up. No transactions."""

import os
import sqlite3
import threading
import time
from functools import lru_cache
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from import_project.errors import ConfigError
from import_project.store.disk import disk_errors

_WAL_TRIES = 200


class SharedEngine:
    """An engine with several users in a process; its connections are closed when the last has given it back."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._users, self._lock = engine, 0, threading.Lock()

    def take(self) -> Engine:
        """Return the engine to one more user."""
        with self._lock:
            self._users += 1
        return self._engine

    def give_back(self) -> None:
        """Let one user less have it. A pool that is closed while a connection is out loses sight of it."""
        with self._lock:
            self._users -= 1
            if not self._users:
                self._engine.dispose()


def shared_engine(url: sa.URL) -> SharedEngine:
    """Return this process's engine of a database: what has been compiled for one poll serves the next. A file that was
    put in another's place is another database, and so is one that is not there yet. Raises ConfigError, StoreError."""
    file = 0
    if url.get_backend_name() == "sqlite" and url.database:
        path = Path(url.database)
        with disk_errors(f"make a folder for the ledger {path}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.stat().st_ino if path.exists() else 0
    if url.get_backend_name() == "sqlite" and not file:
        return SharedEngine(_build(url))
    return _made(url, file, os.getpid())


@lru_cache(maxsize=16)
def _made(url: sa.URL, _file: int, _process: int) -> SharedEngine:
    return SharedEngine(_build(url))


def _build(url: sa.URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(url, connect_args={"timeout": 30}, hide_parameters=True)
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        return sa.create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 10}, hide_parameters=True)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"a PostgreSQL ledger needs {error.name}", do="pip install 'import_project[postgres]'"
        ) from None


def _prepare_sqlite(connection: object, _record: object) -> None:
    """WAL, synced at each commit (a posting's state must outlive a power cut); BEGIN is ours to say."""
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for attempt in range(_WAL_TRIES):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError as error:
            # Another process is just switching, and SQLite's own time-out does not wait here; what else fails, fails.
            if "locked" not in str(error) or attempt == _WAL_TRIES - 1:
                raise
            time.sleep(0.05)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
