"""What people do in the Dagster UI, done by a real browser, and judged by what the instance and the receiving API hold
afterwards. All tests share one installation, and none needs another to have run."""

import re
import time
from collections import Counter

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus
from dagster._core.scheduler.instigation import TickStatus
from playwright.sync_api import Locator, Page, expect

from import_project.defs.runs import is_dry
from import_project.demo.files import BGMAX_NAME, ORDERS_NAME
from import_project_tests.installation import rewrite_feed
from import_project_tests.ui.conftest import Shoot
from import_project_tests.ui.house import House

pytestmark = [pytest.mark.peers, pytest.mark.timeout(400)]

LOCATION = "/locations/import_project.definitions"


def posted(house: House) -> Counter[str]:
    """How often each key took effect; once at most."""
    keys = Counter(str(effect["key"]) for effect in house.installation.effects)
    assert set(keys.values()) == {1}
    return keys


def open_partition(page: Page, house: House, feed: str, asset: str, file: str) -> str:
    """Find the partition of a file on an asset's page by a part of its name, and open it."""
    partition = house.partition(feed, file)
    page.goto(f"/assets/{feed}/{asset}?view=partitions")
    page.get_by_placeholder("Filter by name").fill(file)
    page.get_by_title(partition).or_(page.get_by_text(partition, exact=True)).first.click()
    expect(page.get_by_text("Materialized", exact=True)).to_be_visible()
    return partition


def launched(page: Page, told: str) -> str:
    """Follow the message of what was launched to its page; returns its id."""
    expect(page.get_by_text(told)).to_be_visible()
    page.get_by_role("link", name="View", exact=True).last.click()
    page.wait_for_url(re.compile(r"/runs/"))
    return page.url.split("?")[0].rsplit("/", 1)[1]


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_text(name, exact=True))


def test_runs_of_a_feed(page: Page, house: House, shoot: Shoot) -> None:
    page.goto("/runs")
    expect(page.get_by_text(f"file: {BGMAX_NAME}").first).to_be_visible()
    shoot("runs")
    page.get_by_text("feed: orders").first.hover()
    page.get_by_text("Add tag to filter").click()
    expect(page.get_by_text("feed: bankgiro")).to_have_count(0)
    expect(page.get_by_text(f"file: {ORDERS_NAME}").first).to_be_visible()
    shown = page.locator("a[href*='/runs/'] >> text=/^[0-9a-f]{8}$/").all_inner_texts()
    assert sorted(shown) == sorted(run.run_id[:8] for run in house.runs(dg.RunsFilter(tags={"feed": "orders"})))


def test_assets_of_a_feed(page: Page, house: House, shoot: Shoot) -> None:
    page.set_viewport_size({"width": 1900, "height": 760})  # wide enough to show more than names
    page.goto(f"{LOCATION}/asset-groups/bankgiro")
    for asset in ("file", "accepted", "quarantined", "open_invoices", "matches", "matched_payments", "outcome"):
        expect(page.get_by_text(asset, exact=True)).to_be_visible()
    page.get_by_text("Hide navigation").click()
    page.get_by_role("button", name="zoom_in").click()
    expect(page.get_by_text("Loading")).to_have_count(0)
    expect(page.get_by_text("100% filled")).to_have_count(8)
    shoot("lineage")


def test_partition_tells_its_counts(page: Page, house: House, shoot: Shoot) -> None:
    partition = open_partition(page, house, "bankgiro", "outcome", BGMAX_NAME)
    told = house.metadata(dg.AssetKey(["bankgiro", "outcome"]), partition)
    assert told["rows"] == "10"
    for name in ("rows", "accepted", "quarantined", "matched", "unmatched", "posted"):
        expect(row(page, name).get_by_text(told[name], exact=True)).to_be_visible()
    expect(row(page, "sum SEK").get_by_text("8085", exact=False).first).to_be_visible()
    shoot("partition")


def test_check_tells_what_is_wrong_with_its_numbers(page: Page, shoot: Shoot) -> None:
    page.goto("/assets/bankgiro/accepted?view=checks&checkDetail=control_totals")
    expect(page.get_by_text("1 of 3 statements do not add up")).to_be_visible()
    expect(row(page, "wrong").get_by_text("1", exact=True)).to_be_visible()
    shoot("checks")


