"""A code location for the launcher's tests: jobs that say which process they are, hang, or die."""

import os
import signal
import time

import dagster as dg
import polars as pl

from import_project.validation.columns import TRY_OUT

if os.environ.get("WORKS_AT_IMPORT"):
    pl.DataFrame({"a": [1]}).select(pl.col("a").sum())


@dg.op
def counts(context: dg.OpExecutionContext) -> None:
    """Work with Polars, on all its threads."""
    frame = pl.DataFrame({"a": range(10_000)}).group_by(pl.col("a") % 7).agg(pl.len()).sort("a")
    tried = TRY_OUT.get()
    context.add_output_metadata({"rows": frame.height, "parent": os.getppid(), "pid": os.getpid(), "tried": tried})


@dg.op
def sleeps() -> None:
    """Hang until somebody ends it."""
    time.sleep(120)


@dg.op
def dies() -> None:
    """End as a process that the system kills."""
    os.kill(os.getpid(), signal.SIGKILL)


@dg.job(executor_def=dg.in_process_executor)
def count() -> None:
    counts()


@dg.job(executor_def=dg.in_process_executor)
def hang() -> None:
    sleeps()


@dg.job(executor_def=dg.in_process_executor)
def die() -> None:
    dies()


defs = dg.Definitions(jobs=[count, hang, die])
