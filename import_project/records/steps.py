"""What is known of a file's steps: when each was tried, by which run, and how it ended; and what a run tells others."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from import_project.records.outcomes import Outcome


class StepState(StrEnum):
    """Where an attempt at a step stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CUT_OFF = "cut off"  # its process ended, or lost the file to another run


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt at a step of a file, by a run. Times are aware UTC; `attempt` counts from 1 in each run.

    `facts` are the counts and sums that the step told.
    """

    feed: str
    partition: str
    file: str
    run: str
    step: str
    attempt: int
    state: StepState
    dry_run: bool
    started_at: datetime
    finished_at: datetime | None
    error: str | None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it runs."""
        return None if self.finished_at is None else (self.finished_at - self.started_at).total_seconds()


class Happening(StrEnum):
    """What a run tells of its file. Each is the name of a feed's hook, without `on_`."""

    START = "start"
    SUCCESS = "success"
    FAILURE = "failure"  # for good: the file was refused
    RETRY = "retry"  # it failed, and is tried again later
    SKIP = "skip"  # nothing of it is imported: it came before, is not wanted, or was a container of other files


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEvent:
    """What happened to a file, for hooks and logs. `at` is aware UTC; `outcome` is there once the file has ended."""

    what: Happening
    feed: str
    file: str
    partition: str
    run: str
    step: str
    at: datetime
    error: str | None = None
    outcome: Outcome | None = None
