"""Sensors that watch: failed ticks, stuck runs, paused APIs, silent daemons. Each is told once, and so is its end."""

from datetime import datetime, timedelta
from typing import Any

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.test_utils import create_run_for_test
from dagster._daemon.types import DaemonHeartbeat
from dagster_shared.error import SerializableErrorInfo

from import_project.config.load import load_feeds
from import_project.defs.watch import tell_failed_run, watch_sensors
from import_project.demo import files
from import_project.pipeline.parts import Parts
from import_project.pipeline.steps import run_file
from import_project.records.postings import Health
from import_project.store.ledger.apis import change_health
from import_project_tests.defs.conftest import Location
from import_project_tests.http_servers import ApiPeer, WebhookPeer
from import_project_tests.servers import SftpPeer


def test_failed_ticks_of_other_sensors_are_told_once_and_again_when_they_go_on(
    location: Location, webhook: WebhookPeer
) -> None:
    location.instance.add_instigator_state(
        InstigatorState(
            origin=_origin(location),
            instigator_type=InstigatorType.SENSOR,
            status=InstigatorStatus.RUNNING,
            instigator_data=SensorInstigatorData(),
        )
    )
    for failures in range(1, 6):
        _failed_tick(location, failures)
        for _ in range(2):
            watch_sensors(
                dg.build_sensor_context(instance=location.instance, sensor_name="watch_sensors"), parts=location.parts
            )
    assert [m["text"] for m in webhook.received] == [
        "bankgiro_sensor failed: cannot connect at sftp://acme@bank",
        "bankgiro_sensor failed 5 times in a row: cannot connect at sftp://acme@bank",
    ]
    _tick(location, TickStatus.SKIPPED, 0)
    for _ in range(2):
        watch_sensors(
            dg.build_sensor_context(instance=location.instance, sensor_name="watch_sensors"), parts=location.parts
        )
    assert [m["text"] for m in webhook.received[2:]] == ["bankgiro_sensor works again after 5 failed ticks"]


def watch(location: Location) -> None:
    context = dg.build_sensor_context(instance=location.instance, sensor_name="watch_sensors")
    watch_sensors(context, parts=location.parts)


def test_run_that_hangs_is_told_once(location: Location, webhook: WebhookPeer) -> None:
    run = create_run_for_test(location.instance, job_name="orders_job", status=dg.DagsterRunStatus.STARTED)
    watch(location)
    assert webhook.received == []
    location.installation.clock.advance(minutes=121)
    for _ in range(2):
        watch(location)
    (told,) = [m for m in webhook.received if m["facts"].get("run") == run.run_id]
    assert told["text"] == "orders_job is started for more than 120 minutes: no file"