def test_one_asset_by_hand(page: Page, house: House, shoot: Shoot) -> None:
    before = posted(house)
    partition = open_partition(page, house, "bankgiro", "matches", BGMAX_NAME)
    page.get_by_role("button", name="Materialize…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Config", exact=True).click()
    expect(dialog.get_by_role("button", name="Add config")).to_be_visible()
    expect(dialog.get_by_text("1 partition", exact=True)).to_be_visible()
    expect(page.get_by_text("Loading pipeline and partition sets")).to_have_count(0)
    shoot("materialize")
    dialog.get_by_role("button", name="Launch 1 run").click()
    run = house.succeeded(launched(page, "Launched run"))
    assert run.asset_selection == {dg.AssetKey(["bankgiro", "matches"])}
    assert run.tags["dagster/partition"] == partition
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()
    assert posted(house) == before


def test_dry_run_of_a_whole_file_from_the_launchpad(page: Page, house: House, shoot: Shoot) -> None:
    before, partition = posted(house), house.partition("orders", ORDERS_NAME)
    page.goto(f"{LOCATION}/jobs/orders_job")
    page.get_by_role("button", name="arrow_drop_down").last.click()
    page.get_by_role("menuitem", name="Open launchpad").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_placeholder("Partition").click()
    page.get_by_role("menuitem", name=partition).click()
    expect(dialog.get_by_text(f"partition: {partition}")).to_be_visible()
    expect(dialog.get_by_text("No errors")).to_be_visible()
    expect(dialog.get_by_role("button", name="Materialize")).to_be_enabled()
    dialog.get_by_text("false", exact=True).dblclick()
    page.keyboard.type("true")
    expect(dialog.get_by_text("true", exact=True)).to_be_visible()
    expect(dialog.get_by_text("No errors")).to_be_visible()
    shoot("launchpad")
    dialog.get_by_role("button", name="Materialize").click()
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}"))
    run = house.succeeded(page.url.split("?")[0].rsplit("/", 1)[1])
    assert (run.job_name, run.tags["feed"], run.tags["dagster/partition"]) == ("orders_job", "orders", partition)
    assert is_dry(run)
    told = house.metadata(dg.AssetKey(["orders", "posted_rows"]), partition)
    assert (told["would post"], told["dry run"]) == ("0", "True")
    assert posted(house) == before


def test_backfill_of_three_files(page: Page, house: House, shoot: Shoot) -> None:
    for number in (21, 22):
        house.drop_orders(number)
    house.until(lambda: len(house.imported("orders")) == 3, "three files of orders")
    before, partitions = posted(house), house.imported("orders")
    page.goto(f"{LOCATION}/jobs/orders_job")
    page.get_by_role("button", name="Materialize all…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="All", exact=True).click()
    expect(dialog.get_by_text("3 partitions", exact=True)).to_be_visible()
    dialog.get_by_role("button", name="Launch backfill").click()
    backfill = house.backfill(launched(page, "Created backfill"))
    assert backfill.status is BulkActionStatus.COMPLETED_SUCCESS
    assert set(backfill.partition_names or ()) == partitions
    runs = house.runs(dg.RunsFilter(tags={"dagster/backfill": backfill.backfill_id}))
    assert {run.tags["dagster/partition"] for run in runs} == partitions
    assert [run.status for run in runs] == [dg.DagsterRunStatus.SUCCESS] * 3
    page.reload()
    expect(page.get_by_text("100% completed")).to_be_visible()
    shoot("backfill")
    assert posted(house) == before


def test_failed_tick_tells_its_error(page: Page, house: House, shoot: Shoot) -> None:
    feed, nobody = house.feeds / "bankgiro.yaml", house.feeds / "nobody"
    well = feed.read_text("utf-8")
    nobody.touch()
    rewrite_feed(feed, source={"known_hosts": str(nobody)})
    page.goto(f"{LOCATION}/sensors/bankgiro_sensor")
    failure = page.get_by_text("Failure", exact=True)
    expect(failure.first).to_be_visible()
    page.get_by_role("button", name="View", exact=True).first.click()
    told = page.get_by_role("dialog").get_by_role("heading", name="HostKeyRefused")
    expect(told).to_contain_text("Host key is not trusted")
    shoot("failed-tick", hide="[class*=PythonErrorInfo_trace]")  # paths of this machine
    failed = house.ticks("bankgiro_sensor", TickStatus.FAILURE)
    assert "HostKeyRefused" in str(failed[0].error)
    feed.write_text(well, "utf-8")
    mended = time.time()
    house.until(lambda: house.ticks("bankgiro_sensor", TickStatus.SKIPPED, after=mended), "a tick that works again")
