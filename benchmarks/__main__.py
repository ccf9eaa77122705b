"""Runs the benchmarks named on the command line, or all; prints a table and writes `results/NAME.json`."""

import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import formats

BENCHMARKS = {"formats": formats.run}
RESULTS = Path(__file__).with_name("results")


def main(names: list[str]) -> None:
    for name in names or list(BENCHMARKS):
        figures = BENCHMARKS[name]()
        table = Table("what", "ours", "peer", "peer is", "ratio", "goal", "met", title=name)
        for f in figures:
            table.add_row(f.what, f"{f.ours:,.0f}", f"{f.peer:,.0f}", f.peer_name, f"{f.ratio:.2f}", f.goal, str(f.met))
        Console().print(table)
        RESULTS.mkdir(exist_ok=True)
        told = {
            "name": name,
            "machine": f"{platform.machine()}, Python {platform.python_version()}",
            "versions": {p: version(p) for p in ("polars", "pyarrow", "pandera")},
            "figures": [f.as_json() for f in figures],
        }
        (RESULTS / f"{name}.json").write_text(json.dumps(told, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
