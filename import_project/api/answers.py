"""What the front desk answers, as models: they make the OpenAPI description too. Times are ISO 8601 with UTC."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from import_project.pipeline.job_issues import JobIssue
from import_project.records.jobs import JobState, Role


class Refusal(BaseModel):
    """Why a request is refused, and what to do."""

    error: str
    do: str | None = None


class JobAnswer(BaseModel):
    """A file that was handed in. Rows or payments are counted; sums are of a bank file, by currency."""

    job_id: str
    status: JobState
    feed: str
    file: str
    bytes: int
    handed_in_by: str
    total_rows: int = 0
    processed_rows: int = 0
    progress_percentage: float = 0.0
    accepted_rows: int = 0
    quarantined_rows: int = 0
    posted_rows: int = 0
    matched: int | None = None
    unmatched: int | None = None
    sums: dict[str, str] = Field(default_factory=dict)
    message: str | None = Field(default=None, description="why it failed, waits, or needs a look")
    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    partition: str | None = Field(default=None, description="the file's key in Dagster")
    seconds: dict[str, float] = Field(default_factory=dict, description="of each step, and outside of all steps")


class JobList(BaseModel):
    """Jobs, the newest first; `next` is given as `before` to get those before them."""

    jobs: list[JobAnswer]
    next: str | None = None


class IssueList(BaseModel):
    """Issues in the order of rows, those of the file first; `total` is how many there are."""

    issues: list[JobIssue]
    total: int
    next_offset: int | None = None


class Corrected(BaseModel):
    """What became of corrected rows."""

    replayed: int
    still_quarantined: int
    rejected: int = 0
    job: JobAnswer


class FeedAnswer(BaseModel):
    """A feed that the workspace may hand in to."""

    feed: str
    description: str
    kind: str
    extensions: list[str]


class Me(BaseModel):
    """Who asks."""

    workspace: str
    name: str
    role: Role
    most_bytes: int
    feeds: list[FeedAnswer]


class Health(BaseModel):
    """The state of each part: `ok`, or what is wrong with it."""

    status: str
    version: str
    database: str
    landing: str
    dagster: str
    feeds: str
    engine: str


class PaymentList(BaseModel):
    """Payments that settle nothing, each as the work queue tells it."""

    payments: list[dict[str, Any]]


class PostingList(BaseModel):
    """Postings of which nobody can tell whether they took effect."""

    postings: list[dict[str, Any]]


class AuditList(BaseModel):
    """Who did what, in its order."""

    entries: list[dict[str, Any]]
    next: int | None = None
