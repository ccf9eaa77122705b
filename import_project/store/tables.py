"""Parquet tables, one for each table of each file. Their columns are the business of those who write them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import polars as pl

from import_project.errors import StoreDamaged
from import_project.store.disk import disk_errors, part_file, settle
from import_project.store.objects import Objects, forget_noted

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_BATCH_ROWS = 100_000
_REMOVED = ".removed"


class Tables:
    """`root/feed/table/sha256.parquet`; a cache of `objects`, where there are any."""

    def __init__(self, root: Path, objects: Objects | None = None) -> None:
        self.root = root
        self._objects = objects

    def path(self, feed: str, table: str, sha256: str) -> Path:
        """Where a table of a file is, or would be."""
        return self.root / feed / table / f"{sha256}.parquet"

    def found(self, feed: str, table: str, sha256: str) -> Path:
        """Where a table of a file is read from; what another machine wrote is brought."""
        path = self.path(feed, table, sha256)
        if self._objects is not None and not self._objects.bring(self._key(path), path, changes=True):
            path.unlink(missing_ok=True)  # another machine has let it go
            forget_noted(path)
        return path

    def _key(self, path: Path) -> str:
        return f"tables/{path.relative_to(self.root).as_posix()}"

    def _keep(self, part: Path, target: Path) -> None:
        settle(part, target)
        if self._objects is not None:
            self._objects.put(target, self._key(target), changes=True)

    def write(self, feed: str, table: str, sha256: str, frame: pl.DataFrame) -> int:
        """Write a table in one step, over an older one of the same file. Returns its rows."""
        target = self.path(feed, table, sha256)
        with disk_errors(f"write table {table} to {self.root}"), part_file(target.parent) as part:
            try:
                frame.write_parquet(part, compression="zstd")
            except pl.exceptions.ComputeError as error:  # what Polars makes of a disk's refusal
                raise OSError(str(error)) from error
            self._keep(part, target)
        return frame.height

    @contextmanager
    def writing(self, feed: str, sha256: str, *tables: str) -> Iterator[Mapping[str, "Growing"]]:
        """Give tables that are written piece by piece. They stand in place of older ones when the block ends well."""
        with disk_errors(f"write tables {', '.join(tables)} to {self.root}"):
            yield from self._writing(feed, sha256, tables)

    def _writing(self, feed: str, sha256: str, tables: tuple[str, ...]) -> Iterator[Mapping[str, "Growing"]]:
        if not tables:
            yield {}
            return
        first, *others = tables
        target = self.path(feed, first, sha256)
        with part_file(target.parent) as part, Growing(part) as growing:
            for rest in self._writing(feed, sha256, tuple(others)):
                yield {first: growing, **rest}
            growing.close()
            if part.exists():
                self._keep(part, target)

    def read(self, feed: str, table: str, sha256: str) -> pl.DataFrame:
        """Return a table. Raises StoreDamaged when it was never written or cannot be read."""
        with self._readable(feed, table, sha256) as path:
            return pl.read_parquet(path)

    def batches(
        self, feed: str, table: str, sha256: str, *, columns: list[str] | None = None
    ) -> Iterator[pl.DataFrame]:
        """Yield a table's rows in their order, some at a time; at least one frame. Raises StoreDamaged."""
        import pyarrow.parquet as pq

        with self._readable(feed, table, sha256) as path, pq.ParquetFile(path) as file:
            every = pl.read_parquet_schema(path)
            schema = pl.Schema({name: every[name] for name in columns or every})
            yield pl.DataFrame(schema=schema)
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=columns):
                yield pl.DataFrame(pl.from_arrow(batch)).cast(schema)

    def rows(self, feed: str, table: str, sha256: str) -> int:
        """Return how many rows a table has. Raises StoreDamaged."""
        import pyarrow.parquet as pq

        with self._readable(feed, table, sha256) as path:
            return int(pq.read_metadata(path).num_rows)

    def counts(self, feed: str, table: str, sha256: str, column: str) -> dict[str, int]:
        """Return how often each value stands in a column of texts, whatever the table's size. Raises StoreDamaged."""
        with self._readable(feed, table, sha256) as path:
            counted = pl.scan_parquet(path, glob=False).group_by(column).len().collect(engine="streaming")
        return {value: count for value, count in counted.sort(column).iter_rows() if value is not None}

    def has(self, feed: str, table: str, sha256: str) -> bool:
        """Whether a table was written."""
        return self.found(feed, table, sha256).is_file()

    def remove(self, feed: str, table: str, sha256: str) -> None:
        """Take a table away, if there is one."""
        with disk_errors(f"remove table {table} from {self.root}"):
            path = self.path(feed, table, sha256)
            if self._objects is not None:
                self._objects.remove(self._key(path))
                forget_noted(path)
            path.unlink(missing_ok=True)

    def older(self, than: datetime) -> Iterator[tuple[str, str]]:
        """Yield feed and file of those all of whose tables were written before a moment."""
        newest: dict[tuple[str, str], float] = {}
        with disk_errors(f"look through the tables in {self.root}"):
            for path in sorted(self.root.glob("*/*/*.parquet")):
                with suppress(FileNotFoundError):  # another has let it go in between
                    file = (path.parts[-3], path.stem)
                    newest[file] = max(newest.get(file, 0.0), path.stat().st_mtime)
        for key, at in self._objects.all("tables") if self._objects is not None else ():
            _, feed, _, name = key.split("/")
            file = (feed, name.removesuffix(".parquet"))
            newest[file] = max(newest.get(file, 0.0), at.timestamp())
        yield from (file for file, at in newest.items() if at < than.timestamp())

    def forget(self, feed: str, sha256: str, older: datetime, *, first: str) -> bool:
        """Take all tables of a file away that were written before a moment, the one named first before the others.
        Returns whether none is left."""
        for one in self._objects.folders(f"tables/{feed}") if self._objects is not None else ():
            self.found(feed, one.rpartition("/")[2], sha256)
        paths = list((self.root / feed).glob(f"*/{sha256}.parquet"))
        left = False
        with disk_errors(f"remove tables from {self.root}"):
            for path in sorted(paths, key=lambda one: one.parent.name != first):
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime >= older.timestamp():
                        left = True  # written anew in between: the file came again
                    else:
                        self.remove(feed, path.parent.name, sha256)
        return not left

    @contextmanager
    def _readable(self, feed: str, table: str, sha256: str) -> Iterator[Path]:
        import pyarrow as pa

        path = self.found(feed, table, sha256)
        try:
            yield path
        except FileNotFoundError:
            do = "run its earlier steps again, unless IMPORT_PROJECT_KEEP_TABLE_DAYS let the file's tables go"
            raise StoreDamaged(f"table {table} of this file is missing", do=do) from None
        except (pl.exceptions.ComputeError, pa.ArrowException) as error:
            raise StoreDamaged(f"table {table} at {path} cannot be read: {error}") from error


