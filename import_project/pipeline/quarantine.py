"""Quarantined rows of files that have ended: which still wait, and their replay, mended or under another schema.

A replayed row keeps its number, its identity and so its key, and counts in the outcome of its file. Tables:
`replayed` (as `accepted`, and `identity_now` of corrected rows) and `corrections` (what was changed, by whom).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from import_project.errors import ConfigError
from import_project.formats.characters import character_issues
from import_project.frames import IDENTITY, RAW, RESERVED, ROW_NUMBER, Batch, issues_frame
from import_project.pipeline.corrections import REASONS
from import_project.pipeline.hold import Facts, Held
from import_project.pipeline.parts import Parts
from import_project.validation.again import split_again
from import_project.validation.identity import identity_key

#: The identity that a corrected row would have, had it come so.
IDENTITY_NOW = "identity_now"

#: What was changed in a cell before its row was replayed; times are UTC.
CORRECTIONS: dict[str, pl.DataType] = {
    ROW_NUMBER: pl.Int64(),
    "column": pl.String(),
    "before": pl.String(),
    "after": pl.String(),
    "corrected_by": pl.String(),
    "corrected_at": pl.Datetime("us", "UTC"),
}


#: Row numbers that an entry of the audit log names.
_MOST_LOGGED = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What a person hands in: corrected rows (`row_number` and text columns; None: all as they are), and who it is.

    `told` is given the issues of the rows that stay quarantined.
    """

    rows: pl.DataFrame | None
    by: str
    told: Callable[[pl.DataFrame], None]


def replayed_rows(held: Held) -> pl.DataFrame:
    """Return the rows of a file that were quarantined and then replayed, in the shape of `accepted`."""
    if held.parts.tables.has(held.feed, "replayed", held.sha256):
        return held.parts.tables.read(held.feed, "replayed", held.sha256)
    none = next(iter(held.parts.tables.batches(held.feed, "accepted", held.sha256))).clear()
    return none.with_columns(pl.lit(None, pl.String).alias(IDENTITY_NOW))


def waiting_rows(parts: Parts, feed: str, sha256: str) -> pl.DataFrame:
    """Return a file's quarantined rows that were not replayed, as they were read."""
    rows = parts.tables.read(feed, "quarantined", sha256)
    if not parts.tables.has(feed, "replayed", sha256):
        return rows
    done = parts.tables.read(feed, "replayed", sha256).select(ROW_NUMBER)
    return rows.join(done, on=ROW_NUMBER, how="anti", maintain_order="left")


async def replay_rows(held: Held, asked: Replay) -> Facts:
    """Hold quarantined rows against the schema again; those that pass become rows of the file, ready to be posted.

    Raises ConfigError for a feed of payments, whose bank must send what is right, and for rows that do not wait.
    """
    schema = held.loaded.schema
    if schema is None:
        raise ConfigError("payments are not corrected here", do="have the bank send the file again")
    waiting = waiting_rows(held.parts, held.feed, held.sha256)
    before = replayed_rows(held)
    given = waiting if asked.rows is None else corrected(waiting, asked.rows, before[ROW_NUMBER])

    def accepted(columns: list[str]) -> Iterator[pl.DataFrame]:
        return held.parts.tables.batches(held.feed, "accepted", held.sha256, columns=columns)

    changes = _changes(waiting, given)
    batch = Batch(frame=given.drop(IDENTITY), issues=_still_broken(held, given, changes), records=given.height)
    split = split_again(
        batch, schema.compiled, others=accepted, replayed=before, transform=held.loaded.callbacks.transform
    )
    passed = split.accepted.join(given.select(ROW_NUMBER, IDENTITY), on=ROW_NUMBER, how="left", maintain_order="left")
    changes = changes.join(passed.select(ROW_NUMBER), on=ROW_NUMBER, how="semi", maintain_order="left")
    columns = schema.identity or [c.name for c in schema.columns]
    now = _identities_now(held, given, changes[ROW_NUMBER].unique(), columns)
    passed = passed.join(now, on=ROW_NUMBER, how="left", maintain_order="left")
    facts = {
        "replayed": passed.height,
        "still quarantined": waiting.height - passed.height,
        "cells changed": changes.height,
    }
    rows = {"rows": passed[ROW_NUMBER].head(_MOST_LOGGED).to_list()}
    held.parts.ledger.audit.corrected(held.claim, held.sha256, asked.by, {**facts, **rows}, held.parts.clock())
    _keep(held, before, passed, changes, asked.by)
    asked.told(split.issues)
    return facts


