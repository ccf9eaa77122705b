"""The parts of the installation as a Dagster resource. What they are is said in `pipeline.parts`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from import_project.config.settings import Settings
from import_project.pipeline.parts import Parts
from import_project.pipeline.wiring import build_parts


class PartsResource(dg.ConfigurableResource[Parts]):
    """Builds the parts from the environment for each run and tick, and gives their connections back."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Parts]:
        """Hand out the plain object; nothing else of Dagster reaches the use cases."""
        parts = build_parts(Settings.read(os.environ), os.environ)
        try:
            yield parts
        finally:
            parts.close()
