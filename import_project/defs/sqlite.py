"""Dagster's own SQLite storages, with connections that stay open. Named in `dagster.yaml`.

Dagster builds an engine, opens the file and compiles the statement anew for each event: five sixths of what an event
costs, and half of what a small file's run costs. It also reads all migrations anew for each instance that is opened, so
for each tick of a sensor. Files, tables and statements are Dagster's; nothing else is changed.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS, create_db_conn_string
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine, text
from sqlalchemy.exc import OperationalError

#: So many databases stay open: each run has one of its own.
_OPEN = 16


class _Revisions:
    """The revisions of a kind of database that Dagster has looked at and let be, in this process."""

    def __init__(self) -> None:
        self._sound = set[str]()

    def sound(self, engine: Engine) -> bool:
        """Whether a database is of a revision that Dagster need not look at again."""
        return self._of(engine) in self._sound

    def note(self, engine: Engine) -> None:
        """Remember the revision of a database that Dagster has just looked at."""
        if (revision := self._of(engine)) is not None:
            self._sound.add(revision)

    def _of(self, engine: Engine) -> str | None:
        try:
            with engine.connect() as connection:
                revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
                return revision
        except OperationalError:  # it has no such table yet, or is busy: Dagster knows what to do
            return None


class _Engines:
    """Engines of the databases that were used last in this process, whichever storage asked: what has been compiled
    for one instance serves the next."""

    def __init__(self) -> None:
        self._engines = OrderedDict[tuple[int, str], Engine]()
        self._lock = threading.Lock()

    def of(self, url: str) -> Engine:
        key = (os.getpid(), url)  # a connection must not be used on both sides of a fork
        with self._lock:
            if key not in self._engines:
                self._engines[key] = create_engine(
                    url,
                    poolclass=QueuePool,
                    pool_size=1,
                    max_overflow=-1,
                    connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
                )
            self._engines.move_to_end(key)
            while len(self._engines) > _OPEN:
                self._engines.popitem(last=False)[1].dispose()
            return self._engines[key]

    def close(self, urls: Callable[[str], bool]) -> None:
        """Close the connections to these databases that nobody uses just now."""
        with self._lock:
            for (process, url), engine in self._engines.items():
                if process == os.getpid() and urls(url):
                    engine.dispose()


_ENGINES = _Engines()


class EventStorage(SqliteEventLogStorage):
    """Events, where Dagster keeps them by default: `history/runs` in `base_dir`."""

    _REVISIONS: ClassVar = _Revisions()

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Build the storage as Dagster does; `base_dir` is the instance's folder."""
        return cls(str(Path(config_value["base_dir"]) / "history" / "runs"), inst_data)

    def has_table(self, table_name: str) -> bool:
        """Whether there is such a table; one that is there stays."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    @cached_property
    def _tables(self) -> set[str]:
        return set()

    def _initdb(self, engine: Engine, for_index_shard: bool = False) -> None:  # noqa: FBT001, FBT002 - Dagster's own
        if not self._REVISIONS.sound(engine):
            super()._initdb(engine, for_index_shard)
            self._REVISIONS.note(engine)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = _ENGINES.of(self.conn_string_for_shard(shard))
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def wipe(self) -> None:
        """Delete all events; no file that is open is deleted."""
        self._close()
        super().wipe()

    def dispose(self) -> None:
        """Close what is open."""
        super().dispose()
        self._close()

    def _close(self) -> None:
        _ENGINES.close(lambda url: Path(url.removeprefix("sqlite:///")).parent == Path(self._base_dir))


class _StaysOpen:
    """What keeps one database, open."""

    _conn_string: str
    _REVISIONS: ClassVar[_Revisions]

    @classmethod
    def _opened(cls, folder: Path, name: str, inst_data: ConfigurableClassData | None) -> Self:
        """Open the database of this name in a folder; Dagster makes it, or looks at it, where that is needed."""
        url = create_db_conn_string(str(folder), name)
        engine = create_engine(url, poolclass=NullPool)
        if not (folder / f"{name}.db").exists() or not cls._REVISIONS.sound(engine):
            cls.from_local(str(folder), inst_data)  # type: ignore[attr-defined]
            cls._REVISIONS.note(engine)
        return cls(url, inst_data)  # type: ignore[call-arg]

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Give a connection, in a transaction."""
        with _ENGINES.of(self._conn_string).begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Close what is open."""
        _ENGINES.close(lambda url: url == self._conn_string)


class RunStorage(_StaysOpen, SqliteRunStorage):
    """Runs, where Dagster keeps them by default: `history` in `base_dir`."""

    _REVISIONS: ClassVar = _Revisions()

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Build the storage as Dagster does; `base_dir` is the instance's folder."""
        return cls._opened(Path(config_value["base_dir"]) / "history", "runs", inst_data)


class ScheduleStorage(_StaysOpen, SqliteScheduleStorage):
    """Ticks of sensors, where Dagster keeps them by default: `schedules` in `base_dir`."""

    _REVISIONS: ClassVar = _Revisions()

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Build the storage as Dagster does; `base_dir` is the instance's folder."""
        return cls._opened(Path(config_value["base_dir"]) / "schedules", "schedules", inst_data)

    def has_instigators_table(self) -> bool:
        """Whether Dagster's own tables of sensors are there; once they are, they stay."""
        return self._instigators

    @cached_property
    def _instigators(self) -> bool:
        with self.connect() as connection:
            return super()._has_instigators_table(connection)

    def _has_instigators_table(self, conn: Connection) -> bool:
        return self._instigators