def test_api_that_is_paused_is_told_once_and_so_is_its_end(
    location: Location, api: ApiPeer, webhook: WebhookPeer
) -> None:
    (location.installation.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    request = location.request("orders")
    api.mode = "refuse_us"
    assert not location.run("orders", request).success
    location.installation.clock.ahead = timedelta()
    for _ in range(2):
        watch(location)
    api.mode = "ok"
    location.installation.clock.advance(hours=2)
    feed = next(f for f in load_feeds(location.feeds, location.installation.environ)[0] if f.name == "orders")
    run_file(location.parts, feed, request.partition_key or "", owner="run-2")
    for _ in range(2):
        watch(location)
    texts = [m["text"] for m in webhook.received if m["text"].startswith("API ")]
    assert texts[0].startswith("API erp is paused, it refuses our token")
    assert texts[1:] == ["API erp takes postings again"]


def test_apis_whose_names_begin_alike_are_told_apart(location: Location, webhook: WebhookPeer) -> None:
    parts = location.parts
    closed = parts.clock() + timedelta(hours=1)
    for name in ("erp", "erp:orders"):
        _set_health(parts, Health(api=name, strikes=5, closed_until=closed, reason="it answered 500"))
    watch(location)
    _set_health(parts, Health(api="erp"))
    watch(location)
    texts = [m["text"].split(",")[0] for m in webhook.received]
    assert texts == ["API erp is paused", "API erp:orders is paused", "API erp takes postings again"]


def _set_health(parts: Parts, health: Health) -> None:
    database = parts.ledger.database
    with database.write() as connection:
        change_health(database, connection, health.api, lambda _before: health)


def test_a_queue_that_stands_is_told_as_one(location: Location, webhook: WebhookPeer) -> None:
    origin = _origin(location).repository_origin.get_job_origin("orders_job")
    queued = dg.DagsterRunStatus.QUEUED
    runs = [
        create_run_for_test(location.instance, job_name="orders_job", status=queued, remote_job_origin=origin)
        for _ in range(8)
    ]
    location.installation.clock.advance(minutes=121)
    for _ in range(2):
        watch(location)
    for run in runs:
        location.instance.report_run_canceled(run)
    for _ in range(2):
        watch(location)
    assert [m["text"] for m in webhook.received] == [
        "8 runs and more are queued for more than 120 minutes: is a pool or a limit full?",
        "no run is queued for that long any more",
    ]


def test_outage_that_ends_after_more_than_an_hour_is_told_too(location: Location, webhook: WebhookPeer) -> None:
    location.instance.add_instigator_state(
        InstigatorState(
            origin=_origin(location),
            instigator_type=InstigatorType.SENSOR,
            status=InstigatorStatus.RUNNING,
            instigator_data=SensorInstigatorData(),
        )
    )
    _failed_tick(location, 1)
    watch(location)
    location.installation.clock.advance(hours=3)
    watch(location)
    _tick(location, TickStatus.SKIPPED, 0)
    watch(location)
    assert [m["text"] for m in webhook.received] == [
        "bankgiro_sensor failed: cannot connect at sftp://acme@bank",
        "bankgiro_sensor works again",
    ]


def test_daemon_that_is_silent_is_told_once_and_so_is_its_end(location: Location, webhook: WebhookPeer) -> None:
    def beats(at: datetime) -> None:
        location.instance.add_daemon_heartbeat(DaemonHeartbeat(at.timestamp(), "QUEUED_RUN_COORDINATOR", "an id", None))

    beats(location.parts.clock())
    watch(location)
    location.installation.clock.advance(minutes=6)
    for _ in range(2):
        watch(location)
    beats(location.parts.clock())
    for _ in range(2):
        watch(location)
    assert [m["text"] for m in webhook.received if "daemon" in m["text"]] == [
        "Dagster's QUEUED_RUN_COORDINATOR daemon has been silent for more than 5 minutes: restart dagster-daemon",
        "Dagster's QUEUED_RUN_COORDINATOR daemon works again",
    ]


def test_failed_dry_run_is_told_to_nobody(location: Location, sftp: SftpPeer, webhook: WebhookPeer) -> None:
    (sftp.root / "out" / files.BGMAX_NAME).write_bytes(files.bgmax().replace(b"7000000009", b"7000000008"))
    request = location.request("bankgiro")
    result = location.repository.get_job("bankgiro_job").execute_in_process(
        instance=location.instance,
        partition_key=request.partition_key,
        run_config={"resources": {"parts": {"config": {"dry_run": True}}}},
        raise_on_error=False,
    )
    assert not result.success
    assert "C6" in tell_failed_run(location.instance, location.parts, result.run_id)
    assert webhook.received == []


def test_alert_that_could_not_be_sent_is_sent_later(location: Location, webhook: WebhookPeer, sftp: SftpPeer) -> None:
    webhook.status = 500
    (location.installation.inbox / "orders_\x1b.csv").write_bytes(b"x")
    location.tick("orders")
    webhook.status = 200
    received = len(webhook.received)
    watch = dg.build_sensor_context(instance=location.instance, sensor_name="watch_sensors")
    for _ in range(2):
        watch_sensors(watch, parts=location.parts)
    (told,) = webhook.received[received:]
    assert "not safe to use" in told["text"]


def _origin(location: Location) -> Any:
    from dagster._core.remote_origin import (
        InProcessCodeLocationOrigin,
        RemoteInstigatorOrigin,
        RemoteRepositoryOrigin,
    )
    from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

    place = InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="import_project.definitions"))
    return RemoteInstigatorOrigin(RemoteRepositoryOrigin(place, "__repository__"), "bankgiro_sensor")


def _failed_tick(location: Location, failures: int) -> None:
    _tick(location, TickStatus.FAILURE, failures)


def _tick(location: Location, status: TickStatus, failures: int) -> None:
    deepest = SerializableErrorInfo("OSError: [Errno 111] Connect call failed\n", [], "OSError")
    cause = SerializableErrorInfo(
        "import_project.errors.SourceUnreachable: cannot connect at sftp://acme@bank\n",
        [],
        "SourceUnreachable",
        cause=deepest,
    )
    (state,) = location.instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
    location.instance.create_tick(
        TickData(
            instigator_origin_id=state.instigator_origin_id,
            selector_id=state.selector_id,
            instigator_name="bankgiro_sensor",
            instigator_type=InstigatorType.SENSOR,
            status=status,
            timestamp=location.parts.clock().timestamp(),
            failure_count=failures,
            consecutive_failure_count=failures,
            error=None
            if status is not TickStatus.FAILURE
            else SerializableErrorInfo("Error in sensor\n", [], "SensorExecutionError", cause=cause),
        )
    )
