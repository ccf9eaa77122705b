"""The parts of the installation as a Dagster resource. What they are is said in `pipeline.parts`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError
from pydantic import Field

from import_project.config.settings import Settings
from import_project.logs import write_logs
from import_project.pipeline.parts import Parts
from import_project.pipeline.wiring import build_parts
from import_project.traces import send_traces

#: What Dagster raises in a run that is cancelled or told to end.
INTERRUPTS = (KeyboardInterrupt, DagsterExecutionInterruptedError)


class PartsResource(dg.ConfigurableResource[Parts]):
    """Builds the parts from the environment for each run and tick, and gives their connections back."""

    dry_run: bool = Field(
        default=False,
        description="only try it: nothing is claimed, decided, posted or moved; tables are the run's own",
    )

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Parts]:
        """Hand out the plain object; nothing else of Dagster reaches the use cases."""
        settings = Settings.read(os.environ)
        write_logs(settings.log)
        if settings.traces is not None:
            send_traces(settings.traces)
        dry = _first_run(context) if self.dry_run else None
        parts = build_parts(settings, os.environ, dry_run=dry, interrupts=INTERRUPTS)
        try:
            yield parts
        finally:
            parts.close()


def _first_run(context: dg.InitResourceContext) -> str:
    """Return the run whose tables a dry run goes on with: of one that is run again, the first."""
    run = context.run
    return "no_run" if run is None else run.root_run_id or run.run_id
