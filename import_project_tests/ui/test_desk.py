"""The front desk's page in a real browser, on a real server with its worker: handed in, watched, corrected, reviewed; by
mouse and by keyboard, light and dark."""

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from import_project.demo import files
from import_project_tests.api.serving import Serving, open_serving
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation
from import_project_tests.ui.house import PATIENCE_SECONDS

pytestmark = [pytest.mark.peers, pytest.mark.timeout(400)]


@pytest.fixture
def desk(installation: Installation, api: ApiPeer) -> Iterator[Serving]:
    api.invoices = files.invoices()
    made = open_serving(installation)
    yield made
    made.end()


@pytest.fixture
def front(browser: Browser, desk: Serving) -> Iterator[Page]:
    """The page, signed in. What fails in its code, or asks for anything elsewhere, fails the test."""
    context = browser.new_context(
        base_url=str(desk.client.base_url), viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="UTC"
    )
    page = context.new_page()
    page.set_default_timeout(20_000)
    expect.set_options(timeout=20_000)
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.on(
        "request",
        lambda asked: (
            broken.append(asked.url) if not asked.url.startswith(str(desk.client.base_url).rstrip("/")) else None
        ),
    )
    page.goto("/")
    page.get_by_label("Your token").fill(desk.client.headers["authorization"].removeprefix("Bearer "))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Hand in a file")).to_be_visible()
    yield page
    context.close()
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    assert broken == []


def shoot(page: Page, name: str, tmp_path: Path) -> None:
    folder = Path(os.environ.get("UI_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png", animations="disabled", caret="hide", full_page=True)


def hand_in(page: Page, feed: str, name: str, content: bytes) -> None:
    page.get_by_label("Feed").select_option(feed)
    page.get_by_label("File", exact=True).set_input_files({"name": name, "mimeType": "text/csv", "buffer": content})
    page.get_by_role("button", name="Hand in", exact=True).click()


def test_file_is_handed_in_watched_read_corrected_and_handed_in_again(
    front: Page, api: ApiPeer, tmp_path: Path
) -> None:
    hand_in(front, "orders", files.ORDERS_NAME, files.orders_csv())
    row = front.get_by_role("row").filter(has_text=files.ORDERS_NAME)
    expect(row).to_contain_text("completed", timeout=60_000)
    expect(row.get_by_role("progressbar")).to_have_attribute("aria-label", f"{files.ORDERS_NAME}: 100 percent")
    assert len(api.effects) == 5
    row.get_by_role("button", name=f"Open {files.ORDERS_NAME}").press("Enter")
    expect(front.get_by_role("heading", name=f"{files.ORDERS_NAME}: completed")).to_be_visible()
    issues = front.get_by_role("table", name="What was wrong").get_by_role("row")
    expect(issues.nth(1)).to_be_visible()
    shoot(front, "desk", tmp_path)
    front.emulate_media(color_scheme="dark")
    shoot(front, "desk-dark", tmp_path)
    with front.expect_download() as downloading:
        front.get_by_role("link", name="Download the rows set aside").click()
    rows = list(csv.DictReader(io.StringIO(Path(downloading.value.path()).read_text("utf-8-sig"))))
    mended = {"customer": "Nils", "ordered_on": "2026-11-20", "amount": "10,00", "currency": "SEK", "items": "1"}
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows({**one, **mended, "order_id": f"ZZ-{n:06d}"} for n, one in enumerate(rows))
    sheet: FilePayload = {"name": "fixed.csv", "mimeType": "text/csv", "buffer": out.getvalue().encode()}
    front.get_by_label("Corrected rows").set_input_files(sheet)
    front.get_by_role("button", name="Hand in corrected rows").click()
    expect(front.get_by_role("status")).to_contain_text("5 rows were taken, 0 are still set aside", timeout=30_000)
    assert len(api.effects) == 10


def test_wrong_kind_of_file_is_told_where_it_is_read_out(front: Page) -> None:
    hand_in(front, "orders", "picture.png", b"x")
    expect(front.get_by_role("alert")).to_contain_text("orders does not take picture.png")
    expect(front.get_by_text("Nothing was handed in yet.")).to_be_visible()


def test_payments_are_reviewed(front: Page, desk: Serving, tmp_path: Path) -> None:
    hand_in(front, "bankgiro", files.BGMAX_NAME, files.bgmax())
    expect(front.get_by_role("row").filter(has_text=files.BGMAX_NAME)).to_contain_text("completed", timeout=60_000)
    front.get_by_role("tab", name="Files").focus()
    front.keyboard.press("ArrowRight")
    queue = front.get_by_role("table", name="Payments that settle nothing").get_by_role("row")
    expect(queue).to_have_count(4)
    shoot(front, "desk-review", tmp_path)
    queue.nth(1).get_by_role("button", name="unmatched").or_(
        queue.nth(1).get_by_role("button", name="Reject all")
    ).first.click()
    expect(queue.nth(1)).to_contain_text("decided by finance/tests", timeout=30_000)
    expect(front.locator("#no-postings")).to_be_visible()
    (first,) = [p for p in desk.client.get("/review/payments").json()["payments"] if p["decided_by"] != "rules"]
    assert first["decided_by"] == "finance/tests"


def test_signed_out_page_shows_nothing(front: Page) -> None:
    front.get_by_role("button", name="Sign out").click()
    expect(front.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(front.get_by_role("table")).to_have_count(0)
    front.reload()
    expect(front.get_by_role("heading", name="Sign in")).to_be_visible()
    front.get_by_label("Your token").fill("wrong")
    front.get_by_role("button", name="Sign in").click()
    expect(front.get_by_role("alert")).to_contain_text("no token, or one that does not hold")


def test_description_of_the_api_is_a_page(front: Page) -> None:
    front.goto("/docs")
    expect(front.get_by_role("heading", name="POST /jobs/ingest")).to_be_visible()
