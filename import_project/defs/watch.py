"""Sensors that watch: failed runs, other sensors' failed ticks, runs that are stuck, APIs that are paused, daemons that
stopped. Each trouble is told once, and so is its end."""

import os
from datetime import timedelta

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorTick, TickStatus

from import_project.config.settings import Settings
from import_project.defs.alerts import alert, recovered
from import_project.defs.runs import feed_of, is_dry
from import_project.pipeline.alerts import send_waiting
from import_project.pipeline.alive import beat
from import_project.pipeline.parts import Parts
from import_project.pipeline.wiring import channels_of

#: Consecutive failures of one sensor at which a person is told.
_TELL_AT = frozenset({1, 5, 25, 125})
_LOOK_BACK_SECONDS = 3600
_DAEMON_SILENCE = timedelta(minutes=5)
_UNENDED = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


@dg.run_failure_sensor(
    name="alert_failed_runs",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=10,
    description="Tells people of each failed run, once",
)
def alert_failed_runs(context: dg.RunFailureSensorContext, parts: dg.ResourceParam[Parts]) -> None:
    """Name the feed, the file, and the reason in one line."""
    tell_failed_run(context.instance, parts, context.dagster_run.run_id, context.failure_event.message)


def tell_failed_run(instance: dg.DagsterInstance, parts: Parts, run_id: str, message: str | None = None) -> str:
    """Tell people of a failed run, once. Returns the reason."""
    run = instance.get_run_by_id(run_id)
    assert run is not None
    failures = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    steps = [e.dagster_event.step_failure_data for e in failures if e.dagster_event is not None]
    told = [s.user_failure_data.description for s in steps if s.user_failure_data and s.user_failure_data.description]
    told += [s.error.message.strip() for s in steps if s.error is not None]
    reason = told[0] if told else message or "no reason given"
    tags = run.tags
    facts = {
        "run": run_id,
        "job": run.job_name,
        "feed": feed_of(run),
        "file": tags.get("dagster/partition", ""),
    }
    if not is_dry(run):
        alert(parts, f"run:{run_id}", f"{run.job_name} failed: {reason}", facts)
    return reason


@dg.sensor(
    name="watch_sensors",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=15,
    description="Tells people of failed ticks, stuck runs, paused APIs and silent daemons; sends alerts that wait",
)
def watch_sensors(context: dg.SensorEvaluationContext, parts: dg.ResourceParam[Parts]) -> dg.SkipReason:
    """Look at every failed tick of the last hour, and at what should not last; the ledger knows what was told."""
    told, settings = 0, Settings.read(os.environ)
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
    _tell_stuck_runs(context.instance, parts, timedelta(minutes=settings.stuck_minutes))
    _tell_paused_apis(parts)
    _tell_silent_daemons(context.instance, parts)
    beat(parts)
    send_waiting(parts, channels_of(settings))
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


def _tell_stuck_runs(instance: dg.DagsterInstance, parts: Parts, longest: timedelta) -> None:
    """Tell of runs that have not ended after so long, in whatever state they hang."""
    old = dg.RunsFilter(statuses=list(_UNENDED), created_before=parts.clock() - longest)
    for run in instance.get_runs(old, limit=100):
        hangs = run.status.value.lower().replace("_", " ")
        minutes = longest.total_seconds() / 60
        text = f"{run.job_name} is {hangs} for more than {minutes:.0f} minutes"
        file = run.tags.get("dagster/partition", "")
        facts = {"run": run.run_id, "job": run.job_name, "feed": feed_of(run), "file": file}
        alert(parts, f"stuck:{run.run_id}", f"{text}: {file or 'no file'}", facts)


def _tell_paused_apis(parts: Parts) -> None:
    """Tell of APIs that nothing is sent to now, once an outage, and when they take postings again."""
    for health in parts.ledger.apis.all():
        facts = {"api": health.api}
        if health.closed_until is not None and health.closed_until > parts.clock():
            why = "it refuses our token" if health.refused else "it is left in peace"
            text = f"API {health.api} is paused, {why}: {health.reason or 'no reason given'}"
            alert(parts, f"paused:{health.api}:{health.took_at}", text, facts)
        elif health.strikes == 0 and (key := parts.ledger.alerts.last(f"paused:{health.api}:")):
            recovered(parts, key, f"API {health.api} takes postings again", facts)


def _tell_silent_daemons(instance: dg.DagsterInstance, parts: Parts) -> None:
    """Tell of daemons that this instance needs beside the one this runs in, and that have gone silent."""
    beats = instance.get_daemon_heartbeats()
    for name in sorted(instance.get_required_daemon_types()):
        last = beats.get(name)
        if last is None:
            continue  # it never ran here: the UI says so
        facts = {"daemon": name}
        if parts.clock().timestamp() - last.timestamp > _DAEMON_SILENCE.total_seconds():
            minutes = _DAEMON_SILENCE.total_seconds() / 60
            text = f"Dagster's {name} daemon has been silent for more than {minutes:.0f} minutes"
            alert(parts, f"daemon:{name}:{last.timestamp:.0f}", f"{text}: restart dagster-daemon", facts)
        elif key := parts.ledger.alerts.last(f"daemon:{name}:"):
            recovered(parts, key, f"Dagster's {name} daemon works again", facts)