class DryTables(Tables):
    """Tables of a dry run: written beside the real ones, which are read where this run has written none."""

    def __init__(self, root: Path, beneath: Tables) -> None:
        super().__init__(root)
        self._beneath = beneath

    def found(self, feed: str, table: str, sha256: str) -> Path:
        """Where a table of a file is read from."""
        own = self.path(feed, table, sha256)
        if own.is_file() or own.with_suffix(_REMOVED).exists():
            return own
        return self._beneath.found(feed, table, sha256)

    def remove(self, feed: str, table: str, sha256: str) -> None:
        """Take a table away, and hide the one beneath."""
        super().remove(feed, table, sha256)
        own = self.path(feed, table, sha256)
        with disk_errors(f"remove table {table} from {self.root}"):
            own.parent.mkdir(parents=True, exist_ok=True)
            own.with_suffix(_REMOVED).touch()


class Growing:
    """A table in the making. All frames that are appended have the columns of the first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None
        self.rows = 0

    def append(self, frame: pl.DataFrame) -> None:
        """Write some more rows."""
        import pyarrow.parquet as pq

        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema, compression="zstd")
        if frame.height:
            self._writer.write_table(table)
        self.rows += frame.height

    def close(self) -> None:
        """Write the end of the table."""
        if self._writer is not None:
            self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
