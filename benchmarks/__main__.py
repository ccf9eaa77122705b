"""Runs the benchmarks named on the command line, or all; prints a table and writes `results/NAME.json`."""

import json
import platform
import signal
import sys
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import desk, formats, inbox, launcher, matching, partitions, poll, posting, rows, scale, sensors
from benchmarks.page import write_page
from benchmarks.peers import PeerMissing, told_versions

BENCHMARKS = {
    "desk": (desk.run, desk.versions),
    "formats": (formats.run, formats.versions),
    "inbox": (inbox.run, told_versions),
    "launcher": (launcher.run, launcher.versions),
    "matching": (matching.run, matching.versions),
    "partitions": (partitions.run, partitions.versions),
    "poll": (poll.run, poll.versions),
    "posting": (posting.run, posting.versions),
    "rows": (rows.run, rows.versions),
    "scale": (scale.run, scale.versions),
    "sensors": (sensors.run, sensors.versions),
}
RESULTS = Path(__file__).with_name("results")


def main(names: list[str]) -> None:
    for name in names or list(BENCHMARKS):
        run, versions_of_peers = BENCHMARKS[name]
        try:
            versions, figures = versions_of_peers(), run()
        except PeerMissing as missing:
            sys.exit(str(missing))
        table = Table("what", "ours", "peer", "peer is", "ratio", "best", "CPU", "goal", "met", title=name)
        for f in figures:
            rates = (f"{f.ours:,.0f}", f"{f.peer:,.0f}", f.peer_name, f"{f.ratio:.2f}")
            table.add_row(f.what, *rates, *(_told(r) for r in (f.best_ratio, f.cpu_ratio)), f.goal, str(f.met))
        Console().print(table)
        RESULTS.mkdir(exist_ok=True)
        told = {
            "name": name,
            "machine": f"{platform.machine()}, Python {platform.python_version()}",
            "versions": {p: version(p) for p in ("polars", "pyarrow", "pandera", "asyncssh")} | versions,
            "figures": [f.as_json() for f in figures],
        }
        (RESULTS / f"{name}.json").write_text(json.dumps(told, indent=2) + "\n", "utf-8")
        write_page(RESULTS)


def _told(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers it started are ended too
    main(sys.argv[1:])
