"""The run launcher: forks each run from a process that has Dagster, Polars, Pandera and the definitions loaded, which
takes a fifth of the CPU that a new interpreter takes. A run stays a process of its own. Named in `dagster.yaml`.
"""

import sys
import threading
from collections.abc import Mapping
from typing import Any, Self
from weakref import WeakSet

import dagster as dg
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._core.origin import JobPythonOrigin
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, ManagedGrpcPythonEnvCodeLocationOrigin
from dagster._core.remote_representation.code_location import CodeLocation
from dagster._serdes import ConfigurableClass, ConfigurableClassData, serialize_value

from import_project.defs.warm import NotForked, Stale, WarmProcess
from import_project.defs.worker import Worker, report_end
from import_project.logs import LOG

_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


class WarmRunLauncher(RunLauncher[dg.DagsterInstance], ConfigurableClass):
    """Dagster's run launcher for one machine.

    One warm process stands by for each code location. It knows the files that it has loaded: where a feed or code has
    changed, another takes its place, and runs of the old one go on. Where nothing can be forked (no Linux, a code
    location of another interpreter or machine, a warm process with threads), a run starts as Dagster's default launcher
    starts it.
    """

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self._cold: RunLauncher[dg.DagsterInstance] = DefaultRunLauncher()
        self._warm: dict[str, WarmProcess] = {}
        self._leaving = WeakSet[WarmProcess]()
        self._lock = threading.Lock()
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What the instance's file says of this launcher."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        """There is nothing to set."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        """Build the launcher as Dagster does."""
        return cls(inst_data=inst_data)

    def register_instance(self, instance: dg.DagsterInstance) -> None:
        """Take the instance whose runs are launched."""
        super().register_instance(instance)
        self._cold.register_instance(instance)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Fork a run, or start it cold. Raises what Dagster's default launcher raises when neither works."""
        run, origin = context.dagster_run, context.job_code_origin
        remote = run.remote_job_origin
        if context.workspace is None or remote is None or origin is None:
            self._cold.launch_run(context)
            return
        name = remote.repository_origin.code_location_origin.location_name
        location = context.workspace.get_code_location(name)
        if not _can_fork(location, origin):
            self._cold.launch_run(context)
            return
        try:
            with self._lock:
                self._fork(name, run.run_id, origin)
        except NotForked as why:
            self._instance.report_engine_event(f"Not forked, but started cold: {why}", run, cls=type(self))
            self._cold.launch_run(context)

    def _fork(self, location: str, run_id: str, origin: JobPythonOrigin) -> None:
        instance, job = serialize_value(self._instance.get_ref()), serialize_value(origin)
        if warm := self._warm.get(location):
            try:
                if warm.lives:
                    warm.fork(run_id, instance, job)
                    return
            except Stale:
                self._leaving.add(warm)
            warm.leave()
        self._warm[location] = WarmProcess(job, self._ended)
        self._warm[location].fork(run_id, instance, job)

    def _ended(self, run_id: str, status: int) -> None:
        """Called when a run's process has ended."""
        try:
            report_end(self._instance, run_id, status)
        except Exception:  # noqa: BLE001 - Dagster's run monitoring will find the process gone
            LOG.exception("the end of a run could not be recorded", extra={"fields": {"run": run_id}})

    def terminate(self, run_id: str) -> bool:
        """Tell a run's process to end, from any process of this machine."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        worker = Worker.of(run)
        if worker is None:
            return self._cold.terminate(run_id)
        self._instance.report_run_canceling(run)
        return worker.terminate()

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Dagster's run monitoring asks for the health of runs."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Say whether a run's process lives. Of one started cold, or elsewhere, nothing is known to be wrong."""
        worker = Worker.of(run)
        if worker is None or not worker.here:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "its process is not this launcher's to see")
        if worker.alive:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, "the run's process is gone")

    def dispose(self) -> None:
        """Let the warm processes go. Runs go on."""
        for warm in [*self._warm.values(), *self._leaving]:
            warm.leave()

    def join(self, timeout: int = 30) -> None:
        """Wait until runs that were started here have ended."""
        self._cold.join(timeout)
        for warm in self._warm.values():
            warm.join(timeout)


def _can_fork(location: CodeLocation, origin: JobPythonOrigin) -> bool:
    """Whether a run of the location would be the same forked here: this machine, this interpreter, and a fork that is
    safe, which other systems' libraries are not made for."""
    if sys.platform != "linux" or origin.repository_origin.executable_path != sys.executable:
        return False
    served = location.origin
    if isinstance(served, GrpcServerCodeLocationOrigin):
        return served.socket is not None or served.host in _HERE
    return isinstance(served, ManagedGrpcPythonEnvCodeLocationOrigin)
