"""The front desk as an ASGI application: routes, the page, what errors become, and what goes on beside requests."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from import_project.api import hand_in, health, jobs, page, review
from import_project.api.answers import Refusal
from import_project.api.desk import Desk
from import_project.api.guard import Guarded
from import_project.api.hooks import tell_ends
from import_project.config.settings import Settings
from import_project.errors import (
    BadForm,
    ClaimLost,
    ConfigError,
    DecidedMeanwhile,
    FileRefused,
    ImportProjectError,
    KeyTaken,
    NoSuchThing,
    NotKnown,
    NotYours,
    PostingError,
    SourceError,
    StoreError,
    TooLarge,
    TooLate,
    TooMany,
    WrongKind,
)
from import_project.logs import LOG
from import_project.pipeline.wiring import build_parts

_STATUS: tuple[tuple[type[ImportProjectError], int], ...] = (
    (NotKnown, 401),
    (NotYours, 403),
    (NoSuchThing, 404),
    (TooLate, 409),
    (KeyTaken, 409),
    (ClaimLost, 409),
    (DecidedMeanwhile, 409),
    (TooLarge, 413),
    (WrongKind, 415),
    (TooMany, 429),
    (BadForm, 400),
    (ConfigError, 400),
    (FileRefused, 400),
    (StoreError, 503),
    (PostingError, 503),
    (SourceError, 503),
)


def build_app(settings: Settings, environ: Mapping[str, str]) -> FastAPI:
    """Build the application of an installation. Nothing is connected to before the first request."""
    desk = Desk(build_parts(settings, environ), settings, environ)

    @asynccontextmanager
    async def beside(_app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(desk.write_jobs()), asyncio.create_task(tell_ends(desk))]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            desk.parts.close()

    app = FastAPI(
        title="import_project: the front desk",
        version=version("import_project"),
        description="Hand in a file, get a ticket, watch it, read what was wrong.",
        lifespan=beside,
        docs_url=None,
        redoc_url=None,
        responses={422: {"model": Refusal, "description": "a value that cannot be read"}},
    )
    app.state.desk = desk
    for part in (health, hand_in, jobs, review, page):
        app.include_router(part.router)
    app.add_exception_handler(ImportProjectError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _broken)
    app.add_middleware(Guarded)
    return app


def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ImportProjectError)
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
    headers = {}
    if isinstance(error, TooMany):
        headers["retry-after"] = str(error.seconds)
    elif status == 503:
        headers["retry-after"] = "30"
    elif status == 401:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse({"error": error.what, "do": error.do}, status_code=status, headers=headers)


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body")
    told = {"error": f"{where}: {first['msg']}", "do": None}
    return JSONResponse(told, status_code=422)


def _broken(request: Request, error: Exception) -> JSONResponse:
    LOG.error("a request failed", extra={"fields": {"path": request.url.path, "error": type(error).__name__}})
    told = {"error": "this is a defect of ours", "do": "please report it; the log has more"}
    return JSONResponse(told, status_code=500)


def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    told = {"error": str(error.detail), "do": None}
    return JSONResponse(told, status_code=error.status_code, headers=dict(error.headers or {}))
