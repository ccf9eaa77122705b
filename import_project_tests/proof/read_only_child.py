"""A process that imports the feed `orders` while a folder of its home turns read-only and is writable again; run it under
`unshare -rm`.

`python -m import_project_tests.proof.read_only_child FOLDER` prints a JSON list of what each of eight tries raised
(None: nothing): two writable, three read-only, three writable again; and how each file has ended. The same parts serve all of them. No judgement belongs here.
"""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from import_project.config.load import load_feeds
from import_project.config.settings import Settings
from import_project.pipeline.parts import Parts
from import_project.pipeline.see import see
from import_project.pipeline.steps import run_file
from import_project.pipeline.wiring import build_parts
from import_project_tests.installation import Clock
from import_project_tests.pipeline.row_feeds import order, orders


def _tried(parts: Parts, clock: Clock, turn: int) -> str | None:
    clock.advance(hours=2)
    settings = Settings.read(os.environ)
    loaded = next(f for f in load_feeds(settings.feeds, os.environ)[0] if f.name == "orders")
    try:
        for request in asyncio.run(see(parts, loaded)).requests:
            run_file(parts, loaded, request.partition, owner=f"run-{turn}")
    except Exception as error:  # noqa: BLE001 - it is told, whatever it is
        return f"{type(error).__module__}.{type(error).__name__}"
    return None


def main(folder: Path, inbox: Path) -> None:
    """Import one file before, one while nothing can be written, and tell."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(folder)], check=True)
    clock = Clock(ahead=timedelta(0))
    parts = replace(build_parts(Settings.read(os.environ), os.environ), clock=clock, sleep=clock.sleep)
    told = []
    for turn, mode in enumerate(("rw", "rw", "ro", "ro", "ro", "rw", "rw", "rw")):
        if turn in {0, 2}:
            (inbox / f"orders_{turn}.csv").write_bytes(orders(order(10 + turn)))
        parts.ledger.database.engine.dispose()  # a kernel would not mind that it is open; who remounts does
        subprocess.run(["mount", "-o", f"remount,{mode}", str(folder)], check=True)
        told.append(_tried(parts, clock, turn))
    told += [f"{o.name} {o.state}" for o in parts.ledger.outcomes.all()]
    parts.close()
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
