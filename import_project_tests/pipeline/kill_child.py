"""A process that polls and runs everything of one feed, and kills itself at its n-th call into a store or source, or at a
named place (see `proof.fail_points`).

`python -m import_project_tests.pipeline.kill_child FEED N`; exits with 0 when it came to the end alive. `FAIL_POINT` names
the place, `PASSED` a file that gets the names of all places that are passed. With `ROUNDS` it polls so often, and a file that
fails stops none. `LEASE` is how many seconds a claim lasts. With `CORRECTED`, rows as JSON, it polls nothing and replays those of the one file there is.
"""

import asyncio
import json
import os
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl

from import_project.config.load import load_feeds
from import_project.config.settings import Settings
from import_project.errors import ImportProjectError
from import_project.pipeline.quarantine import Replay
from import_project.pipeline.replay import replay
from import_project.pipeline.see import see
from import_project.pipeline.steps import run_file
from import_project.pipeline.wiring import build_parts
from import_project_tests.installation import Clock
from import_project_tests.proof.fail_points import Fuse, Fused

_LEDGER = ("arrivals", "sightings", "decisions", "postings", "apis", "outcomes", "alerts", "steps")


def main(feed: str, calls: int) -> None:
    settings = Settings.read(os.environ)
    feeds, _ = load_feeds(settings.feeds, os.environ)
    loaded = next(f for f in feeds if f.name == feed)
    real = build_parts(settings, os.environ)
    passed = os.environ.get("PASSED")
    fuse = Fuse(calls, os.environ.get("FAIL_POINT", ""), Path(passed) if passed else None)
    real.ledger.sightings.polls()  # migrate first: a kill in it is another test's
    fuse.watch_settling({"landing": settings.home / "landing", "tables": settings.home / "tables"})
    clock = Clock(ahead=timedelta(seconds=float(os.environ["AHEAD"])))
    parts = replace(
        real,
        ledger=Fused(real.ledger, fuse, "ledger", _LEDGER),  # type: ignore[arg-type]
        landing=Fused(real.landing, fuse, "landing"),  # type: ignore[arg-type]
        tables=Fused(real.tables, fuse, "tables"),  # type: ignore[arg-type]
        open_source=lambda one: Fused(real.open_source(one), fuse, "source"),
        open_api=lambda one: Fused(real.open_api(one), fuse, "api"),  # type: ignore[arg-type,return-value]
        lease=timedelta(seconds=float(os.environ.get("LEASE", "30"))),
        clock=clock,
        sleep=clock.sleep,
    )
    if corrected := os.environ.get("CORRECTED"):
        (outcome,) = real.ledger.outcomes.all()
        given = Replay(rows=pl.DataFrame(json.loads(corrected)), by="ann", told=lambda _: None)
        replay(parts, loaded, outcome, given, owner=f"replay-{os.getpid()}")
        return
    for _ in range(int(os.environ.get("ROUNDS", "2"))):
        clock.advance(seconds=loaded.feed.every_seconds)
        for request in asyncio.run(see(parts, loaded)).requests:
            try:
                run_file(parts, loaded, request.partition, owner=f"run-{os.getpid()}-{request.key}")
            except ImportProjectError:
                if "ROUNDS" not in os.environ:
                    raise


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
