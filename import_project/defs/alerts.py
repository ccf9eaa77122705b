"""Sensors that tell people: of failed runs, and of other sensors' failed ticks. An alert is recorded before it is sent,
and sent until it has arrived."""

import os
from collections.abc import Mapping
from urllib.parse import quote

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorTick, TickStatus

from import_project.config.settings import Settings
from import_project.errors import NotDelivered, StoreError
from import_project.pipeline.alerts import raise_alert, send_waiting
from import_project.pipeline.parts import Parts
from import_project.pipeline.wiring import channels_of
from import_project.records.alerts import Alert

#: Consecutive failures of one sensor at which a person is told.
_TELL_AT = frozenset({1, 5, 25, 125})
_LOOK_BACK_SECONDS = 3600


def record(parts: Parts, key: str, text: str, facts: Mapping[str, str]) -> None:
    """Record an alert; `watch_sensors` sends it. A feed's own tick must not wait for a webhook that hangs."""
    parts.ledger.alerts.undelivered(Alert(key=key, text=text, facts=facts), parts.clock())


def alert(parts: Parts, key: str, text: str, facts: Mapping[str, str]) -> None:
    """Record an alert and try to send it; when that fails, `watch_sensors` sends it later.

    A ledger that cannot be written is trouble that must be told all the same: then the alert goes out unrecorded.
    """
    settings = Settings.read(os.environ)
    one, channels = Alert(key=key, text=text, facts=linked(settings, facts)), channels_of(settings)
    try:
        try:
            raise_alert(parts, channels, one)
        except StoreError:
            if not channels:
                raise
            for channel in channels:
                channel.send(one)
    except NotDelivered as error:
        dg.get_dagster_logger().warning(str(error))


def linked(settings: Settings, facts: Mapping[str, str]) -> dict[str, str]:
    """Add a link to the run, or to the file's outcome, where the address of the UI is known."""
    told = {name: value for name, value in facts.items() if value}
    if settings.dagster_url is None:
        return told
    base = settings.dagster_url.rstrip("/")
    if "run" in told:
        return told | {"link": f"{base}/runs/{told['run']}"}
    if "feed" in told and "file" in told:
        return told | {"link": f"{base}/assets/{told['feed']}/outcome?partition={quote(told['file'], safe='')}"}
    return told


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
    file = run.tags.get("dagster/partition", "")
    facts = {"run": run.run_id, "job": run.job_name, "feed": run.tags.get("feed", ""), "file": file}
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
        facts = {"sensor": state.instigator_name, "feed": state.instigator_name.removesuffix("_sensor")}
        failed = _failed_ticks(context.instance, state, parts.clock().timestamp() - _LOOK_BACK_SECONDS)
        for tick in failed:
            if tick.tick_data.failure_count and tick.consecutive_failure_count in _TELL_AT:
                alert(parts, f"tick:{tick.tick_id}", _tick_text(tick), facts)
                told += 1
        last = max(failed, key=lambda tick: tick.timestamp, default=None)
        if last is not None and _works_again(context.instance, state, last):
            alert(parts, f"recovered:{last.tick_id}", _recovered_text(last), facts)
    send_waiting(parts, channels_of(Settings.read(os.environ)))
    return dg.SkipReason(f"{told} failed ticks in the last hour")


def _failed_ticks(instance: dg.DagsterInstance, state: InstigatorState, after: float) -> list[InstigatorTick]:
    return list(
        instance.get_ticks(
            state.instigator_origin_id, state.selector_id, after=after, statuses=[TickStatus.FAILURE], limit=200
        )
    )


def _works_again(instance: dg.DagsterInstance, state: InstigatorState, failed: InstigatorTick) -> bool:
    """Whether a tick after this one has come to its end well."""
    well = [TickStatus.SUCCESS, TickStatus.SKIPPED]
    return bool(
        instance.get_ticks(
            state.instigator_origin_id, state.selector_id, after=failed.timestamp, statuses=well, limit=1
        )
    )


def _recovered_text(failed: InstigatorTick) -> str:
    times = failed.consecutive_failure_count
    return f"{failed.instigator_name} works again after {times} failed tick{'' if times == 1 else 's'}"


def _tick_text(tick: InstigatorTick) -> str:
    error = tick.error.cause or tick.error if tick.error is not None else None  # Dagster's wrapper, then ours
    told = error.message.strip().splitlines() if error is not None else []
    reason = told[0].removeprefix(f"import_project.errors.{error.cls_name}: ") if error and told else "no reason given"
    times = tick.consecutive_failure_count
    return f"{tick.instigator_name} failed{f' {times} times in a row' if times > 1 else ''}: {reason}"
