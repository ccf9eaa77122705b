"""The routes of jobs: handing in, watching, reading what was wrong, correcting, taking back."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from import_project.api.answers import Corrected, FeedAnswer, Issue, IssueList, JobAnswer, JobList, Me, Refusal
from import_project.api.desk import Desk
from import_project.api.forms import FormReader
from import_project.config.workspaces import Workspace
from import_project.errors import BadForm, FileRefused, NoSuchThing, TooLarge, TooLate, TooMany
from import_project.pipeline import desk as cases
from import_project.pipeline.corrections import read_corrected
from import_project.pipeline.job_issues import issues_of, message_of, write_sheet_of
from import_project.pipeline.parts import Parts
from import_project.pipeline.quarantine import Replay
from import_project.pipeline.replay import replay
from import_project.records.files import ArrivalState
from import_project.records.jobs import Job, JobState, Role, Token
from import_project.records.steps import StepState

_FORM = 1 << 16  # what a form may hold beside its file
_MOST_CORRECTED = 64 << 20
_LOOK_SECONDS = 0.5
_ALIVE_SECONDS = 15.0
_REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Refusal, "description": "no token, or one that does not hold"},
    403: {"model": Refusal, "description": "the token's role does not allow it"},
}
_NO_JOB: dict[int | str, dict[str, Any]] = {404: {"model": Refusal, "description": "no such job in this workspace"}}
_FILE = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["feed", "file"],
                    "properties": {"feed": {"type": "string"}, "file": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}
_SHEET = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}

router = APIRouter(responses=_REFUSALS)


def _desk(request: Request) -> Desk:
    found: Desk = request.app.state.desk
    return found


async def _uploader(request: Request) -> tuple[Token, Workspace]:
    return await _desk(request).caller(request, Role.UPLOAD)


Caller = Annotated[tuple[Token, Workspace], Depends(_uploader)]


@router.get("/me", tags=["desk"])
async def me(request: Request, caller: Caller) -> Me:
    """Who asks, and which feeds the workspace may hand in to."""
    token, workspace = caller
    known = _desk(request).known().feeds
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


@router.post(
    "/jobs/ingest",
    status_code=202,
    tags=["jobs"],
    openapi_extra=_FILE,
    responses={
        400: {"model": Refusal, "description": "no file, an empty one, or a form that cannot be read"},
        404: {"model": Refusal, "description": "the workspace has no such feed"},
        413: {"model": Refusal, "description": "more bytes than the workspace may hand in"},
        415: {"model": Refusal, "description": "the feed takes no files of this kind"},
        429: {"model": Refusal, "description": "too many files; `Retry-After` says when to try again"},
        503: {"model": Refusal, "description": "the disk or the database does not take it now"},
    },
)
async def ingest(
    request: Request,
    response: Response,
    caller: Caller,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> JobAnswer:
    """Hand in a file: the field `feed` first, then `file`. With the `Idempotency-Key` of another, it is that job."""
    desk, (token, workspace) = _desk(request), caller
    most = workspace.limits.most_bytes
    if int(request.headers.get("content-length") or 0) > most + _FORM:
        cases.check_size(workspace, most + 1)
    await run_in_threadpool(_not_too_many, desk.parts, workspace)
    form = FormReader(request.headers.get("content-type", ""), request.stream())
    name = await form.until_file()
    if "feed" not in form.fields:
        raise BadForm("the field `feed` is missing", do="send it before the file")
    loaded = desk.feed(workspace, form.fields["feed"])
    if name is None:
        raise BadForm("there is no file", do="send it as the field `file`, with its name")
    cases.check_name(loaded, name)
    landed = await desk.parts.landing.receive(_capped(form.file(), workspace), expected_size=None)
    made = await run_in_threadpool(cases.handed_in, desk.parts, workspace, loaded, name, landed, token, idempotency_key)
    job_id = await desk.hand_in(*made)
    job = await run_in_threadpool(cases.job_of, desk.parts, workspace, job_id)
    response.headers["location"] = f"/jobs/{job.id}"
    return answer_of(desk.parts, job)


def _not_too_many(parts: Parts, workspace: Workspace) -> None:
    """Refuse early, before bytes come, what the ledger would refuse."""
    waiting = parts.ledger.jobs.waiting(workspace.workspace)
    if waiting >= workspace.limits.most_waiting:
        raise TooMany(f"{waiting} files of {workspace.workspace} wait already", do="wait for them to end", seconds=30)


async def _capped(chunks: AsyncIterator[bytes], workspace: Workspace) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        cases.check_size(workspace, size)
        yield chunk
    if not size:
        raise BadForm("the file is empty", do="send the file with its content")


@router.get("/jobs", tags=["jobs"], responses=_NO_JOB)
def list_jobs(
    request: Request,
    caller: Caller,
    status: JobState | None = None,
    feed: str | None = None,
    before: Annotated[str | None, Query(max_length=64, description="a `next` of an earlier answer")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JobList:
    """List the workspace's jobs, the newest first."""
    parts, (_, workspace) = _desk(request).parts, caller
    number = None if before is None else cases.job_of(parts, workspace, before).number
    found = parts.ledger.jobs.all(
        workspace.workspace, parts.clock(), state=status, feed=feed, before=number, most=limit + 1
    )
    more = len(found) > limit
    shown = found[:limit]
    return JobList(jobs=[answer_of(parts, job) for job in shown], next=shown[-1].id if more else None)


