"""The routes that take files: handing one in, and handing in corrected rows of one."""

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Header, Request, Response
from starlette.concurrency import run_in_threadpool

from import_project.api.answers import Corrected, JobAnswer, Refusal
from import_project.api.callers import NO_JOB, REFUSALS, Caller, desk_of
from import_project.api.desk import Desk
from import_project.api.forms import FormReader
from import_project.api.job_answers import answer_of, first_answer
from import_project.config.workspaces import Workspace
from import_project.errors import BadForm, FileRefused, KeyTaken, NoSuchThing, TooLarge, TooLate
from import_project.pipeline import desk as cases
from import_project.pipeline.corrections import read_corrected
from import_project.pipeline.quarantine import Replay
from import_project.pipeline.replay import replay
from import_project.records.files import ArrivalState
from import_project.records.jobs import Job, Token

_FORM = 1 << 16  # what a form may hold beside its file
_MOST_CORRECTED = 64 << 20


def _form(**fields: dict[str, str]) -> dict[str, Any]:
    """Describe a form whose fields must all be there."""
    shape = {"type": "object", "required": list(fields), "properties": fields}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": shape}}}}


_BYTES = {"type": "string", "format": "binary"}
router = APIRouter(tags=["jobs"], responses=REFUSALS)


@router.post(
    "/jobs/ingest",
    status_code=202,
    openapi_extra=_form(feed={"type": "string"}, file=_BYTES),
    responses={
        400: {"model": Refusal, "description": "no file, an empty one, or a form that cannot be read"},
        404: {"model": Refusal, "description": "the workspace has no such feed"},
        409: {"model": Refusal, "description": "the `Idempotency-Key` came with another file before"},
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
    desk, (token, workspace) = desk_of(request), caller
    most = workspace.limits.most_bytes
    if int(request.headers.get("content-length") or 0) > most + _FORM:
        cases.check_size(workspace, most + 1)
    await desk.room(workspace)
    form = FormReader(request.headers.get("content-type", ""), request.stream())
    name = await form.until_file()
    if "feed" not in form.fields:
        raise BadForm("the field `feed` is missing", do="send it before the file")
    loaded = desk.feed(workspace, form.fields["feed"])
    if name is None:
        raise BadForm("there is no file", do="send it as the field `file`, with its name")
    cases.check_name(loaded, name)
    if idempotency_key is not None:
        keyed = desk.parts.ledger.jobs.keyed
        known = await run_in_threadpool(keyed, workspace.workspace, idempotency_key)
        if known is not None:  # what is not kept anyway is not written to the disk either
            same = await _same(known, loaded.name, _capped(form.file(), workspace))
            response.headers["location"] = f"/jobs/{same}"
            return await run_in_threadpool(lambda: answer_of(desk.parts, cases.job_of(desk.parts, workspace, same)))
    landed = await desk.parts.landing.receive(_capped(form.file(), workspace), expected_size=None)
    packed = loaded.feed.files.unpack is not None and await run_in_threadpool(cases.is_packed, desk.parts, landed)
    made = cases.handed_in(desk.parts, workspace, loaded, name, landed, token, idempotency_key, packed=packed)
    job_id, created_at = await desk.hand_in(*made)
    response.headers["location"] = f"/jobs/{job_id}"
    if job_id != made[0].job_id:  # the key was known
        job = await run_in_threadpool(cases.job_of, desk.parts, workspace, job_id)
        return await run_in_threadpool(answer_of, desk.parts, job)
    return first_answer(*made, created_at)


async def _same(known: tuple[str, str, str], feed: str, chunks: AsyncIterator[bytes]) -> str:
    """Return the id of the job that a key made, if it was with the same file. Raises KeyTaken."""
    digest = sha256()
    async for chunk in chunks:
        digest.update(chunk)
    if (feed, digest.hexdigest()) != known[1:]:
        raise KeyTaken("the key came with another file before")
    return known[0]


async def _capped(chunks: AsyncIterator[bytes], workspace: Workspace) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        cases.check_size(workspace, size)
        yield chunk
    if not size:
        raise BadForm("the file is empty", do="send the file with its content")


@router.post(
    "/jobs/{job_id}/corrections",
    openapi_extra=_form(file=_BYTES),
    responses={
        **NO_JOB,
        400: {"model": Refusal, "description": "no sheet, or one that cannot be read"},
        409: {"model": Refusal, "description": "the file is not done, or a run works on it"},
        413: {"model": Refusal, "description": "the sheet is too large"},
        503: {"model": Refusal, "description": "the API, the disk or the database does not take it now"},
    },
)
async def correct(request: Request, caller: Caller, job_id: str) -> Corrected:
    """Hand in quarantined rows again, corrected: the sheet as it was downloaded. Those that pass now are posted."""
    desk, (token, workspace) = desk_of(request), caller
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
