"""Parquet tables, one for each table of each file. Their columns are the business of those who write them."""

from pathlib import Path

import polars as pl

from import_project.errors import StoreDamaged
from import_project.store.disk import disk_errors, part_file, settle


class Tables:
    """`root/feed/table/sha256.parquet`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, feed: str, table: str, sha256: str) -> Path:
        """Where a table of a file is, or would be."""
        return self.root / feed / table / f"{sha256}.parquet"

    def write(self, feed: str, table: str, sha256: str, frame: pl.DataFrame) -> int:
        """Write a table in one step, over an older one of the same file. Returns its rows."""
        target = self.path(feed, table, sha256)
        with disk_errors(f"write table {table} to {self.root}"), part_file(target.parent) as part:
            try:
                frame.write_parquet(part, compression="zstd")
            except pl.exceptions.ComputeError as error:  # what Polars makes of a disk's refusal
                raise OSError(str(error)) from error
            settle(part, target)
        return frame.height

    def read(self, feed: str, table: str, sha256: str) -> pl.DataFrame:
        """Return a table. Raises StoreDamaged when it was never written or cannot be read."""
        path = self.path(feed, table, sha256)
        try:
            return pl.read_parquet(path)
        except FileNotFoundError:
            raise StoreDamaged(f"table {table} of this file is missing", do="run its earlier steps again") from None
        except pl.exceptions.ComputeError as error:
            raise StoreDamaged(f"table {table} at {path} cannot be read: {error}") from error
