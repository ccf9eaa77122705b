"""What is wrong with a file that was handed in, row by row; and its quarantined rows as a sheet. Of a duplicate nothing
is told of the file before it: that may be another workspace's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from import_project.errors import NoSuchThing
from import_project.frames import ROW_NUMBER, issues_frame
from import_project.pipeline.corrections import write_quarantined
from import_project.pipeline.dead_letters import rejected_rows
from import_project.pipeline.parts import Parts
from import_project.pipeline.quarantine import waiting_rows
from import_project.records.files import Arrival, ArrivalState
from import_project.records.jobs import Job
from import_project.records.outcomes import Outcome

_TOLD = {
    ArrivalState.DUPLICATE: "the same bytes came before: nothing of it is imported again",
    ArrivalState.SKIPPED: "the feed has had a file of this name before, and does not want another",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobIssue:
    """One thing that is wrong: with a row (as numbered in the file), or with the file as a whole."""

    severity: str
    issue_type: str
    message: str
    row_number: int | None = None
    column: str | None = None
    value: str | None = None
    created_at: datetime | None = None


def issues_of(parts: Parts, job: Job, *, offset: int, most: int) -> tuple[list[JobIssue], int]:
    """Return some issues from an offset on, those of the whole file first, then by row; and how many there are."""
    whole, frame = _of_file(job), _of_rows(parts, job.arrival)
    rejected = rejected_rows(parts, job.arrival.feed, job.arrival.sha256) if job.arrival.sha256 else []
    if job.arrival.state is ArrivalState.UNPACKED:
        members = parts.ledger.outcomes.of_members(job.arrival.id)
        whole += [one for member in members for one in _of_member(member)]
        rejected = [
            row for member in members if member.sha256 for row in rejected_rows(parts, member.feed, member.sha256)
        ]
        frame = pl.concat([issues_frame([]), *(_named(parts, member) for member in members)])
    total = len(whole) + frame.height + len(rejected)
    found = whole[offset : offset + most]
    at = max(offset - len(whole), 0)
    rows = frame.slice(at, most - len(found))
    found += [
        JobIssue(
            severity=row["severity"],
            issue_type=row["rule"],
            message=row["message"],
            row_number=row[ROW_NUMBER],
            column=row["column"],
            value=row["value"],
            created_at=job.started_at,
        )
        for row in rows.iter_rows(named=True)
    ]
    at = max(offset - len(whole) - frame.height, 0)
    for row in rejected[at : at + most - len(found)]:
        (issue,) = row["issues"]
        found.append(
            JobIssue(
                severity="error",
                issue_type=issue["rule"],
                message=issue["message"],
                row_number=row[ROW_NUMBER],
                created_at=job.completed_at,
            )
        )
    return found, total


def message_of(job: Job) -> str | None:
    """Return what is to be told of the file as a whole: why it failed, waits, or was not imported."""
    return _TOLD.get(job.arrival.state) or job.arrival.error


def _of_file(job: Job) -> list[JobIssue]:
    message, state = message_of(job), job.arrival.state
    if message is None:
        return []
    failed = state in {ArrivalState.FAILED, ArrivalState.VANISHED}
    kind = str(state) if state.ended else "tried again"
    at = job.completed_at or job.started_at
    return [JobIssue(severity="error" if failed else "warning", issue_type=kind, message=message, created_at=at)]


def _of_member(member: Outcome) -> list[JobIssue]:
    """Return what is to be told of a file of an archive as a whole."""
    state = ArrivalState(member.state)
    message = _TOLD.get(state) or member.error
    if message is None:
        return []
    severity = "error" if state is ArrivalState.FAILED else "warning"
    told = f"{_inner(member)}: {message}"
    return [JobIssue(severity=severity, issue_type=str(state), message=told, created_at=member.finished_at)]


def _named(parts: Parts, member: Outcome) -> pl.DataFrame:
    """Return what the rules say of the rows of a file of an archive, with its name."""
    arrival = parts.ledger.arrivals.of(member.feed, member.partition)
    told = (pl.lit(f"{_inner(member)}: ") + pl.col("message")).alias("message")
    return _of_rows(parts, arrival).with_columns(told)


def _inner(member: Outcome) -> str:
    return member.name.partition("!")[2] or member.name


def _of_rows(parts: Parts, arrival: Arrival) -> pl.DataFrame:
    """Return what the rules say of rows; of one that was corrected since, no more."""
    tables, sha256 = parts.tables, arrival.sha256
    if sha256 is None or arrival.state in _TOLD or not tables.has(arrival.feed, "issues", sha256):
        return issues_frame([])
    issues = tables.read(arrival.feed, "issues", sha256)
    if tables.has(arrival.feed, "replayed", sha256):
        issues = issues.filter(~pl.col(ROW_NUMBER).is_in(_numbers(tables.read(arrival.feed, "replayed", sha256))))
    return issues.sort(ROW_NUMBER, maintain_order=True, nulls_last=False)


def _numbers(frame: pl.DataFrame) -> Sequence[int]:
    return frame[ROW_NUMBER].to_list()


def write_sheet_of(parts: Parts, job: Job, to: Path) -> int:
    """Write the quarantined rows of a job that still wait, with their reasons, as CSV. Raises NoSuchThing for none."""
    arrival = job.arrival
    quarantined = arrival.sha256 is not None and parts.tables.has(arrival.feed, "quarantined", arrival.sha256)
    if arrival.sha256 is None or not quarantined or arrival.state in _TOLD:
        raise NoSuchThing("no row of this file is quarantined")
    rows = waiting_rows(parts, arrival.feed, arrival.sha256)
    issues = _of_rows(parts, arrival).filter(pl.col(ROW_NUMBER).is_in(_numbers(rows)))
    plain = rows.select(
        c if c == ROW_NUMBER else pl.col(c).cast(pl.String) for c, t in rows.schema.items() if not t.is_nested()
    )
    return write_quarantined(to, plain, issues)
