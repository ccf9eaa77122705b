"""Dagster's own SQLite storages, with connections that stay open. Named in `dagster.yaml`.

Dagster builds an engine, opens the file and compiles the statement anew for each event: five sixths of what an event
costs, and half of what a small file's run costs. Files, tables and statements are Dagster's; nothing else is changed.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, QueuePool, create_engine

#: So many databases stay open: each run has one of its own.
_OPEN = 16


class _Engines:
    """Engines of the databases that were used last."""

    def __init__(self) -> None:
        self._engines = OrderedDict[str, Engine]()
        self._lock = threading.Lock()

    def of(self, url: str) -> Engine:
        with self._lock:
            if url not in self._engines:
                self._engines[url] = create_engine(
                    url,
                    poolclass=QueuePool,
                    pool_size=1,
                    max_overflow=-1,
                    connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
                )
            self._engines.move_to_end(url)
            while len(self._engines) > _OPEN:
                self._engines.popitem(last=False)[1].dispose()
            return self._engines[url]

    def close(self) -> None:
        with self._lock:
            while self._engines:
                self._engines.popitem()[1].dispose()


class EventStorage(SqliteEventLogStorage):
    """Events, where Dagster keeps them by default: `history/runs` in `base_dir`."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._open = _Engines()
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Build the storage as Dagster does; `base_dir` is the instance's folder."""
        return cls(str(Path(config_value["base_dir"]) / "history" / "runs"), inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._open.of(self.conn_string_for_shard(shard))
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def wipe(self) -> None:
        """Delete all events; no file that is open is deleted."""
        self._open.close()
        super().wipe()

    def dispose(self) -> None:
        """Close what is open."""
        super().dispose()
        self._open.close()


class _StaysOpen:
    """What keeps one database, open."""

    _conn_string: str

    @cached_property
    def _open(self) -> _Engines:
        return _Engines()

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Give a connection, in a transaction."""
        with self._open.of(self._conn_string).begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Close what is open."""
        self._open.close()


class RunStorage(_StaysOpen, SqliteRunStorage):
    """Runs, where Dagster keeps them by default: `history` in `base_dir`."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Build the storage as Dagster does; `base_dir` is the instance's folder."""
        return cls.from_local(str(Path(config_value["base_dir"]) / "history"), inst_data)


class ScheduleStorage(_StaysOpen, SqliteScheduleStorage):
    """Ticks of sensors, where Dagster keeps them by default: `schedules` in `base_dir`."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Build the storage as Dagster does; `base_dir` is the instance's folder."""
        made = cls.from_local(str(Path(config_value["base_dir"]) / "schedules"), inst_data)
        assert isinstance(made, cls)
        return made
