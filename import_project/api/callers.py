"""Who calls a route, by role, as what FastAPI hands in; and the refusals that all routes share."""

from typing import Annotated, Any

from fastapi import Depends, Request

from import_project.api.answers import Refusal
from import_project.api.desk import Desk
from import_project.config.workspaces import Workspace
from import_project.records.jobs import Role, Token

REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Refusal, "description": "no token, or one that does not hold"},
    403: {"model": Refusal, "description": "the token's role does not allow it"},
}
NO_JOB: dict[int | str, dict[str, Any]] = {404: {"model": Refusal, "description": "no such job in this workspace"}}


def desk_of(request: Request) -> Desk:
    """Return the desk that serves."""
    found: Desk = request.app.state.desk
    return found


async def _uploader(request: Request) -> tuple[Token, Workspace]:
    return await desk_of(request).caller(request, Role.UPLOAD)


async def _reviewer(request: Request) -> tuple[Token, Workspace]:
    return await desk_of(request).caller(request, Role.REVIEW)


async def _admin(request: Request) -> tuple[Token, Workspace]:
    return await desk_of(request).caller(request, Role.ADMIN)


Caller = Annotated[tuple[Token, Workspace], Depends(_uploader)]
Reviewer = Annotated[tuple[Token, Workspace], Depends(_reviewer)]
Admin = Annotated[tuple[Token, Workspace], Depends(_admin)]
