"""`import-project quarantine`: rows that were set aside: listed, shown, exported to be corrected, and replayed."""

import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from import_project.cli.installation import installation, named_feed, print_json
from import_project.cli.issue_table import issue_table
from import_project.cli.outcome_table import outcome_rows, outcome_table, table_console
from import_project.errors import ConfigError, one_line
from import_project.frames import IDENTITY, RAW, ROW_NUMBER, issues_frame
from import_project.pipeline.corrections import read_corrected, write_quarantined
from import_project.pipeline.dead_letters import REJECTED_BY_API, rejected_rows
from import_project.pipeline.parts import Parts
from import_project.pipeline.quarantine import Replay, waiting_rows
from import_project.pipeline.replay import replay
from import_project.records.files import ArrivalState
from import_project.records.outcomes import Outcome

_MOST_SHOWN = 50


def list_quarantined(feed: str | None, *, as_json: bool) -> None:
    """Print the files that have quarantined rows, and why."""
    with installation() as parts:
        found = [o for o in parts.ledger.outcomes.all(feed) if o.counts.quarantined or o.counts.rejected]
        rows = [_listed(parts, outcome) for outcome in found]
    if as_json:
        print_json(rows)
        return
    table = Table("file", "feed", "rows", "quarantined", "replayed", "rejected", "state", "reasons")
    for row in rows:
        reasons = ", ".join(f"{rule} {count}" for rule, count in row["reasons"].items())
        counts = (str(row[c]) for c in ("rows", "quarantined", "replayed", "rejected"))
        table.add_row(Text(row["file"]), row["feed"], *counts, row["state"], Text(reasons))
    table_console().print(table)


def _listed(parts: Parts, outcome: Outcome) -> dict[str, Any]:
    kept = parts.tables.has(outcome.feed, "quarantined", outcome.sha256 or "")
    issues = _waiting(parts, outcome)[1] if outcome.counts.quarantined and kept else issues_frame([])
    errors = (
        issues.filter(pl.col("severity") == "error")
        .group_by("rule")
        .len()
        .sort("len", "rule", descending=[True, False])
    )
    return {
        "file": outcome.name,
        "feed": outcome.feed,
        "partition": outcome.partition,
        "rows": outcome.counts.rows,
        "quarantined": outcome.counts.quarantined,
        "replayed": outcome.counts.replayed,
        "rejected": outcome.counts.rejected,
        "state": outcome.state,
        "reasons": dict(errors.iter_rows()) | ({REJECTED_BY_API: n} if (n := outcome.counts.rejected) else {}),
    }


def show_quarantined(file: str, feed: str | None, *, as_json: bool) -> None:
    """Print a file's quarantined rows with their cells and reasons."""
    with installation() as parts:
        outcome = _outcome(parts, file, feed)
        rejected = rejected_rows(parts, outcome.feed, outcome.sha256 or "")
        if rejected and not outcome.counts.quarantined:
            rows, issues = pl.DataFrame(schema={ROW_NUMBER: pl.Int64}), issues_frame([])
        else:
            rows, issues = _waiting(parts, outcome)
    if as_json:
        by_row: dict[int, list[dict[str, Any]]] = {}
        for issue in issues.iter_rows(named=True):
            told = {k: v for k, v in issue.items() if v is not None and k not in {ROW_NUMBER, "statement"}}
            by_row.setdefault(issue[ROW_NUMBER], []).append(told)
        print_json([*(_shown(row, by_row.get(row[ROW_NUMBER], [])) for row in rows.iter_rows(named=True)), *rejected])
        return
    console = table_console()
    console.print(f"{outcome.name} ({outcome.feed}): {rows.height:,} quarantined rows", markup=False, highlight=False)
    _print_rejected(rejected)
    if not rows.height:
        return
    columns = [c for c in rows.columns if c not in {ROW_NUMBER, IDENTITY} and rows[c].null_count() < rows.height]
    table = Table("row", *(Column(escape(one_line(c)[:30])) for c in columns))
    for row in rows.head(_MOST_SHOWN).iter_rows(named=True):
        cells = [Text("" if row[c] is None else one_line(str(row[c]))[:40]) for c in columns]
        table.add_row(str(row[ROW_NUMBER]), *cells)
    console.print(table)
    console.print(issue_table(issues.head(_MOST_SHOWN * 2).iter_rows(named=True), values=True))
    if rows.height > _MOST_SHOWN:
        console.print(f"and {rows.height - _MOST_SHOWN:,} more rows: export them")


def _print_rejected(rejected: Sequence[dict[str, Any]]) -> None:
    """The rows that passed, and that the API did not want: they go on by `postings replay`."""
    if not rejected:
        return
    table = Table("row", "posting", "the API's words")
    for row in rejected[:_MOST_SHOWN]:
        (issue,) = row["issues"]
        table.add_row(str(row[ROW_NUMBER]), str(issue["posting"]), Text(one_line(issue["message"])[:200]))
    console = table_console()
    console.print(f"{len(rejected):,} rejected by the API; see `import-project postings replay`", highlight=False)
    console.print(table)


