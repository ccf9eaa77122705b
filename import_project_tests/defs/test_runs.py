"""Files run by Dagster: a real instance, real sensors, real jobs; and what people are told when something fails."""

import os
from dataclasses import replace
from datetime import timedelta

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.test_utils import create_run_for_test

from import_project.config.load import load_feeds
from import_project.config.settings import Settings
from import_project.definitions import build_definitions
from import_project.defs.retention import retire
from import_project.defs.runs import end_dead_runs
from import_project.defs.watch import alert_failed_runs
from import_project.demo import files
from import_project.pipeline.reports import report
from import_project.records.postings import Health
from import_project.store.ledger.apis import change_health
from import_project_tests.defs.conftest import Location
from import_project_tests.http_servers import ApiPeer, WebhookPeer
from import_project_tests.installation import rewrite_feed
from import_project_tests.servers import SftpPeer


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, object]]:
    return {
        event.asset_key.path[-1]: {k: v.value for k, v in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }


def records(check: dg.AssetCheckEvaluation) -> list[dict[str, object]]:
    table = check.metadata["table"]
    assert isinstance(table, dg.TableMetadataValue)
    return [dict(record.data) for record in table.records]


def fail_bank_file(location: Location, sftp: SftpPeer) -> dg.ExecuteInProcessResult:
    wrong = files.bgmax().replace(b"7000000009", b"7000000008")
    (sftp.root / "out" / files.BGMAX_NAME).write_bytes(wrong)
    return location.run("bankgiro", location.request("bankgiro"))


def test_bank_file_is_run_once_with_its_partition_and_counts(location: Location, sftp: SftpPeer, api: ApiPeer) -> None:
    api.invoices = files.invoices()
    (sftp.root / "out" / files.BGMAX_NAME).write_bytes(files.bgmax())
    request = location.request("bankgiro")
    result = location.run("bankgiro", request)
    assert result.success
    assert location.instance.get_dynamic_partitions("bankgiro_files") == [request.partition_key]
    told = metadata(result)
    assert told["accepted"]["accepted"] == 8
    numbers = {k: told["quarantined"][k] for k in ("rows", "quarantined", "broken C3", "quarantine rate, %")}
    assert numbers == {"rows": 10, "quarantined": 2, "broken C3": 2, "quarantine rate, %": 20.0}
    assert (told["matches"]["matched"], told["matches"]["unmatched"]) == (5, 3)
    assert (told["matched_payments"]["sent"], told["unmatched_payments"]["sent"]) == (7, 3)
    assert told["outcome"]["sum SEK"] == 8085.0
    assert told["open_invoices"]["invoices"] == 9
    assert told["open_invoices"]["open SEK"] == 7740.0
    checks = {(c.asset_key.path[-1], c.check_name): c for c in result.get_asset_check_evaluations()}
    assert {name: c.passed for name, c in checks.items()} == {
        ("accepted", "rows_conserved"): True,
        ("accepted", "control_totals"): False,  # one section does not add up, and is quarantined
        ("accepted", "balance_continuity"): True,
        ("quarantined", "quarantine_rate"): True,
        ("open_invoices", "fresh"): True,
        ("open_invoices", "overdue"): True,
        ("matches", "conserved"): True,
        ("matches", "duplicates"): True,
    }
    (money,) = records(checks["matches", "conserved"])
    assert money["file"] == "8085.00"
    assert [money[k] for k in ("matched", "unmatched", "quarantined")] == ["5950.00", "1135.00", "1000.00"]
    (wrong,) = records(checks["accepted", "control_totals"])
    assert (wrong["currency"], wrong["difference"]) == ("SEK", "100.00")
    assert isinstance(location.tick("bankgiro"), dg.SkipReason)
    words = repr([e.dagster_event for e in location.instance.all_logs(result.run_id)])
    for customer in ("Olles", "Kalles", "97012333", "524967", "5500004321"):
        assert customer not in words, "no customer's data belongs into Dagster's event log"


def test_list_that_is_too_old_blocks_the_file_before_anything_is_posted(
    location: Location, sftp: SftpPeer, api: ApiPeer
) -> None:
    listed = location.installation.home / "open.csv"
    listed.write_text("invoice_id,reference,currency,open_amount\nINV-1001,524967,SEK,1900.00\n")
    os.utime(listed, (1, 1))
    rewrite_feed(location.feeds / "bankgiro.yaml", match={"invoices": {"file": str(listed)}})
    feeds, broken = load_feeds(location.feeds, location.installation.environ)
    location = replace(location, repository=build_definitions(feeds, broken).get_repository_def())
    (sftp.root / "out" / files.BGMAX_NAME).write_bytes(files.bgmax())
    result = location.run("bankgiro", location.request("bankgiro"))
    (check,) = [
        c for c in result.get_asset_check_evaluations() if c.asset_key.path[-1] == "open_invoices" and not c.passed
    ]
    assert (result.success, check.check_name, check.blocking) == (False, "fresh", True)
    assert "minutes old, at most 60 are allowed" in str(check.description)
    (text,) = [one.text for one, _, _ in location.parts.ledger.alerts.newest(10) if "blocked" in one.text]
    assert "minutes old" in text
    assert api.effects == []


def test_materialising_assets_again_by_hand_posts_nothing(location: Location, api: ApiPeer) -> None:
    (location.installation.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    request = location.request("orders")
    assert location.run("orders", request).success
    calls = len(api.calls)
    again = location.repository.get_job("orders_job").execute_in_process(
        instance=location.instance,
        partition_key=request.partition_key,
        asset_selection=[dg.AssetKey(["orders", "posted_rows"]), dg.AssetKey(["orders", "outcome"])],
    )
    assert again.success
    assert len(api.calls) == calls


def test_assets_by_hand_one_run_after_the_other_need_no_wait(location: Location, api: ApiPeer) -> None:
    (location.installation.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    request = location.request("orders")
    assert location.run("orders", request).success

    def by_hand(asset: str) -> dg.ExecuteInProcessResult:
        return location.repository.get_job("orders_job").execute_in_process(
            instance=location.instance,
            partition_key=request.partition_key,
            asset_selection=[dg.AssetKey(["orders", asset])],
            raise_on_error=False,
        )

    first, second = by_hand("posted_rows"), by_hand("outcome")
    assert first.success
    assert second.success
    tags = location.instance.get_run_by_id(second.run_id).tags  # type: ignore[union-attr]
    assert (tags["feed"], tags["file"]) == ("orders", files.ORDERS_NAME)
    other = create_run_for_test(location.instance, job_name="orders_job", status=dg.DagsterRunStatus.STARTED)
    parts, key = location.parts, request.partition_key or ""
    parts.ledger.arrivals.claim("orders", key, owner=other.run_id, now=parts.clock(), lease=parts.lease)
    third = by_hand("outcome")
    assert not third.success
    assert f"run {other.run_id} holds this file" in report(parts, third.run_id).errors[0]


def test_run_again_from_failure_runs_only_what_is_left_and_posts_each_row_once(
    location: Location, api: ApiPeer
) -> None:
    (location.installation.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    request = location.request("orders")
    place = ReconstructableRepository.for_module("import_project.definitions", "definitions")
    job = place.get_reconstructable_job("orders_job")
    tags = {**request.tags, "dagster/partition": request.partition_key or ""}
    api.mode = "refuse_us"
    with dg.execute_job(job, location.instance, tags=tags) as failed:
        assert not failed.success
    api.mode = "ok"
    database = location.parts.ledger.database
    with database.write() as connection:  # as if it had been left in peace for long enough
        change_health(database, connection, "erp", lambda _before: Health(api="erp"))
    options = dg.ReexecutionOptions.from_failure(failed.run_id, location.instance)
    with dg.execute_job(job, location.instance, tags=tags, reexecution_options=options) as again:
        assert again.success
        ran = {e.step_key for e in again.all_events if e.event_type_value == "STEP_SUCCESS"}
    assert ran == {"orders__posted_rows", "orders__outcome"}
    assert len(api.effects) == 5


def test_duplicate_ends_after_its_first_asset(location: Location, api: ApiPeer) -> None:
    (location.installation.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    assert location.run("orders", location.request("orders")).success
    (location.installation.inbox / "orders_copy.csv").write_bytes(files.orders_csv())
    result = location.run("orders", location.request("orders"))
    assert result.success
    assert metadata(result) == {}
    assert len(api.effects) == 5


def test_refused_file_fails_its_run_with_the_reason_and_is_told_once(
    location: Location, sftp: SftpPeer, api: ApiPeer, webhook: WebhookPeer
) -> None:
    result = fail_bank_file(location, sftp)
    assert not result.success
    (failure,) = [e for e in result.all_events if e.event_type_value == "STEP_FAILURE"]
    reason = failure.step_failure_data.user_failure_data
    assert reason is not None
    assert reason.description is not None
    assert "C6: the end record declares 8 payments" in reason.description
    assert [e for e in result.all_events if e.event_type_value == "STEP_UP_FOR_RETRY"] == []
    assert (sftp.root / "out/.failed" / files.BGMAX_NAME).exists()
    context = dg.build_run_status_sensor_context(
        sensor_name="alert_failed_runs",
        dagster_instance=location.instance,
        dagster_run=result.dagster_run,
        dagster_event=next(e for e in result.all_events if e.event_type_value == "PIPELINE_FAILURE"),
    ).for_run_failure()
    for _ in range(2):
        alert_failed_runs(context, parts=location.parts)
    (told,) = webhook.received
    assert told["text"].startswith("bankgiro_job failed: feed bankgiro, BGMAX_20261120_001.txt: C6")
    assert told["facts"]["run"] == result.run_id


def test_old_runs_leave_dagster_and_the_file_stays_known(
    location: Location, api: ApiPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPORT_PROJECT_KEEP_RUN_DAYS", "10")
    (location.installation.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    assert location.run("orders", location.request("orders")).success
    missed = create_run_for_test(
        location.instance, job_name="orders_deadline_job", status=dg.DagsterRunStatus.FAILURE, tags={"feed": "orders"}
    )
    settings = Settings.read(os.environ)
    assert retire(location.instance, location.parts, settings)["runs"] == 0
    location.installation.clock.advance(days=11)
    assert retire(location.instance, location.parts, settings)["runs"] == 1
    assert [r.run_id for r in location.instance.get_runs()] == [missed.run_id]
    assert isinstance(location.tick("orders"), dg.SkipReason)


def test_run_that_was_recorded_and_never_begun_is_ended_in_dagster(location: Location, api: ApiPeer) -> None:
    """As a process leaves it that is killed between the two: the file would be on its way for ever."""
    (location.installation.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    key = location.request("orders").partition_key or ""
    run = create_run_for_test(
        location.instance, job_name="orders_job", tags={"feed": "orders", "dagster/partition": key}
    )
    assert run.status is dg.DagsterRunStatus.NOT_STARTED
    location.installation.clock.advance(minutes=4)
    assert isinstance(location.tick("orders"), dg.SkipReason), "it may still be begun"
    location.installation.clock.advance(minutes=2)
    assert location.run("orders", location.request("orders")).success
    ended = location.instance.get_run_by_id(run.run_id)
    assert ended is not None
    assert ended.status is dg.DagsterRunStatus.FAILURE


def test_run_of_a_killed_process_is_ended_in_dagster(location: Location, api: ApiPeer) -> None:
    (location.installation.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    request = location.request("orders")
    key = request.partition_key or ""
    tags = {"feed": "orders", "dagster/partition": key}
    run = create_run_for_test(location.instance, job_name="orders_job", status=dg.DagsterRunStatus.STARTED, tags=tags)
    parts = location.parts
    lapsed = parts.clock() - timedelta(minutes=2)
    parts.ledger.arrivals.claim("orders", key, owner=run.run_id, now=parts.clock(), lease=parts.lease)
    assert end_dead_runs(location.instance, parts, "orders") == 0
    parts.ledger.arrivals.claim("orders", key, owner=run.run_id, now=lapsed, lease=parts.lease)
    location.installation.clock.advance(seconds=61)
    (again,) = _requests(location.tick("orders"))
    assert location.instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE  # type: ignore[union-attr]
    assert again.run_key != request.run_key
    assert location.run("orders", again).success
    assert len(api.effects) == 5


def test_run_by_hand_of_a_killed_process_is_ended_and_a_dry_one_is_left(location: Location) -> None:
    (location.installation.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    key = location.request("orders").partition_key or ""
    made: dict[bool, dg.DagsterRun] = {}
    for dry in (False, True):
        made[dry] = create_run_for_test(
            location.instance,
            job_name="__ASSET_JOB",
            status=dg.DagsterRunStatus.STARTED,
            tags={"dagster/partition": key},
            asset_selection={dg.AssetKey(["orders", "accepted"])},
            run_config={"resources": {"parts": {"config": {"dry_run": dry}}}},
        )
    parts = location.parts
    lapsed = parts.clock() - timedelta(minutes=2)
    parts.ledger.arrivals.claim("orders", key, owner=made[False].run_id, now=lapsed, lease=parts.lease)
    location.installation.clock.advance(seconds=61)
    assert end_dead_runs(location.instance, parts, "orders") == 1
    states = {dry: location.instance.get_run_by_id(run.run_id).status for dry, run in made.items()}  # type: ignore[union-attr]
    assert states == {False: dg.DagsterRunStatus.FAILURE, True: dg.DagsterRunStatus.STARTED}


def test_run_that_is_on_its_way_is_not_asked_for_twice(location: Location) -> None:
    (location.installation.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    request = location.request("orders")
    tags = {"feed": "orders", "dagster/partition": request.partition_key or ""}
    run = create_run_for_test(location.instance, job_name="orders_job", status=dg.DagsterRunStatus.STARTING, tags=tags)
    location.installation.clock.advance(minutes=10)
    assert isinstance(location.tick("orders"), dg.SkipReason)
    location.instance.report_run_failed(run)
    assert len(_requests(location.tick("orders"))) == 1


def _requests(result: dg.SensorResult | dg.SkipReason) -> list[dg.RunRequest]:
    assert isinstance(result, dg.SensorResult)
    return list(result.run_requests or [])
