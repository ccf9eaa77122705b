"""What an asset tells of itself and of each file, and what a dry run leaves as it was."""

import os
from typing import Any

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from import_project.config.load import load_feeds
from import_project.definitions import build_definitions
from import_project.defs.assets import feed_assets
from import_project.demo import files
from import_project.pipeline.reports import report
from import_project_tests.defs.conftest import Location
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import rewrite_feed
from import_project_tests.servers import SftpPeer

DRY = {"resources": {"parts": {"config": {"dry_run": True}}}}


def specs(location: Location, feed: str) -> dict[str, dg.AssetSpec]:
    feeds, broken = load_feeds(location.feeds, location.installation.environ)
    assert not broken
    loaded = next(f for f in feeds if f.name == feed)
    return {s.key.path[-1]: s for asset in feed_assets(loaded) for s in asset.specs}


def dry_run(location: Location, feed: str, partition: str, *assets: str) -> dg.ExecuteInProcessResult:
    wanted = [dg.AssetKey([feed, name]) for name in assets] or None
    return location.repository.get_job(f"{feed}_job").execute_in_process(
        instance=location.instance,
        partition_key=partition,
        run_config=DRY,
        asset_selection=wanted,
        raise_on_error=False,
    )


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    return {
        event.asset_key.path[-1]: dict(event.materialization.metadata)
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }


def test_assets_carry_owners_tags_columns_and_descriptions(location: Location) -> None:
    rewrite_feed(location.feeds / "orders.yaml", owners=["team:sales", "anna@bank.example"], tags={"domain": "orders"})
    found = specs(location, "orders")
    assert all(s.owners == ["team:sales", "anna@bank.example"] and s.description for s in found.values())
    assert all(s.tags["domain"] == "orders" and s.group_name == "orders" for s in found.values())
    schema = found["accepted"].metadata["dagster/column_schema"]
    columns = {c.name: c for c in schema.columns}
    assert columns["row_number"].type == "Int64"
    order = columns["order_id"]
    assert order.constraints is not None
    assert not order.constraints.nullable


def test_columns_of_matched_payments_lead_back_to_payments_and_invoices(
    location: Location, sftp: SftpPeer, api: ApiPeer
) -> None:
    api.invoices = files.invoices()
    (sftp.root / "out" / files.BGMAX_NAME).write_bytes(files.bgmax())
    told = metadata(location.run("bankgiro", location.request("bankgiro")))
    lineage = told["matched_payments"]["dagster/column_lineage"].value
    found = {c: {(d.asset_key.path[-1], d.column_name) for d in deps} for c, deps in lineage.deps_by_column.items()}
    assert found["invoice_id"] == {("open_invoices", "invoice_id")}
    assert found["payment_amount"] == {("accepted", "amount")}
    assert found["payment_id"] == {("matches", "subject")}
    shown = told["accepted"]["preview"].records[0].data
    assert shown["amount"] == "1900.00"
    assert shown["payer_name"].endswith("•••")


def test_dry_run_of_a_file_before_any_run_tells_all_and_changes_nothing(
    location: Location, sftp: SftpPeer, api: ApiPeer
) -> None:
    api.invoices = files.invoices()
    inbox = sftp.root / "out"
    (inbox / files.BGMAX_NAME).write_bytes(files.bgmax())
    request = location.request("bankgiro")
    before = location.parts.ledger.arrivals.of("bankgiro", request.partition_key or "")
    result = dry_run(location, "bankgiro", request.partition_key or "")
    assert result.success
    told = metadata(result)
    assert (told["matches"]["matched"].value, told["matches"]["unmatched"].value) == (5, 3)
    assert told["matched_payments"]["would post"].value == 7
    assert told["outcome"]["sum SEK"].value == 8085.0
    assert all(one["dry run"].value is True for one in told.values())
    assert api.effects == []
    assert (inbox / files.BGMAX_NAME).exists()
    assert location.parts.ledger.arrivals.of("bankgiro", request.partition_key or "") == before
    assert location.parts.ledger.outcomes.all() == []
    assert not (location.parts.tables.root / "bankgiro").exists()
    real = location.run("bankgiro", request)
    assert real.success
    assert len(api.effects) == 10


