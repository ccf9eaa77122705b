"""The routes of jobs: listed, watched, read what was wrong, taken back; and who asks."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, StreamingResponse
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from import_project.api.answers import FeedAnswer, IssueList, JobAnswer, JobList, Me, Refusal
from import_project.api.callers import NO_JOB, REFUSALS, Caller, desk_of
from import_project.api.job_answers import answer_of
from import_project.config.workspaces import Workspace
from import_project.errors import NoSuchThing, NotKnown
from import_project.pipeline import desk as cases
from import_project.pipeline.job_issues import issues_of, write_sheet_of
from import_project.pipeline.parts import Parts
from import_project.records.jobs import JobState, Role

_LOOK_SECONDS = 0.5
_ALIVE_SECONDS = 15.0
router = APIRouter(responses=REFUSALS)


@router.get("/me", tags=["desk"])
async def me(request: Request, caller: Caller) -> Me:
    """Who asks, and which feeds the workspace may hand in to."""
    token, workspace = caller
    known = desk_of(request).known().feeds
    feeds = [
        FeedAnswer(feed=f.name, description=f.feed.description, kind=f.feed.kind, extensions=cases.suffixes(f))
        for name in workspace.feeds
        if (f := known.get(name)) is not None
    ]
    return Me(
        workspace=workspace.workspace,
        name=token.name,
        role=token.role,
        most_bytes=workspace.limits.most_bytes,
        feeds=feeds,
    )


@router.get("/jobs", tags=["jobs"], responses=NO_JOB)
def list_jobs(
    request: Request,
    caller: Caller,
    status: JobState | None = None,
    feed: str | None = None,
    before: Annotated[str | None, Query(max_length=64, description="a `next` of an earlier answer")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JobList:
    """List the workspace's jobs, the newest first."""
    parts, (_, workspace) = desk_of(request).parts, caller
    number = None if before is None else cases.job_of(parts, workspace, before).number
    found = parts.ledger.jobs.all(
        workspace.workspace, parts.clock(), state=status, feed=feed, before=number, most=limit + 1
    )
    more = len(found) > limit
    shown = found[:limit]
    return JobList(jobs=[answer_of(parts, job) for job in shown], next=shown[-1].id if more else None)


@router.get("/jobs/{job_id}", tags=["jobs"], responses=NO_JOB)
def get_job(request: Request, caller: Caller, job_id: str) -> JobAnswer:
    """Where a job stands, how far it is, and how long its steps took."""
    parts, (_, workspace) = desk_of(request).parts, caller
    return answer_of(parts, cases.job_of(parts, workspace, job_id), whole=True)


@router.get(
    "/jobs/{job_id}/events",
    tags=["jobs"],
    response_class=StreamingResponse,
    responses={
        **NO_JOB,
        200: {"content": {"text/event-stream": {}}, "description": "a job at each change, to its end"},
    },
)
async def watch_job(request: Request, caller: Caller, job_id: str) -> StreamingResponse:
    """Stream the job as server-sent events: one at each change, the last when it has ended."""
    parts, (_, workspace) = desk_of(request).parts, caller
    await run_in_threadpool(cases.job_of, parts, workspace, job_id)
    return StreamingResponse(_events(request, parts, workspace, job_id), media_type="text/event-stream")


async def _events(request: Request, parts: Parts, workspace: Workspace, job_id: str) -> AsyncIterator[str]:
    before, silent = "", 0.0
    while True:
        try:
            await desk_of(request).caller(request, Role.UPLOAD)
        except NotKnown:  # revoked meanwhile
            return
        now = await run_in_threadpool(lambda: answer_of(parts, cases.job_of(parts, workspace, job_id)))
        told = now.model_dump_json()
        if told != before:
            before, silent = told, 0.0
            yield f"event: job\ndata: {told}\n\n"
        if now.status.ended:
            return
        await asyncio.sleep(_LOOK_SECONDS)
        silent += _LOOK_SECONDS
        if silent >= _ALIVE_SECONDS:
            silent = 0.0
            yield ": still there\n\n"


@router.get("/jobs/{job_id}/issues", tags=["jobs"], responses=NO_JOB)
def get_issues(
    request: Request,
    caller: Caller,
    job_id: str,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> IssueList:
    """What is wrong with the file, row by row."""
    parts, (_, workspace) = desk_of(request).parts, caller
    job = cases.job_of(parts, workspace, job_id)
    found, total = issues_of(parts, job, offset=offset, most=limit)
    end = offset + len(found)
    return IssueList(issues=found, total=total, next_offset=end if found and end < total else None)


@router.get(
    "/jobs/{job_id}/quarantine.csv",
    tags=["jobs"],
    response_class=FileResponse,
    responses={**NO_JOB, 200: {"content": {"text/csv": {}}, "description": "the rows set aside, with reasons"}},
)
def get_quarantine(request: Request, caller: Caller, job_id: str) -> FileResponse:
    """The file's quarantined rows with their reasons, to be corrected and handed in again."""
    parts, (_, workspace) = desk_of(request).parts, caller
    job = cases.job_of(parts, workspace, job_id)
    path = parts.landing.workshop() / f"{uuid4().hex}.csv"
    write_sheet_of(parts, job, path)
    name = f"{Path(job.arrival.name).stem}-quarantine.csv"
    return FileResponse(path, media_type="text/csv", filename=name, background=BackgroundTask(path.unlink))


@router.post(
    "/jobs/{job_id}/cancel",
    tags=["jobs"],
    responses={**NO_JOB, 409: {"model": Refusal, "description": "it has ended, or rows of it are being posted"}},
)
def cancel_job(request: Request, caller: Caller, job_id: str) -> JobAnswer:
    """Take a file back. One that a run works on just now ends with that run's next step."""
    desk, (token, workspace) = desk_of(request), caller
    job = cases.job_of(desk.parts, workspace, job_id)
    loaded = desk.known().feeds.get(job.arrival.feed)
    if loaded is None:
        raise NoSuchThing(f"the feed {job.arrival.feed} is gone")
    cases.cancel(desk.parts, loaded, job, token, desk.parts.clock())
    return answer_of(desk.parts, cases.job_of(desk.parts, workspace, job_id))
