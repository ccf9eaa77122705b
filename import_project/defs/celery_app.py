"""The Celery app of a worker that works on Dagster's runs: `celery -A import_project.defs.celery_app worker`. How it is
set up is told in `deploy/celery`. The only module that does something when it is imported, for Celery asks for an app.
"""

import os
from typing import Any

from dagster._cli.api import _execute_run_command_body
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster._core.instance import DagsterInstance
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import unpack_value
from dagster_celery.config import TASK_EXECUTE_JOB_NAME
from dagster_celery.make_app import make_app

app = make_app(  # type: ignore[no-untyped-call]
    {
        "broker": os.environ.get("CELERY_BROKER_URL"),
        "backend": os.environ.get("CELERY_RESULT_BACKEND"),
    }
)
app.conf.update(
    task_default_queue="dagster",
    worker_prefetch_multiplier=1,  # a run waits where any worker can take it
    worker_max_tasks_per_child=500,
    broker_connection_retry_on_startup=True,
)


@app.task(name=TASK_EXECUTE_JOB_NAME, track_started=True)  # type: ignore[untyped-decorator]
def execute_job(execute_job_args_packed: Any) -> int:
    """Execute a run in this process, as `dagster_celery` does, but with feeds as they are now and one connection for
    many events."""
    args = unpack_value(execute_job_args_packed, as_type=ExecuteRunArgs)
    ReconstructableJob.get_definition.cache_clear()  # Dagster keeps the last job for ever
    ReconstructableJob.get_repository_definition.cache_clear()
    with DagsterInstance.get() as instance:
        instance.optimize_for_webserver(statement_timeout=30_000, pool_recycle=3600, max_overflow=4)
        return _execute_run_command_body(args.run_id, instance, lambda _: None, set_exit_code_on_failure=True)
