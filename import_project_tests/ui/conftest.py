"""The system's Chromium, headless, on the UI of a whole installation. Both are started once for this room, and ended with
it: while Playwright runs, no other test could run an asyncio loop. `UI_SCREENSHOTS=docs` renews the pictures in `docs`."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from import_project_tests.installation import FEEDS
from import_project_tests.ui.house import PATIENCE_SECONDS, House, open_house

Shoot = Callable[..., None]
#: What tells of a launch, and of where the mouse is.
_MESSAGES = "section[aria-label^=Notifications], [class*=ooltip], [role=tooltip], [data-radix-popper-content-wrapper]"


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("ui")
    shutil.copytree(FEEDS, folder / "feeds")  # a copy, for one test breaks a feed
    with open_house(folder / "home", folder / "feeds") as house:
        yield house


@pytest.fixture(scope="package")
def browser(house: House) -> Iterator[Browser]:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    assert found, f"none of {', '.join(names)} is installed: `make test-peers` installs it"
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    # As root, in a container, Chromium cannot build its sandbox; it sees no page but ours.
    sandbox = [] if os.geteuid() else ["--no-sandbox"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=sandbox)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, house: House) -> Iterator[Page]:
    """An empty page, whose links begin at the UI. What fails in the page's own code fails the test."""
    context = browser.new_context(
        base_url=house.url, viewport={"width": 1440, "height": 900}, locale="en-GB", timezone_id="UTC"
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_SECONDS * 1000)
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    yield page
    context.close()
    assert broken == []


@pytest.fixture
def shoot(page: Page, tmp_path: Path) -> Shoot:
    """Take a picture of the page, when all it asked for has come: into the folder UI_SCREENSHOTS, or a temporary one."""
    folder = Path(os.environ.get("UI_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)

    def shoot(name: str, *, hide: str = "") -> None:
        page.mouse.move(1435, 895)  # no tooltip in the way
        page.screenshot(
            path=folder / f"{name}.png",
            animations="disabled",
            caret="hide",
            style=f"{', '.join(filter(None, (_MESSAGES, hide)))} {{ display: none }}",
        )

    return shoot
