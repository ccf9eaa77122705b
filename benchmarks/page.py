"""What the benchmarks have measured, as a page for people: `docs/benchmarks.md` with a plot for each benchmark. Written
from the files in `results`, whatever is there; measures nothing."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
_HEAD = """# Benchmarks

Written by `make bench`, which runs every benchmark beside its peers, in turns, on one machine; never by hand. Trust the
ratios, not the seconds. What is behind the figures is told in [performance](performance.md). More is better in every
row; `ratio` is ours by the peer's.
"""
_BAR, _GAP, _LEFT, _WIDTH = 14, 10, 330, 760
_OURS, _PEER, _INK = "#2a7f62", "#b8b8b8", "#555"


def write_page(results: Path) -> None:
    """Write the page and its plots from the results of all benchmarks that have been run."""
    plots = DOCS / "benchmarks"
    plots.mkdir(exist_ok=True)
    told = [json.loads(path.read_text("utf-8")) for path in sorted(results.glob("*.json"))]
    for one in told:
        (plots / f"{one['name']}.svg").write_text(_plot(one["figures"]), "utf-8")
    (DOCS / "benchmarks.md").write_text(_HEAD + "".join(_section(one) for one in told), "utf-8")


def _section(one: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in sorted(one["versions"].items()))
    lines = [f"\n## {one['name']}\n", f"![{one['name']}](benchmarks/{one['name']}.svg)\n"]
    lines += ["| what | ours | peer | ratio | goal | met |", "|---|---|---|---|---|---|"]
    for f in one["figures"]:
        met = {True: "yes", False: "no", None: ""}[f["met"]]
        peer = f"{_number(f['peer'])} ({f['peer_name']})"
        cells = (f["what"], _number(f["ours"]), peer, f"{f['ratio']:.2f}", f["goal"], met)
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    details = [f"* {f['what']}: {f['told']}" for f in one["figures"] if f["told"]]
    return "\n".join([*lines, "", *details, "", f"{one['machine']}; {versions}", ""])


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _plot(figures: Sequence[Mapping[str, Any]]) -> str:
    """Draw two bars for each figure, as long as their share of the longer one."""
    height = len(figures) * (2 * _BAR + _GAP) + _GAP
    drawn = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" font-family="sans-serif"']
    drawn[0] += ' font-size="11">'
    room = _WIDTH - _LEFT - 110
    for number, f in enumerate(figures):
        top = _GAP + number * (2 * _BAR + _GAP)
        what = f["what"] if len(f["what"]) <= 56 else f["what"][:55] + "…"
        drawn.append(
            f'<text x="{_LEFT - 8}" y="{top + _BAR + 4}" text-anchor="end" fill="{_INK}">{escape(what)}</text>'
        )
        bars = (("ours", f["ours"], _OURS), (f["peer_name"], f["peer"], _PEER))
        for line, (name, value, colour) in enumerate(bars):
            y, length = top + line * _BAR, max(1, room * value / max(f["ours"], f["peer"]))
            drawn.append(f'<rect x="{_LEFT}" y="{y}" width="{length:.0f}" height="{_BAR - 2}" fill="{colour}"/>')
            label = escape(f"{name}: {_number(value)}")
            drawn.append(f'<text x="{_LEFT + length + 5:.0f}" y="{y + _BAR - 4}" fill="{_INK}">{label}</text>')
    return "\n".join([*drawn, "</svg>", ""])
