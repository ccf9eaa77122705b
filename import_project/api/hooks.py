"""Telling a workspace that a job has ended: signed, tried again, and marked as told once its server has taken it."""

import asyncio
import hmac
from datetime import timedelta
from hashlib import sha256
from urllib.parse import urlsplit

import httpx

from import_project.api.desk import Desk
from import_project.api.job_answers import answer_of, as_json
from import_project.config.workspaces import Webhook
from import_project.errors import ImportProjectError, NotDelivered, one_line
from import_project.logs import LOG
from import_project.records.jobs import Job

_EVERY_SECONDS = 1.0
_TAKEN_FOR = timedelta(minutes=2)
_FIRST_WAIT, _LONGEST_WAIT, _MOST_TRIES = timedelta(seconds=10), timedelta(hours=1), 20
_AT_ONCE = 20


def signature(secret: str, at: int, body: str) -> str:
    """Return what the header `X-Import-Project-Signature` says: HMAC-SHA256 of `TIME.BODY`, as `t=TIME,v1=HEX`."""
    told = hmac.new(secret.encode(), f"{at}.{body}".encode(), sha256).hexdigest()
    return f"t={at},v1={told}"


async def tell_ends(desk: Desk) -> None:
    """Tell the ends of jobs, for ever. One that cannot be told now is told later."""
    async with httpx.AsyncClient(timeout=15, follow_redirects=False) as client:
        while True:
            try:
                now = desk.parts.clock()
                due = await asyncio.to_thread(
                    desk.parts.ledger.jobs.to_tell, now, again_at=now + _TAKEN_FOR, most=_AT_ONCE
                )
                await asyncio.gather(*(_tell(desk, client, job, tries) for job, tries in due))
            except ImportProjectError as error:
                LOG.warning("ends of jobs wait to be told", extra={"fields": {"error": error.line}})
            await asyncio.sleep(_EVERY_SECONDS)


async def _tell(desk: Desk, client: httpx.AsyncClient, job: Job, tries: int) -> None:
    jobs, now = desk.parts.ledger.jobs, desk.parts.clock()
    workspace = desk.known().workspaces.get(job.workspace)
    hook = workspace.webhook if workspace is not None else None
    if hook is None:
        await asyncio.to_thread(jobs.tell_again, job.number, None)
        return
    try:
        await _send(desk, client, hook, job)
    except ImportProjectError as error:
        wait = min(_FIRST_WAIT * 2 ** min(tries, 16), _LONGEST_WAIT)
        last = tries + 1 >= _MOST_TRIES
        await asyncio.to_thread(jobs.tell_again, job.number, None if last else now + wait)
        fields = {"job": job.id, "workspace": job.workspace, "error": error.line, "given up": last}
        LOG.warning("the end of a job was not told", extra={"fields": fields})
        return
    await asyncio.to_thread(jobs.told, job.number, desk.parts.clock())


async def _send(desk: Desk, client: httpx.AsyncClient, hook: Webhook, job: Job) -> None:
    host = urlsplit(hook.url).hostname or ""
    allowed = {name.strip().lower() for name in desk.settings.hook_hosts.split(",") if name.strip()}
    if host.lower() not in allowed:
        raise NotDelivered(f"{host} is not among IMPORT_PROJECT_HOOK_HOSTS", do="allow it, or change the workspace")
    secret = desk.parts.reveal(hook.secret) or ""
    body = as_json(await asyncio.to_thread(answer_of, desk.parts, job))
    at = int(desk.parts.clock().timestamp())
    headers = {"content-type": "application/json", "x-import-project-job": job.id}
    headers |= {"x-import-project-signature": signature(secret, at, body)}
    try:
        answer = await client.post(hook.url, content=body, headers=headers)
    except httpx.HTTPError as error:
        raise NotDelivered(f"{host} did not answer: {one_line(str(error)) or type(error).__name__}") from None
    if not answer.is_success:
        raise NotDelivered(f"{host} answered {answer.status_code}")
