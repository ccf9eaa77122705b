"""Sensors that watch: failed runs, other sensors' failed ticks, runs that are stuck, APIs that are paused, daemons that
stopped. Each trouble is told once, and so is its end."""

import os
from datetime import timedelta
from urllib.parse import quote

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorTick, TickStatus

from import_project.config.settings import Settings
from import_project.defs.alerts import alert, recovered
from import_project.defs.runs import feed_of, is_dry, name_of
from import_project.errors import FileVanished
from import_project.pipeline.alerts import send_waiting
from import_project.pipeline.alive import beat
from import_project.pipeline.older_ledger import tell_older_ledger
from import_project.pipeline.parts import Parts
from import_project.pipeline.wiring import channels_of
from import_project.records.files import ArrivalState

#: Consecutive failures of one sensor at which a person is told.
_TELL_AT = frozenset({1, 5, 25, 125})
_LOOK_BACK_SECONDS = 3600
#: More queued runs than this are told of as one.
_A_QUEUE = 5
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
    if not is_dry(run) and not _taken_back(parts, facts["feed"], facts["file"]):
        alert(parts, f"run:{run_id}", f"{name_of(run)} failed: {reason}", facts)
    return reason


def _taken_back(parts: Parts, feed: str, partition: str) -> bool:
    """Whether the run failed because who handed the file in took it back: that is nobody's trouble."""
    try:
        return parts.ledger.arrivals.of(feed, partition).state is ArrivalState.CANCELLED
    except FileVanished:
        return False


@dg.sensor(
    name="watch_sensors",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=15,
    description="Tells people of failed ticks, stuck runs, paused APIs and silent daemons; sends alerts that wait",
)
def watch_sensors(context: dg.SensorEvaluationContext, parts: dg.ResourceParam[Parts]) -> dg.SkipReason:
    """Look at every failed tick of the last hour, and at what should not last; the ledger knows what was told."""
    told, settings, stopped = 0, Settings.read(os.environ), list[bool]()
    for state in context.instance.all_instigator_state(instigator_type=InstigatorType.SENSOR):
        if state.instigator_name.endswith("_sensor"):
            stopped.append(state.status is InstigatorStatus.STOPPED)
        if state.instigator_name != context.sensor_name and state.status is not InstigatorStatus.STOPPED:
            told += _tell_ticks(context.instance, parts, state)
    _tell_stuck_runs(context.instance, parts, timedelta(minutes=settings.stuck_minutes))
    tell_paused_apis(parts)
    tell_older_ledger(parts)
    _tell_silent_daemons(context.instance, parts)
    if not stopped or not all(stopped):  # where people have stopped all of them, no feed is evaluated
        beat(parts)
    send_waiting(parts, channels_of(settings))
    return dg.SkipReason(f"{told} failed ticks in the last hour")


def _tell_ticks(instance: dg.DagsterInstance, parts: Parts, state: InstigatorState) -> int:
    """Tell of a sensor's failed ticks, and of the end of an outage that was told, however long ago. Returns how many
    there were in the last hour."""
    outage = f"tick:{state.selector_id[:12]}:{state.instigator_name}:"
    facts = {"sensor": state.instigator_name, "feed": state.instigator_name.removesuffix("_sensor")}
    failed = _failed_ticks(instance, state, parts.clock().timestamp() - _LOOK_BACK_SECONDS)
    for tick in sorted(failed, key=lambda one: one.timestamp):
        if tick.tick_data.failure_count and tick.consecutive_failure_count in _TELL_AT:
            alert(parts, f"{outage}{tick.timestamp:.3f}", _tick_text(tick), facts)
    if key := parts.ledger.alerts.last(outage):
        last = max(failed, key=lambda one: one.timestamp, default=None)
        after = float(key.removeprefix(outage)) if last is None else last.timestamp
        if _works_again(instance, state, after):
            times = 1 if last is None else last.consecutive_failure_count
            more = "" if last is None else f" after {times} failed tick{'' if times == 1 else 's'}"
            recovered(parts, key, f"{state.instigator_name} works again{more}", facts)
    return len(failed)


def _failed_ticks(instance: dg.DagsterInstance, state: InstigatorState, after: float) -> list[InstigatorTick]:
    return list(
        instance.get_ticks(
            state.instigator_origin_id, state.selector_id, after=after, statuses=[TickStatus.FAILURE], limit=200
        )
    )


def _works_again(instance: dg.DagsterInstance, state: InstigatorState, after: float) -> bool:
    """Whether a tick after that has come to its end well."""
    well = [TickStatus.SUCCESS, TickStatus.SKIPPED]
    return bool(instance.get_ticks(state.instigator_origin_id, state.selector_id, after=after, statuses=well, limit=1))


def _tick_text(tick: InstigatorTick) -> str:
    error = tick.error.cause or tick.error if tick.error is not None else None  # Dagster's wrapper, then ours
    told = error.message.strip().splitlines() if error is not None else []
    reason = told[0].removeprefix(f"import_project.errors.{error.cls_name}: ") if error and told else "no reason given"
    times = tick.consecutive_failure_count
    return f"{tick.instigator_name} failed{f' {times} times in a row' if times > 1 else ''}: {reason}"


def _tell_stuck_runs(instance: dg.DagsterInstance, parts: Parts, longest: timedelta) -> None:
    """Tell of runs that have not ended after so long, in whatever state they hang; of a queue that stands, as one."""
    minutes = f"for more than {longest.total_seconds() / 60:.0f} minutes"
    old = dg.RunsFilter(statuses=list(_UNENDED), created_before=parts.clock() - longest)
    found = list(instance.get_runs(old, limit=100, ascending=True))
    queued = [run for run in found if run.status is dg.DagsterRunStatus.QUEUED]
    standing = len(queued) > _A_QUEUE
    key = parts.ledger.alerts.last("stuck:queue:")
    open_key = key if key is not None and not parts.ledger.alerts.known(f"recovered:{key}") else None
    if standing and open_key is None:
        text = f"{len(queued)} runs and more are queued {minutes}: is a pool or a limit full?"
        alert(parts, f"stuck:queue:{parts.clock().timestamp():.0f}", text, {"run": queued[0].run_id})
    elif not queued and open_key is not None:
        recovered(parts, open_key, "no run is queued for that long any more", {})
    for run in found:
        if run in queued and (standing or open_key is not None):
            continue
        hangs = run.status.value.lower().replace("_", " ")
        file = run.tags.get("dagster/partition", "")
        facts = {"run": run.run_id, "job": run.job_name, "feed": feed_of(run), "file": file}
        alert(parts, f"stuck:{run.run_id}", f"{name_of(run)} is {hangs} {minutes}: {file or 'no file'}", facts)


def tell_paused_apis(parts: Parts) -> None:
    """Tell of APIs that nothing is sent to now, once an outage, and when they take postings again."""
    for health in parts.ledger.apis.all():
        facts, outage = {"api": health.api}, f"paused:{quote(health.api, safe='')}:"
        if health.closed_until is not None and health.closed_until > parts.clock():
            why = "it refuses our token" if health.refused else "it is left in peace"
            text = f"API {health.api} is paused, {why}: {health.reason or 'no reason given'}"
            alert(parts, f"{outage}{health.took_at}", text, facts)
        elif health.strikes == 0 and (key := parts.ledger.alerts.last(outage)):
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
