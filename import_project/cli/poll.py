"""`import-project poll`: passes over all feeds without a daemon, for cron and containers. A pass is `defs.poll`'s."""

import os
import signal
import sys
import threading
from dataclasses import asdict
from typing import Any

from rich.text import Text

from import_project.cli.outcome_table import table_console
from import_project.defs.file_run import FileRun
from import_project.defs.instance import open_instance, told_by_dagster
from import_project.defs.poll import FeedPolled, exit_code, one_pass
from import_project.errors import ImportProjectError, one_line


def poll(every: float | None, *, as_json: bool) -> None:
    """Pass once and exit with 0, 1 (a file failed) or 2 (not all feeds could be polled); or pass for ever.

    SIGTERM, and the first Ctrl-C, let the file in hand come to its end; a second one does not.
    """
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _frame: _end(ending, got))
    work = _Passes(every, ending, as_json=as_json)
    work.start()
    try:
        while work.is_alive():
            work.join(0.2)  # in pieces, so that signals are seen
    except KeyboardInterrupt:  # at once, as a kill would: what is in hand is met by the next pass
        sys.stdout.flush()
        os._exit(130)
    if isinstance(work.error, ImportProjectError):
        print(f"error: {work.error.line}", file=sys.stderr, flush=True)
        sys.exit(2)  # nothing was polled; 1 is for files
    if work.error is not None:
        raise work.error
    sys.exit(work.code)


class _Passes(threading.Thread):
    """The passes, beside the main thread: Dagster takes the signals of the thread it runs in for its own."""

    def __init__(self, every: float | None, ending: threading.Event, *, as_json: bool) -> None:
        super().__init__(name="passes", daemon=True)
        self._every, self._ending, self._as_json = every, ending, as_json
        self.code = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        """Pass until it is enough."""
        try:
            with open_instance() as instance:
                while True:
                    self.code = self._pass(instance)
                    if self._every is None or self._ending.wait(self._every):
                        return
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            self.error = error

    def _pass(self, instance: Any) -> int:
        """Pass once; what keeps a pass from its end, such as a ledger that does not answer, is met by the next."""
        try:
            passed = one_pass(instance, self._ending.is_set, every=self._every)
            return exit_code([_print(one, as_json=self._as_json) for one in passed])
        except Exception as error:
            if self._every is None:
                raise
            line = told_by_dagster(error).line
        print(f"error: {line}", file=sys.stderr, flush=True)
        return 2


def _end(ending: threading.Event, number: int) -> None:
    if ending.is_set():
        raise KeyboardInterrupt
    ending.set()
    print(f"{signal.Signals(number).name}: ending after the run in hand", file=sys.stderr, flush=True)


def _print(told: FeedPolled | FileRun, *, as_json: bool) -> FeedPolled | FileRun:
    if as_json:
        import json

        what = "feed" if isinstance(told, FeedPolled) else "file"
        print(json.dumps({"told": what, **asdict(told)}, ensure_ascii=False), flush=True)
        return told
    console = table_console()
    if isinstance(told, FeedPolled):
        more = f", {told.more} once more" if told.more else ""
        waiting = f", {told.waiting} wait to be stable" if told.waiting else ""
        line = f"{told.feed}: {told.wanted - told.more} new{more}{waiting}"
        if told.left:
            line = f"{told.feed}: {told.left} not begun, left for the next pass"
        console.print(Text(line) if told.error is None else Text(f"{told.feed}: {told.error}", "red"), soft_wrap=True)
        for problem in told.problems:
            console.print(Text(f"{told.feed}: {one_line(problem)}", "yellow"), soft_wrap=True)
    else:
        how = Text(f"  {told.file}: {told.state} {told.note}".rstrip(), "green" if told.success else "red")
        if told.run:
            how.append(f" (run {told.run[:8]})", "dim")
        if told.error:
            how.append(f": {one_line(told.error)}")
        console.print(how, soft_wrap=True)
    return told
