"""Writes the table of faults into `docs/reliability.md` from what a run of the tests reported, never by hand.

`python -m import_project_tests.proof.page RESULTS...`, where each RESULTS is a JUnit file that pytest wrote.
"""

import re
import sys
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from import_project_tests.proof.catalogue import GROUPS, ROOT, Fault, faults, guards

PAGE = ROOT / "docs" / "reliability.md"
_GUARDS = "### Guards"
_BEGIN, _END = "<!-- from the run: begin -->", "<!-- from the run: end -->"


def results_in(junit: Iterable[Path]) -> dict[str, Counter[str]]:
    """Return how often each test passed and failed, its cases counted together, by its id; a later file counts where a
    test is in several."""
    told: dict[str, Counter[str]] = {}
    for path in junit:
        results: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for case in ET.parse(path).iter("testcase"):
            module, name = case.get("classname", ""), re.sub(r"\[.*", "", case.get("name", ""), flags=re.DOTALL)
            parts = module.removeprefix("import_project_tests.").split(".")
            within = [p for p in parts if p[:1].isupper()]
            file = "/".join(p for p in parts if p not in within) + ".py"
            bad = any(child.tag in {"failure", "error", "skipped"} for child in case)
            results["::".join([file, *within, name])]["failed" if bad else "passed"] += 1
        told.update(results)
    return told


def _result(fault: Fault, results: Mapping[str, Counter[str]]) -> str:
    found = [results.get(test, Counter()) for test in fault.tests]
    if any(one["failed"] for one in found):
        return "**failed**"
    if not fault.tests:
        return "not promised"
    missing = sum(not one for one in found)
    cases = sum(one["passed"] for one in found)
    return f"held, {cases} cases" + (f"; {missing} not in this run" if missing else "") if cases else "not run"


def table(results: Mapping[str, Counter[str]]) -> str:
    """Return the tables of faults and of guards as Markdown."""
    lines: list[str] = []
    for letter, title in GROUPS.items():
        lines += [f"### {title}", "", "| | fault | result | proved by | not proved |", "|---|---|---|---|---|"]
        for fault in (f for f in faults() if f.id[0] == letter):
            proved = "<br>".join(f"`{test}`" for test in fault.tests)
            mark = f"**{fault.id}**" if fault.gate else fault.id
            lines.append(f"| {mark} | {fault.what} | {_result(fault, results)} | {proved} | {fault.left} |")
        lines.append("")
    lines += [_GUARDS, "", "| fault | guard | where | without it, this turns red |", "|---|---|---|---|"]
    lines += [f"| {g.fault} | {g.guard} | `{g.file}` | `{g.test}` |" for g in guards()]
    return "\n".join(lines)


def told_in(page: str) -> dict[str, str]:
    """Return the result of each fault as the page tells it."""
    of_faults = page.partition(_GUARDS)[0]
    return dict(re.findall(r"^\| \**([KFNCMPES]\d+)\** \| [^|]* \| ([^|]*) \|", of_faults, flags=re.MULTILINE))


def main(junit: list[Path]) -> None:
    """Write the page; end with 1 when any test failed, those of no fault too."""
    before, _, rest = PAGE.read_text("utf-8").partition(_BEGIN)
    after, results = rest.partition(_END)[2], results_in(junit)
    PAGE.write_text(f"{before}{_BEGIN}\n\n{table(results)}\n\n{_END}{after}", "utf-8")
    if failed := sorted(test for test, counted in results.items() if counted["failed"]):
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main([Path(one) for one in sys.argv[1:]])
