"""Many small files at once: they share runs, and stay files of their own."""

import dagster as dg
from dagster._core.test_utils import create_run_for_test

from import_project.defs.runs import end_dead_runs, on_its_way
from import_project.demo import files
from import_project.records.files import ArrivalState
from import_project.records.steps import StepState
from import_project_tests.defs.conftest import Location
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import rewrite_feed

MANY = 12


def drop(location: Location, many: int = MANY) -> None:
    for number in range(many):
        content = files.orders_csv().replace(b"AB-", b"A" + bytes([65 + number]) + b"-")
        (location.installation.inbox / f"orders_{number:02}.csv").write_bytes(content)


def requests(location: Location) -> list[dg.RunRequest]:
    result = location.tick("orders")
    assert isinstance(result, dg.SensorResult)
    for added in result.dynamic_partitions_requests or []:
        assert isinstance(added, dg.AddDynamicPartitionsRequest)
        location.instance.add_dynamic_partitions(added.partitions_def_name, list(added.partition_keys))
    return list(result.run_requests or [])


def run(location: Location, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
    assert request.job_name is not None
    return location.repository.get_job(request.job_name).execute_in_process(
        instance=location.instance, run_config=request.run_config, tags=request.tags, raise_on_error=False
    )


def made(location: Location, asset: str) -> set[str]:
    return location.instance.get_materialized_partitions(dg.AssetKey(["orders", asset]))


def test_many_small_files_share_runs_and_each_keeps_its_partition_outcome_and_checks(
    location: Location, api: ApiPeer
) -> None:
    drop(location)
    asked = requests(location)
    assert [r.job_name for r in asked] == ["orders_files_job"] * 3
    assert [r.tags["files"] for r in asked] == ["4"] * 3
    assert len({r.run_key for r in asked}) == 3
    assert all(run(location, r).success for r in asked)
    keys = set(location.instance.get_dynamic_partitions("orders_files"))
    assert len(keys) == MANY
    for asset in ("file", "accepted", "quarantined", "posted_rows", "outcome"):
        assert made(location, asset) == keys
    outcomes = location.parts.ledger.outcomes.all()
    assert sorted(o.name for o in outcomes) == [f"orders_{n:02}.csv" for n in range(MANY)]
    assert {(o.state, o.counts.accepted, o.counts.quarantined) for o in outcomes} == {("done", 5, 5)}
    assert len(api.times()) == 5 * MANY
    assert max(api.times().values()) == 1
    assert isinstance(location.tick("orders"), dg.SkipReason)

    newest = location.instance.get_latest_materialization_event(dg.AssetKey(["orders", "accepted"]))
    assert newest is not None
    assert newest.asset_materialization is not None
    metadata = newest.asset_materialization.metadata
    assert (metadata["rows"].value, metadata["accepted"].value) == (10, 5)
    assert "preview" in metadata


def test_file_that_fails_disturbs_no_other_and_is_named(location: Location, api: ApiPeer) -> None:
    drop(location)
    (location.installation.inbox / "orders_05.csv").write_bytes(b"\x00\x01 no rows at all")
    asked = requests(location)
    results = [(r, run(location, r)) for r in asked]
    ((request, failed),) = [(r, result) for r, result in results if not result.success]
    (failure,) = failed.get_step_failure_events()
    reason = failure.step_failure_data.user_failure_data
    assert reason is not None
    assert (reason.description or "").startswith("1 of 4 files failed: ")
    assert "orders_05.csv" in (reason.description or "")
    states = {o.name: o.state for o in location.parts.ledger.outcomes.all()}
    assert states.pop("orders_05.csv") == "failed"
    assert len(states) == MANY - 1
    assert set(states.values()) == {"done"}
    (bad,) = set(location.instance.get_dynamic_partitions("orders_files")) - made(location, "outcome")
    planned = location.instance.event_log_storage.get_latest_planned_materialization_info(
        dg.AssetKey(["orders", "outcome"]), bad
    )
    assert planned is not None, "its partition shows as failed"
    assert planned.run_id == failed.run_id

    again = run(location, request)
    assert again.success, "run again, what has ended is left alone"
    assert max(api.times().values()) == 1


def test_what_a_retry_may_help_fails_no_run_and_gets_one_of_its_own(location: Location, api: ApiPeer) -> None:
    drop(location)
    asked = requests(location)
    api.mode = "refuse_us"
    assert all(run(location, r).success for r in asked)
    waiting = location.parts.ledger.arrivals.unfinished("orders")
    assert len(waiting) == MANY
    assert all(a.retry_at is not None for a in waiting)
    api.mode = "ok"
    location.installation.clock.advance(seconds=3600)
    result = location.tick("orders")
    assert isinstance(result, dg.SensorResult)
    assert {r.job_name for r in result.run_requests or []} == {"orders_job"}
    assert len(result.run_requests or []) == MANY


def test_files_of_a_queued_run_are_on_their_way_and_a_dead_one_is_ended(location: Location) -> None:
    drop(location)
    first, *_ = requests(location)
    config = first.run_config
    queued = create_run_for_test(
        location.instance, job_name="orders_files_job", run_config=config, status=dg.DagsterRunStatus.STARTED
    )
    partitions = config["ops"]["orders_files"]["config"]["partitions"]
    assert on_its_way(location.instance, "orders") == set(partitions)
    assert end_dead_runs(location.instance, location.parts, "orders") == 0, "it may only have begun"
    parts = location.parts
    arrival = parts.ledger.arrivals.of("orders", partitions[0])
    attempt = parts.ledger.steps.begin(arrival.id, queued.run_id, "receive", parts.clock())
    parts.ledger.steps.end(attempt, StepState.DONE, parts.clock())
    assert end_dead_runs(location.instance, parts, "orders") == 0, "between two files"
    location.installation.clock.advance(seconds=61)
    assert end_dead_runs(location.instance, parts, "orders") == 1
    assert arrival.state is ArrivalState.READY


def test_a_run_for_each_file_where_the_feed_wants_it_so_and_for_urgent_ones(location: Location) -> None:
    rewrite_feed(location.feeds / "orders.yaml", run={"urgent": [{"glob": "orders_03*", "priority": 5}]})
    drop(location)
    asked = requests(location)
    assert [r.tags.get("dagster/priority") for r in asked if r.job_name == "orders_job"] == ["5"]
    assert sum(int(r.tags.get("files", "1")) for r in asked) == MANY
    rewrite_feed(location.feeds / "orders.yaml", run={"files_per_run": 1})
    location.installation.clock.advance(seconds=3600)
    result = location.tick("orders")
    assert isinstance(result, dg.SensorResult)
    assert {r.job_name for r in result.run_requests or []} == {"orders_job"}
