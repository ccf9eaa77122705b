"""`import-project demo` and `dev`: the demo installation with a table in the terminal, or with the Dagster UI."""

import json
import sys
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console

from import_project.cli.outcome_table import outcome_rows, outcome_table, table_console
from import_project.demo.installation import Installation
from import_project.demo.proof import DemoResult, run_demo


def run(home: Path, timeout: float, *, as_json: bool) -> None:
    """Run the demo; exits with 1 when its result is not what the files contain."""
    console = table_console(stderr=as_json)
    status = console.status("starting the servers and the Dagster daemon") if console.is_terminal else nullcontext()
    with status as spinner:
        result = run_demo(Installation(home), timeout, tell=spinner.update if spinner else console.print)
    _report(result, console, as_json=as_json)
    if result.problems:
        sys.exit(1)


def _report(result: DemoResult, console: Console, *, as_json: bool) -> None:
    rows = outcome_rows(result.outcomes)
    if as_json:
        told = {"files": rows, "new_files": result.new_files, "new_postings": result.new_postings}
        json.dump({**told, "problems": result.problems}, sys.stdout, ensure_ascii=False, indent=2)
        print()
    else:
        console.print(outcome_table(rows))
        console.print(f"{result.new_files} new files, {result.new_postings} new postings")
    for problem in result.problems:
        Console(stderr=True).print(f"error: {problem}", style="red", markup=False, soft_wrap=True)


def develop(home: Path, port: int) -> None:
    """Run servers, daemon and UI until Ctrl-C."""
    installation = Installation(home)
    installation.check_port(port)
    console = Console()
    with installation.running() as environ:
        for feed, inbox in installation.inboxes.items():
            console.print(f"inbox of {feed}: {inbox}", soft_wrap=True)
        console.print(f"for other commands, in another terminal: . {installation.home / 'environment'}", soft_wrap=True)
        console.print(
            f"Dagster UI: http://127.0.0.1:{port} (Ctrl-C ends it; log in {installation.home / 'daemon.log'})",
            soft_wrap=True,
        )
        installation.ui(environ, port)
