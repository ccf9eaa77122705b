"""The page's files, and signing in: a token becomes a cookie that scripts cannot read and other sites cannot send."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from import_project.api.answers import Refusal
from import_project.api.desk import Desk
from import_project.api.tokens import COOKIE
from import_project.errors import NotKnown
from import_project.records.jobs import Role

_STATIC = Path(__file__).parent / "static"
_REFUSED: dict[int | str, dict[str, Any]] = {401: {"model": Refusal, "description": "the token does not hold"}}
router = APIRouter()


class SignIn(BaseModel):
    """A token."""

    token: str = Field(min_length=1, max_length=200)


@router.post("/session", status_code=204, tags=["desk"], responses=_REFUSED)
async def sign_in(request: Request, word: SignIn, response: Response) -> None:
    """Sign the page in: the token is kept in a cookie, until the browser ends."""
    desk: Desk = request.app.state.desk
    scope = {**request.scope, "headers": [(b"authorization", f"Bearer {word.token}".encode("latin-1", "replace"))]}
    await desk.caller(Request(scope), Role.UPLOAD)
    if not word.token.isascii() or not word.token.isprintable():
        raise NotKnown("the token does not hold")
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, word.token, httponly=True, samesite="strict", secure=secure, path="/")


@router.delete("/session", status_code=204, tags=["desk"])
def sign_out(response: Response) -> None:
    """Sign the page out."""
    response.delete_cookie(COOKIE, path="/")


def _serve(name: str, media_type: str) -> FileResponse:
    return FileResponse(_STATIC / name, media_type=media_type, headers={"cache-control": "no-cache"})


@router.get("/", include_in_schema=False)
def index() -> FileResponse:
    """The page."""
    return _serve("index.html", "text/html")


@router.get("/docs", include_in_schema=False)
def docs() -> FileResponse:
    """The description of the API, for people."""
    return _serve("docs.html", "text/html")


@router.get("/static/{name}", include_in_schema=False)
def static(name: str) -> Response:
    """A style sheet or a script."""
    kinds = {
        "page.css": "text/css",
        "page.js": "text/javascript",
        "review.js": "text/javascript",
        "docs.js": "text/javascript",
    }
    return _serve(name, kinds[name]) if name in kinds else Response(status_code=404)
