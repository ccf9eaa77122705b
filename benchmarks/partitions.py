"""The Dagster UI with many partitions on one feed: how long its pages take to show what they are opened for, in a real
browser, beside the same pages with few."""

import shutil
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
from playwright.sync_api import Page, expect, sync_playwright

from benchmarks.figure import Figure, turns
from import_project_tests.installation import FEEDS
from import_project_tests.ui.house import House, open_house

FEW, MANY, MADE = 500, 50_000, 1_000
_AT_ONCE = 5_000
_PATIENCE = 120_000


def versions() -> dict[str, str]:
    return {name: version(name) for name in ("dagster", "dagster-webserver", "playwright")}


def run() -> list[Figure]:
    """Open each page in turns with few partitions, then with many, of which some are materialized."""
    with TemporaryDirectory(prefix="partitions-bench-") as folder:
        shutil.copytree(FEEDS, Path(folder) / "feeds")
        with open_house(Path(folder) / "home", Path(folder) / "feeds") as house:
            few = _pages(house, 0, FEW)
            many = _pages(house, FEW, MANY)
    return [
        Figure(
            what=f"{page}, pages opened a second with {MANY:,} partitions",
            ours=1 / many[page],
            peer=1 / few[page],
            peer_name=f"with {FEW}",
            goal="opens",
            met=True,
            told=f"{many[page]:.2f} s with {MANY:,}, {few[page]:.2f} s with {FEW}",
        )
        for page in many
    ]


def _pages(house: House, made: int, wanted: int) -> dict[str, float]:
    """Bring the feed `orders` to so many partitions, then return by page the median of three openings, in seconds."""
    for start in range(made, wanted, _AT_ONCE):
        keys = [f"orders_{n:06}.csv~0123456789" for n in range(start, min(start + _AT_ONCE, wanted))]
        house.instance.add_dynamic_partitions("orders_files", keys)
    for n in range(max(made, wanted - MADE), wanted):
        event = dg.AssetMaterialization(["orders", "accepted"], partition=f"orders_{n:06}.csv~0123456789")
        house.instance.report_runless_asset_event(event)
    last = f"orders_{wanted - 1:06}.csv~0123456789"
    found: dict[str, float] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(base_url=house.url, viewport={"width": 1440, "height": 900})
        page.set_default_timeout(_PATIENCE)
        expect.set_options(timeout=_PATIENCE)
        for name, open_it in _OPENINGS.items():
            (taken,) = turns(lambda open_it=open_it: open_it(page, last), rounds=3)
            found[name] = sorted(taken.wall)[1]
        house.instance.add_dynamic_partitions("orders_files", [f"orders_{wanted}_new.csv"])
        start = time.perf_counter()
        _partitions(page, last)
        found["partitions after a new file"] = time.perf_counter() - start
        browser.close()
    return found


def _runs(page: Page, _last: str) -> None:
    page.goto("/runs")
    expect(page.get_by_text("feed: orders").first).to_be_visible()


def _asset(page: Page, _last: str) -> None:
    page.goto("/assets/orders/accepted")
    expect(page.get_by_text("Latest materialization")).to_be_visible()
    expect(page.get_by_text("Rows that passed")).to_be_visible()


def _partitions(page: Page, last: str) -> None:
    page.goto("/assets/orders/accepted?view=partitions")
    page.get_by_placeholder("Filter by name").fill(last[:17])
    expect(page.get_by_text(last[:15]).first).to_be_visible()


def _lineage(page: Page, _last: str) -> None:
    page.goto("/locations/import_project.definitions/asset-groups/orders")
    expect(page.get_by_text("posted_rows", exact=True)).to_be_visible()


def _dialog(page: Page, _last: str) -> None:
    page.goto("/assets/orders/posted_rows")
    page.get_by_role("button", name="Materialize…").click()
    expect(page.get_by_role("dialog").get_by_text("Partition selection")).to_be_visible()


_OPENINGS: dict[str, Callable[[Page, str], None]] = {
    "runs": _runs,
    "asset": _asset,
    "partitions": _partitions,
    "lineage": _lineage,
    "materialize": _dialog,
}