def _shown(row: dict[str, Any], issues: list[dict[str, Any]]) -> dict[str, Any]:
    cells = {k: v for k, v in row.items() if k not in {ROW_NUMBER, IDENTITY, RAW} and v is not None}
    raw = {RAW: row[RAW]} if row.get(RAW) is not None else {}
    return {
        ROW_NUMBER: row[ROW_NUMBER],
        "cells": {k: v if isinstance(v, str | int) else str(v) for k, v in cells.items()},
        **raw,
        "issues": issues,
    }


def export_quarantined(file: str, feed: str | None, to: Path, *, force: bool) -> None:
    """Write a file's quarantined rows with their reasons to a CSV or XLSX file; over another only by `force`."""
    if to.exists() and not force:
        raise ConfigError(f"{to} exists, and may hold corrections", do="name another, or say --force")
    with installation() as parts:
        outcome = _outcome(parts, file, feed)
        rows, issues = _waiting(parts, outcome)
    texts = rows.with_columns(
        pl.col(c).cast(pl.String) for c, t in rows.schema.items() if c != ROW_NUMBER and not t.is_nested()
    )
    count = write_quarantined(to, texts.drop(c for c, t in rows.schema.items() if t.is_nested()), issues)
    replay_it = f"correct them, then: import-project quarantine replay {outcome.name} --from {to}"
    again = "the file was refused as a whole: have it sent again, or mend the feed and run its partition again"
    told = f"{count:,} rows written to {to}; {replay_it if outcome.state == ArrivalState.DONE else again}"
    table_console().print(told, markup=False, highlight=False, soft_wrap=True)


def replay_quarantined(file: str, feed: str | None, corrected: Path | None, by: str | None, *, as_json: bool) -> None:
    """Hold quarantined rows against the schema again, corrected or as they are, and post those that pass."""
    with installation() as parts:
        outcome = _outcome(parts, file, feed)
        loaded = named_feed(outcome.feed)
        left: list[pl.DataFrame] = []
        rows = None if corrected is None else read_corrected(corrected)
        asked = Replay(rows=rows, by=by or getpass.getuser(), told=left.append)
        facts = replay(parts, loaded, outcome, asked, owner=f"replay-{uuid4().hex[:12]}")
        now = _outcome(parts, outcome.partition, outcome.feed)
    issues = pl.concat(left)
    if as_json:
        told = [{k: v for k, v in i.items() if v is not None} for i in issues.iter_rows(named=True)]
        print_json({**facts, "outcome": outcome_rows([now])[0], "issues": told})
        return
    console = table_console()
    console.print(", ".join(f"{name}: {value}" for name, value in facts.items()), highlight=False)
    if issues.height:
        console.print(issue_table(issues.head(_MOST_SHOWN).iter_rows(named=True), values=True))
    console.print(outcome_table(outcome_rows([now])))


def _outcome(parts: Parts, file: str, feed: str | None) -> Outcome:
    """Return the outcome of a file, by its name or its partition. Raises ConfigError when none or several are meant."""
    found = [o for o in parts.ledger.outcomes.all(feed) if file in {o.name, o.partition}]
    with_rows = [o for o in found if o.counts.rows]
    if not found:
        raise ConfigError(f"no file {file} has ended", do="see `import-project files`")
    if len(with_rows) > 1:
        known = ", ".join(f"{o.feed}: {o.partition}" for o in with_rows)
        raise ConfigError(f"{len(with_rows)} files are called {file}", do=f"name one by its partition: {known}")
    return (with_rows or found)[0]


def _waiting(parts: Parts, outcome: Outcome) -> tuple[pl.DataFrame, pl.DataFrame]:
    if outcome.sha256 is None or not parts.tables.has(outcome.feed, "quarantined", outcome.sha256):
        if outcome.counts.quarantined:
            told = f"the tables of {outcome.name} were let go after IMPORT_PROJECT_KEEP_TABLE_DAYS"
            raise ConfigError(
                told, do=f"{outcome.counts.quarantined} of its rows were quarantined; have them sent again"
            )
        raise ConfigError(f"no row of {outcome.name} was quarantined", do=outcome.error)
    rows = waiting_rows(parts, outcome.feed, outcome.sha256)
    issues = _issues(parts, outcome)
    return rows, issues.filter(pl.col(ROW_NUMBER).is_in(rows[ROW_NUMBER].implode()))


def _issues(parts: Parts, outcome: Outcome) -> pl.DataFrame:
    assert outcome.sha256 is not None
    return parts.tables.read(outcome.feed, "issues", outcome.sha256)
