"""How the installation is: each part's state, for people and probes, and numbers for Prometheus. No token is asked, and
nothing is told of any workspace."""

import os
from collections.abc import Callable
from datetime import timedelta
from importlib.metadata import version

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from import_project.api.answers import Health
from import_project.api.desk import Desk
from import_project.errors import ImportProjectError
from import_project.pipeline.alive import DESK_WORKER, last_beat
from import_project.pipeline.parts import Parts

_SILENT = timedelta(seconds=60)
router = APIRouter(tags=["health"])


@router.get("/health", responses={503: {"model": Health, "description": "a part does not work"}})
def health(request: Request, response: Response) -> Health:
    """Each part's state: `ok`, or what is wrong. 503 when files cannot be taken or imported now."""
    desk: Desk = request.app.state.desk
    states = {
        "database": _tried(lambda: desk.parts.ledger.tokens.found("")),
        "landing": _tried(lambda: _writable(desk.parts)),
        "dagster": _tried(lambda: _dagster(desk.parts)),
        "feeds": _tried(lambda: _feeds(desk)),
        "engine": engine(),
    }
    well = all(state == "ok" for name, state in states.items() if name not in {"engine", "feeds"})
    well = well and states["engine"] != "unavailable"
    response.status_code = 200 if well else 503
    return Health(status="ok" if well else "failing", version=version("import_project"), **states)


def _tried(look: Callable[[], object]) -> str:
    try:
        found = look()
    except ImportProjectError as error:
        return error.what
    return found if isinstance(found, str) else "ok"


def _writable(parts: Parts) -> None:
    folder = parts.landing.workshop()
    if not os.access(folder, os.W_OK):
        raise ImportProjectError("landing cannot be written")


def _dagster(parts: Parts) -> str:
    """Who runs the files: the desk's own workers, or a daemon, whichever told last that it lives."""
    beats = [parts.ledger.heartbeats.last(DESK_WORKER), last_beat(parts)]
    last = max((one for one in beats if one is not None), default=None)
    if last is None:
        return "no worker and no daemon has told yet that it lives"
    ago = parts.clock() - last
    return "ok" if ago < _SILENT else f"no worker and no daemon has told for {ago.total_seconds():.0f} s that it lives"


def _feeds(desk: Desk) -> str:
    known = desk.known()
    if known.broken:
        return f"{known.broken} files of feeds or workspaces cannot be used: see `import-project feeds check`"
    return "ok" if known.feeds else "there is no feed"


def engine() -> str:
    """Return how the native dataframe engine is: `healthy`, `fallback` (built for old processors) or `unavailable`."""
    try:
        import polars as pl
        from polars._plr import RUNTIME_REPR

        summed = pl.DataFrame({"n": [1, 2, 3]}).lazy().select(pl.col("n").sum()).collect(engine="streaming").item()
    except Exception:  # noqa: BLE001 - whatever keeps the engine from working, it does not
        return "unavailable"
    if summed != 6:
        return "unavailable"
    return "fallback" if "compat" in RUNTIME_REPR else "healthy"


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(request: Request) -> PlainTextResponse:
    """Numbers in Prometheus' text format, version 0.0.4."""
    parts: Parts = request.app.state.desk.parts
    lines = ["# HELP import_project_jobs Jobs in each state.", "# TYPE import_project_jobs gauge"]
    lines += [
        f'import_project_jobs{{state="{state}"}} {n}' for state, n in parts.ledger.jobs.states(parts.clock()).items()
    ]
    counted = parts.ledger.dead_letters.counted().values()
    for name, what, number in (
        ("postings_unsent", "Postings that wait to be sent.", sum(unsent for unsent, _ in counted)),
        ("postings_dead", "Postings nobody can tell of.", sum(dead for _, dead in counted)),
        ("alerts_waiting", "Alerts that have not reached all their receivers.", len(parts.ledger.alerts.waiting())),
    ):
        lines += [f"# HELP import_project_{name} {what}", f"# TYPE import_project_{name} gauge"]
        lines.append(f"import_project_{name} {number}")
    return PlainTextResponse("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4; charset=utf-8")