def corrected(waiting: pl.DataFrame, rows: pl.DataFrame, done: pl.Series) -> pl.DataFrame:
    """Put corrected rows in place of those that wait; columns that were not handed in stay as they are.

    Rows that were replayed before (`done`) are passed over. Raises ConfigError for rows that were never quarantined or
    stand twice, and for columns that the file has not.
    """
    rows = rows.filter(~pl.col(ROW_NUMBER).is_in(done.implode()))
    strangers = rows.join(waiting, on=ROW_NUMBER, how="anti")[ROW_NUMBER]
    if strangers.len():
        raise ConfigError(f"row {strangers[0]} is not quarantined", do="leave it out")
    if rows[ROW_NUMBER].is_duplicated().any():
        raise ConfigError(f"row {rows.filter(rows[ROW_NUMBER].is_duplicated())[ROW_NUMBER][0]} stands twice")
    own = [c for c in waiting.columns if c not in RESERVED]
    unknown = [c for c in rows.columns if c not in {*own, ROW_NUMBER} and c.rstrip("_") != REASONS]
    if unknown:
        raise ConfigError(f"the file has no column {unknown[0]!r}", do=f"its columns are {', '.join(own)}")
    there = [c for c in own if c in rows.columns]
    mended = rows.select(ROW_NUMBER, *(pl.col(c).cast(pl.String) for c in there))
    kept = waiting.join(rows.select(ROW_NUMBER), on=ROW_NUMBER, how="semi", maintain_order="left").drop(there)
    return kept.join(mended, on=ROW_NUMBER, how="left", maintain_order="left").select(waiting.columns)


def _changes(waiting: pl.DataFrame, given: pl.DataFrame) -> pl.DataFrame:
    """Return `row_number`, `column`, `before`, `after` of each cell that was changed."""
    found = [
        waiting.select(ROW_NUMBER, column=pl.lit(c), before=pl.col(c))
        .join(given.select(ROW_NUMBER, after=pl.col(c)), on=ROW_NUMBER, maintain_order="left")
        .filter(~pl.col("before").eq_missing(pl.col("after")))
        for c in waiting.columns
        if c not in RESERVED
    ]
    schema = {ROW_NUMBER: pl.Int64, "column": pl.String, "before": pl.String, "after": pl.String}
    return pl.concat([pl.DataFrame(schema=schema), *found]).sort(ROW_NUMBER, maintain_order=True)


def _still_broken(held: Held, given: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """Return what the format found wrong with rows, where nothing was changed: a torn record that nobody mended is
    torn.

    A finding about a cell is gone when the cell was changed, one about the whole record when anything in it was.
    """
    found = held.parts.tables.read(held.feed, "findings", held.sha256)
    found = found.filter(pl.col("severity") == "error").join(given.select(ROW_NUMBER), on=ROW_NUMBER, how="semi")
    of_cells = found.filter(pl.col("column").is_not_null()).join(changes, on=[ROW_NUMBER, "column"], how="anti")
    of_rows = found.filter(pl.col("column").is_null()).join(changes, on=ROW_NUMBER, how="anti")
    texts = [c for c in given.columns if c not in RESERVED]
    new = issues_frame(character_issues(given, texts)).join(found, on=[ROW_NUMBER, "column"], how="anti")
    return pl.concat([of_cells, of_rows, new]).sort(ROW_NUMBER, maintain_order=True)


def _identities_now(held: Held, given: pl.DataFrame, changed: pl.Series, columns: Sequence[str]) -> pl.DataFrame:
    """Return the identities that corrected rows would have, had they come so: a sender may correct them as well.

    The ledger then knows such a row under both, and one that came corrected before is not posted again.
    """
    rows = given.filter(pl.col(ROW_NUMBER).is_in(changed.implode()))
    keys = identity_key(rows.with_columns(pl.lit(None, pl.String).alias(RAW)), columns)
    now = [f"{key}\x1f{place}" for key, place in zip(keys, _places(held, keys), strict=True)]
    return rows.select(ROW_NUMBER, pl.Series(IDENTITY_NOW, now, dtype=pl.String))


def _places(held: Held, keys: pl.Series) -> list[int]:
    """Return which of equal rows each key is: those that were accepted come first."""
    count = dict.fromkeys(keys, 0)
    for frame in held.parts.tables.batches(held.feed, "accepted", held.sha256, columns=[IDENTITY]):
        known = frame[IDENTITY].str.replace("\x1f[0-9]+$", "")
        for key, times in known.filter(known.is_in(keys.implode())).value_counts().iter_rows():
            count[key] += times
    places = []
    for key in keys:
        places.append(count[key])
        count[key] += 1
    return places


def _keep(held: Held, before: pl.DataFrame, passed: pl.DataFrame, changes: pl.DataFrame, by: str) -> None:
    tables, now = held.parts.tables, held.parts.clock()
    made = changes.select(
        *changes.columns, corrected_by=pl.lit(by), corrected_at=pl.lit(now).cast(CORRECTIONS["corrected_at"])
    )
    if tables.has(held.feed, "corrections", held.sha256):
        made = pl.concat([tables.read(held.feed, "corrections", held.sha256), made])
    tables.write(held.feed, "corrections", held.sha256, made)
    together = pl.concat([before, passed.select(before.columns)]).sort(ROW_NUMBER)
    tables.write(held.feed, "replayed", held.sha256, together)