@router.get("/jobs/{job_id}", tags=["jobs"], responses=_NO_JOB)
def get_job(request: Request, caller: Caller, job_id: str) -> JobAnswer:
    """Where a job stands, how far it is, and how long its steps took."""
    parts, (_, workspace) = _desk(request).parts, caller
    return answer_of(parts, cases.job_of(parts, workspace, job_id), whole=True)


@router.get(
    "/jobs/{job_id}/events",
    tags=["jobs"],
    response_class=StreamingResponse,
    responses={
        **_NO_JOB,
        200: {"content": {"text/event-stream": {}}, "description": "a job at each change, to its end"},
    },
)
async def watch_job(request: Request, caller: Caller, job_id: str) -> StreamingResponse:
    """Stream the job as server-sent events: one at each change, the last when it has ended."""
    parts, (_, workspace) = _desk(request).parts, caller
    await run_in_threadpool(cases.job_of, parts, workspace, job_id)
    return StreamingResponse(_events(parts, workspace, job_id), media_type="text/event-stream")


async def _events(parts: Parts, workspace: Workspace, job_id: str) -> AsyncIterator[str]:
    before, silent = "", 0.0
    while True:
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


@router.get("/jobs/{job_id}/issues", tags=["jobs"], responses=_NO_JOB)
def get_issues(
    request: Request,
    caller: Caller,
    job_id: str,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> IssueList:
    """What is wrong with the file, row by row."""
    parts, (_, workspace) = _desk(request).parts, caller
    job = cases.job_of(parts, workspace, job_id)
    found, total = issues_of(parts, job, offset=offset, most=limit)
    end = offset + len(found)
    return IssueList(
        issues=[Issue(**asdict(one)) for one in found], total=total, next_offset=end if found and end < total else None
    )


@router.get(
    "/jobs/{job_id}/quarantine.csv",
    tags=["jobs"],
    response_class=FileResponse,
    responses={**_NO_JOB, 200: {"content": {"text/csv": {}}, "description": "the rows set aside, with reasons"}},
)
def get_quarantine(request: Request, caller: Caller, job_id: str) -> FileResponse:
    """The file's quarantined rows with their reasons, to be corrected and handed in again."""
    parts, (_, workspace) = _desk(request).parts, caller
    job = cases.job_of(parts, workspace, job_id)
    path = parts.landing.workshop() / f"{uuid4().hex}.csv"
    write_sheet_of(parts, job, path)
    name = f"{Path(job.arrival.name).stem}-quarantine.csv"
    return FileResponse(path, media_type="text/csv", filename=name, background=BackgroundTask(path.unlink))


@router.post(
    "/jobs/{job_id}/corrections",
    tags=["jobs"],
    openapi_extra=_SHEET,
    responses={
        **_NO_JOB,
        400: {"model": Refusal, "description": "no sheet, or one that cannot be read"},
        409: {"model": Refusal, "description": "the file is not done, or a run works on it"},
        413: {"model": Refusal, "description": "the sheet is too large"},
        503: {"model": Refusal, "description": "the API, the disk or the database does not take it now"},
    },
)
async def correct(request: Request, caller: Caller, job_id: str) -> Corrected:
    """Hand in quarantined rows again, corrected: the sheet as it was downloaded. Those that pass now are posted."""
    desk, (token, workspace) = _desk(request), caller
    job = await run_in_threadpool(cases.job_of, desk.parts, workspace, job_id)
    form = FormReader(request.headers.get("content-type", ""), request.stream())
    name = await form.until_file()
    if name is None or not name.lower().endswith((".csv", ".xlsx")):
        raise BadForm("there is no sheet", do="send the corrected CSV or XLSX as the field `file`")
    with TemporaryDirectory(dir=desk.parts.landing.workshop()) as folder:
        sheet = Path(folder, f"corrected{Path(name).suffix.lower()}")
        content = bytearray()
        async for chunk in form.file():
            content += chunk
            if len(content) > _MOST_CORRECTED:
                raise TooLarge(f"more than {_MOST_CORRECTED:,} bytes", do="hand in fewer rows at once")
        await run_in_threadpool(sheet.write_bytes, content)
        facts = await run_in_threadpool(_replayed, desk, job, sheet, token)
    now = await run_in_threadpool(cases.job_of, desk.parts, workspace, job_id)
    return Corrected(
        replayed=facts.get("replayed", 0),
        still_quarantined=facts.get("still quarantined", 0),
        rejected=facts.get("rejected", 0),
        job=answer_of(desk.parts, now),
    )


def _replayed(desk: Desk, job: Job, sheet: Path, token: Token) -> dict[str, Any]:
    parts, arrival = desk.parts, job.arrival
    outcome = parts.ledger.outcomes.of(arrival.feed, arrival.partition or "")
    if outcome is None or arrival.state is not ArrivalState.DONE:
        raise TooLate(f"the job is {job.state(parts.clock())}: only rows of a file that is done are corrected")
    loaded = desk.known().feeds.get(arrival.feed)
    if loaded is None:
        raise NoSuchThing(f"the feed {arrival.feed} is gone")
    try:
        rows = read_corrected(sheet)
    except FileRefused as error:
        raise BadForm(error.what, do=error.do) from None
    asked = Replay(rows=rows, by=token.person, told=lambda _issues: None)
    return replay(parts, loaded, outcome, asked, owner=f"correct-{uuid4().hex[:12]}")


@router.post(
    "/jobs/{job_id}/cancel",
    tags=["jobs"],
    responses={**_NO_JOB, 409: {"model": Refusal, "description": "it has ended, or rows of it are being posted"}},
)
def cancel_job(request: Request, caller: Caller, job_id: str) -> JobAnswer:
    """Take a file back. One that a run works on just now ends with that run's next step."""
    desk, (token, workspace) = _desk(request), caller
    job = cases.job_of(desk.parts, workspace, job_id)
    loaded = desk.known().feeds.get(job.arrival.feed)
    if loaded is None:
        raise NoSuchThing(f"the feed {job.arrival.feed} is gone")
    cases.cancel(desk.parts, loaded, job, token, desk.parts.clock())
    return answer_of(desk.parts, cases.job_of(desk.parts, workspace, job_id))


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
