"""`import-project report`: what became of a run or a file, for people and as JSON."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from import_project.cli.installation import all_feeds, installation, print_json
from import_project.cli.outcome_table import box_of, is_narrow, table_console
from import_project.errors import one_line
from import_project.pipeline.reports import Report, report
from import_project.records.steps import Attempt, StepState

_COLOURS = {StepState.DONE: "green", StepState.FAILED: "red", StepState.RUNNING: "cyan", StepState.CUT_OFF: "yellow"}
_WAITING = ("seen", "ready")
_COUNTS = ("total", "processed", "accepted", "quarantined", "posted", "repeated", "matched", "unmatched")


def print_report(name: str, feed: str | None, *, as_json: bool) -> None:
    """Print the report on a run or a file."""
    with installation() as parts:
        found = report(parts, name, feed=feed, feeds=all_feeds())
    if as_json:
        print_json(as_values(found))
        return
    console = table_console()
    console.print(_facts(found))
    if found.steps:
        console.print(_steps(found.steps))
    for told in found.errors:
        console.print(Text(f"error: {one_line(told)}", style="red"), soft_wrap=True)


def as_values(found: Report) -> dict[str, Any]:
    """Return a report as JSON has it: money as text, times in ISO 8601, errors counted."""
    told = {k: _plain(v) for k, v in asdict(found).items() if k not in {"steps", "errors", "sums"}}
    told["sums"] = {currency: str(amount) for currency, amount in found.sums.items()}
    told["errors"] = {"count": len(found.errors), "texts": list(found.errors)}
    told["steps"] = [
        {
            "step": one.step,
            "status": one.state.value,
            "attempt": one.attempt,
            "started": _plain(one.started_at),
            "completed": _plain(one.finished_at),
            "seconds": one.seconds,
            "error": one.error,
            "facts": dict(one.facts),
        }
        for one in found.steps
    ]
    return told


def _plain(value: Any) -> Any:
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else value


def _facts(found: Report) -> Table:
    table = Table(show_header=False)
    verdict = ("succeeded", "green") if found.success else ("failed", "red")
    if found.started is not None and found.completed is None:
        verdict = ("under way", "cyan")
    elif found.started is None and not found.success and found.state in _WAITING:
        verdict = ("waits for its run", "cyan")
    table.add_row("result", Text(verdict[0] + (" (dry run: nothing was posted)" if found.dry_run else ""), verdict[1]))
    others = f" ({len(found.runs)} runs of this file)" if len(found.runs) > 1 else ""
    rows = {
        "pipeline": found.pipeline,
        "file": found.file,
        "partition": found.partition,
        "source": found.source,
        "set aside to": found.set_aside_to,
        "state": found.state,
        "duplicate of": found.duplicate_of,
        "run": found.run + others,
        "started (UTC)": _time(found.started),
        "completed (UTC)": _time(found.completed),
        **{name: getattr(found, name) for name in _COUNTS},
        **{f"sum {currency}": f"{amount:,.2f}" for currency, amount in found.sums.items()},
        "errors": len(found.errors),
    }
    for name, value in rows.items():
        if value not in {None, ""}:
            table.add_row(name, Text(str(value)))
    return table


def _steps(attempts: tuple[Attempt, ...]) -> Table:
    narrow = is_narrow()
    heads = ("step", "status", "attempt", *(() if narrow else ("started (UTC)",)), "seconds")
    table = Table(*heads, Column("told", overflow="fold"), **box_of(narrow=narrow))
    for one in attempts:
        facts = ", ".join(f"{name} {value}" for name, value in one.facts.items() if name != "sha256")
        seconds = "-" if one.seconds is None else f"{one.seconds:.2f}"
        status = Text(one.state.value, style=_COLOURS[one.state])
        times = (*(() if narrow else (_time(one.started_at),)), seconds)
        table.add_row(one.step, status, str(one.attempt), *times, Text(one.error or facts))
    return table


def _time(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"