def test_dry_run_of_one_asset_of_a_done_file_posts_nothing_again(location: Location, api: ApiPeer) -> None:
    (location.installation.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    request = location.request("orders")
    assert location.run("orders", request).success
    calls = len(api.calls)
    told = metadata(dry_run(location, "orders", request.partition_key or "", "posted_rows"))
    assert told["posted_rows"]["would post"].value == 0
    assert told["posted_rows"]["row"].value == 5
    assert len(api.calls) == calls


def test_dry_run_of_what_came_before_ends_where_a_run_would(location: Location, api: ApiPeer) -> None:
    inbox, ledger = location.installation.inbox, location.parts.ledger
    (inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    assert location.run("orders", location.request("orders")).success
    (inbox / "orders_copy.csv").write_bytes(files.orders_csv())
    copy = location.request("orders").partition_key or ""
    result = dry_run(location, "orders", copy)
    assert result.success
    assert metadata(result) == {}
    assert ledger.arrivals.of("orders", copy).sha256 is None
    rewrite_feed(location.feeds / "orders.yaml", files={"again": {"same_name_new_bytes": "quarantine"}})
    feeds, _ = load_feeds(location.feeds, location.installation.environ)
    changed = build_definitions(feeds, []).get_repository_def()
    (inbox / files.ORDERS_NAME).write_bytes(files.orders_csv().replace(b"AB-", b"CD-"))
    os.utime(inbox / files.ORDERS_NAME, (1_700_000_000, 1_700_000_000))  # not within the second of the one before
    key = next(r.partition_key for r in _until(location, 2) if r.partition_key != copy) or ""
    refused = changed.get_job("orders_job").execute_in_process(
        instance=location.instance, partition_key=key, run_config=DRY, raise_on_error=False
    )
    assert "same name new bytes" in report(location.parts, refused.run_id).errors[0]
    run = location.instance.get_run_by_id(refused.run_id)
    assert run is not None
    assert run.tags["dry_run"] == "true"


def _until(location: Location, files_wanted: int) -> list[dg.RunRequest]:
    found: dict[str, dg.RunRequest] = {}
    while len(found) < files_wanted:
        result = location.tick("orders")
        for request in (result.run_requests or []) if isinstance(result, dg.SensorResult) else []:
            found[request.partition_key or ""] = request
            location.instance.add_dynamic_partitions("orders_files", [request.partition_key or ""])
        location.installation.clock.advance(seconds=61)
    return list(found.values())


def test_dry_run_run_again_goes_on_with_its_tables(location: Location, api: ApiPeer) -> None:
    (location.installation.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    request = location.request("orders")
    first = dry_run(location, "orders", request.partition_key or "")
    rest = {dg.AssetKey(["orders", name]) for name in ("posted_rows", "outcome")}
    job = location.repository.get_job("orders_job").get_subset(asset_selection=rest)
    run = location.instance.create_run_for_job(
        job,
        run_config=DRY,
        tags={"dagster/partition": request.partition_key or ""},
        parent_run_id=first.run_id,
        root_run_id=first.run_id,
    )
    assert execute_run(InMemoryJob(job), run, location.instance).success
    assert api.effects == []


def test_dry_run_tells_what_is_frozen_and_still_waits(location: Location, api: ApiPeer) -> None:
    (location.installation.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    request = location.request("orders")
    api.mode = "refuse_us"
    assert not location.run("orders", request).success
    told = metadata(dry_run(location, "orders", request.partition_key or "", "posted_rows"))
    assert told["posted_rows"]["would post"].value == 5
    assert api.effects == []


def test_dry_run_of_a_refused_file_fails_and_leaves_it_where_it_is(
    location: Location, sftp: SftpPeer, api: ApiPeer
) -> None:
    wrong = files.bgmax().replace(b"7000000009", b"7000000008")
    (sftp.root / "out" / files.BGMAX_NAME).write_bytes(wrong)
    request = location.request("bankgiro")
    result = dry_run(location, "bankgiro", request.partition_key or "")
    assert not result.success
    assert (sftp.root / "out" / files.BGMAX_NAME).exists()
    assert not location.parts.ledger.arrivals.of("bankgiro", request.partition_key or "").state.ended
    assert api.effects == []


def test_launchpad_says_what_the_switch_does(location: Location) -> None:
    job = location.repository.get_job("orders_job")
    schema: Any = job.resource_defs["parts"].config_schema.config_type
    switch = schema.fields["dry_run"]
    assert "nothing is claimed" in str(switch.description)
    assert switch.default_value is False
