"""A job as it is answered, told to webhooks, and streamed."""

import json
from collections.abc import Mapping
from datetime import datetime

from import_project.api.answers import JobAnswer
from import_project.pipeline import desk as cases
from import_project.pipeline.job_issues import message_of
from import_project.pipeline.parts import Parts
from import_project.records.jobs import HandIn, Job, JobState
from import_project.records.steps import StepState


def answer_of(parts: Parts, job: Job, *, whole: bool = False) -> JobAnswer:
    """Return a job as it is answered; the `whole` of it has the times of its steps too."""
    now, far = job.state(parts.clock()), cases.progress(parts, job)
    return JobAnswer(
        job_id=job.id,
        status=now,
        feed=job.arrival.feed,
        file=job.arrival.name,
        bytes=job.arrival.size,
        handed_in_by=job.handed_in_by,
        total_rows=far.total,
        processed_rows=far.processed,
        progress_percentage=far.percentage,
        accepted_rows=far.accepted,
        quarantined_rows=far.quarantined,
        posted_rows=far.posted,
        matched=far.matched,
        unmatched=far.unmatched,
        sums={currency: f"{amount:.2f}" for currency, amount in far.sums.items()},
        message=message_of(job),
        created_at=job.created_at,
        started_at=job.started_at,
        completed_at=job.completed_at if now.ended else None,
        partition=job.arrival.partition,
        seconds=_seconds(parts, job) if whole else {},
    )


def first_answer(one: HandIn, partition: str, created_at: datetime) -> JobAnswer:
    """Return a job as it is answered when it was just made."""
    return JobAnswer(
        job_id=one.job_id,
        status=JobState.PENDING,
        feed=one.feed,
        file=one.name,
        bytes=one.size,
        handed_in_by=one.by,
        created_at=created_at,
        partition=partition,
    )


def _seconds(parts: Parts, job: Job) -> Mapping[str, float]:
    """How long each step took, and of the time from hand-in to end what lay outside of all steps."""
    took: dict[str, float] = {}
    for one in parts.ledger.steps.of_file(job.arrival.feed, job.arrival.partition or ""):
        if one.seconds is not None and one.state is StepState.DONE and not one.dry_run:
            took[one.step] = round(one.seconds, 3)
    if job.completed_at is None or not took:
        return took
    whole = (job.completed_at - job.created_at).total_seconds()
    return {**took, "outside": round(max(whole - sum(took.values()), 0.0), 3), "whole": round(whole, 3)}


def as_json(answer: JobAnswer) -> str:
    """Return a job as the workspace's webhook is told it."""
    return json.dumps(answer.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":"))
