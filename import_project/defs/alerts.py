"""Sensors that tell people: of failed runs, and of other sensors' failed ticks. An alert is recorded before it is sent,
and sent until it has arrived."""

import os

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorTick, TickStatus

from import_project.config.settings import Settings
from import_project.errors import PostingError, StoreError
from import_project.pipeline.alerts import raise_alert, send_waiting
from import_project.pipeline.parts import Parts
from import_project.posting.webhook import send_alert

#: Consecutive failures of one sensor at which a person is told.
_TELL_AT = frozenset({1, 5, 25, 125})
_LOOK_BACK_SECONDS = 3600


def record(parts: Parts, key: str, text: str) -> None:
    """Record an alert; `watch_sensors` sends it. A feed's own tick must not wait for a webhook that hangs."""
    parts.ledger.alerts.unsent(key, text, parts.clock())


def alert(parts: Parts, key: str, text: str, facts: dict[str, str]) -> None:
    """Record an alert and try to send it; when that fails, `watch_sensors` sends it later.

    A ledger that cannot be written is trouble that must be told all the same: then the alert goes out unrecorded.
    """
    webhook = Settings.read(os.environ).alert_webhook
    try:
        try:
            raise_alert(parts, webhook, key, text, facts)
        except StoreError:
            if webhook is None:
                raise
            send_alert(webhook, text, facts)
    except PostingError as error:
        dg.get_dagster_logger().warning(str(error))


@dg.run_failure_sensor(
    name="alert_failed_runs",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=10,
    description="Tells people of each failed run, once",
)
def alert_failed_runs(context: dg.RunFailureSensorContext, parts: dg.ResourceParam[Parts]) -> None:
    """Name the feed, the file, and the reason in one line."""
    run = context.dagster_run
    steps = [e.step_failure_data.user_failure_data for e in context.get_step_failure_events()]
    told = [s.description for s in steps if s is not None and s.description]
    reason = told[0] if told else context.failure_event.message or "no reason given"
    facts = {"run": run.run_id, "job": run.job_name, "file": run.tags.get("dagster/partition", "")}
    alert(parts, f"run:{run.run_id}", f"{run.job_name} failed: {reason}", facts)


@dg.sensor(
    name="watch_sensors",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=15,
    description="Tells people of other sensors' failed ticks, and sends alerts that could not be sent",
)
def watch_sensors(context: dg.SensorEvaluationContext, parts: dg.ResourceParam[Parts]) -> dg.SkipReason:
    """Look at every failed tick of the last hour; the ledger knows which ones were told."""
    told = 0
    for state in context.instance.all_instigator_state(instigator_type=InstigatorType.SENSOR):
        if state.instigator_name == context.sensor_name or state.status is InstigatorStatus.STOPPED:
            continue
        for tick in _failed_ticks(context.instance, state, parts.clock().timestamp() - _LOOK_BACK_SECONDS):
            if tick.tick_data.failure_count and tick.consecutive_failure_count in _TELL_AT:
                alert(parts, f"tick:{tick.tick_id}", _tick_text(tick), {"sensor": state.instigator_name})
                told += 1
    send_waiting(parts, Settings.read(os.environ).alert_webhook)
    return dg.SkipReason(f"{told} failed ticks in the last hour")


def _failed_ticks(instance: dg.DagsterInstance, state: InstigatorState, after: float) -> list[InstigatorTick]:
    return list(
        instance.get_ticks(
            state.instigator_origin_id, state.selector_id, after=after, statuses=[TickStatus.FAILURE], limit=200
        )
    )


def _tick_text(tick: InstigatorTick) -> str:
    error = tick.error.cause or tick.error if tick.error is not None else None  # Dagster's wrapper, then ours
    told = error.message.strip().splitlines() if error is not None else []
    reason = told[0].removeprefix(f"import_project.errors.{error.cls_name}: ") if error and told else "no reason given"
    times = tick.consecutive_failure_count
    return f"{tick.instigator_name} failed{f' {times} times in a row' if times > 1 else ''}: {reason}"
