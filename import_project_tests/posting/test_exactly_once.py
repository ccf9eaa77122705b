"""The proof: for each fault of an API in its own process, and for a kill at each change of state, every row takes effect
at most once, and exactly once when the fault has ended. The API's own log is the judge."""

import multiprocessing
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from import_project.records.files import Listed
from import_project.records.postings import Draft, PostingKind, PostingState
from import_project.store.ledger import Ledger
from import_project_tests.posting import outbox_child
from import_project_tests.posting.fake_api import MODES
from import_project_tests.posting.outbox_child import FILE

ROWS = 5
#: Before and after: look at health, fetch, mark as sending, each request, store the answers.
KILLS = range(1, 23, 3)


@dataclass
class Api:
    url: str
    log: Path

    def mode(self, name: str) -> None:
        assert httpx.post(f"{self.url}/mode/{name}", timeout=10).is_success

    def effects(self) -> Counter[str]:
        return Counter(self.log.read_text("utf-8").split())


@pytest.fixture
def fake_api(tmp_path: Path) -> Iterator[Api]:
    home = tmp_path / "api"
    home.mkdir()
    program = [sys.executable, "-m", "import_project_tests.posting.fake_api", str(home)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Api(url=f"http://127.0.0.1:{int(process.stdout.readline())}", log=home / "effects.log")
        process.kill()


@pytest.fixture
def ledger_url(tmp_path: Path) -> str:
    """A ledger with a file whose rows are frozen."""
    url, now = f"sqlite:///{tmp_path}/ledger.db", datetime.now(UTC)
    ledger = Ledger(url)
    ledger.sightings.see("f", [(Listed(name="a", size=1, mtime=now), 0, None)], now)
    (arrival,) = ledger.sightings.unended("f")
    ledger.sightings.ready([(arrival.id, "a~1")])
    claim = ledger.arrivals.claim("f", "a~1", owner="freezer", now=now, lease=timedelta(0))[1]
    drafts = [
        Draft(subject=f"s{n}", part=0, kind=PostingKind.ROW, row_number=n, path="/orders", body=f'{{"n": {n}}}')
        for n in range(1, ROWS + 1)
    ]
    ledger.decisions.freeze(claim, FILE, "erp", drafts, now)
    ledger.close()
    return url


def run_child(ledger_url: str, api: Api, calls: int, ahead: float, *, look_up: bool = False) -> int | None:
    context = multiprocessing.get_context("forkserver")
    child = context.Process(target=outbox_child.main, args=(ledger_url, api.url, calls, ahead, look_up))
    child.start()
    child.join(timeout=60)
    return child.exitcode


def states(ledger_url: str) -> Counter[PostingState]:
    ledger = Ledger(ledger_url)
    found = Counter(p.state for p in ledger.dead_letters.kept())
    ledger.close()
    return found


def until_sent(ledger_url: str, api: Api, ahead: float, *, look_up: bool) -> None:
    for turn in range(10):
        if run_child(ledger_url, api, 10_000, ahead + turn * 60, look_up=look_up) == 0:
            return
    raise AssertionError(f"never sent: {states(ledger_url)}")


@pytest.mark.parametrize("look_up", [False, True], ids=["by_key", "looked_up"])
@pytest.mark.parametrize("mode", MODES)
def test_every_row_takes_effect_once_whatever_happens(fake_api: Api, ledger_url: str, mode: str, look_up: bool) -> None:
    fake_api.mode(mode)
    codes = []
    for turn, calls in enumerate(KILLS):
        codes.append(run_child(ledger_url, fake_api, calls, turn * 60, look_up=look_up))
        assert max(fake_api.effects().values(), default=0) <= 1
    assert codes.count(-9) >= 3
    fake_api.mode("ok")
    until_sent(ledger_url, fake_api, 3_000, look_up=look_up)
    assert states(ledger_url) == {PostingState.DONE: ROWS}
    assert sorted(fake_api.effects().values()) == [1] * ROWS


def test_api_that_forgets_keys_is_looked_up_after_their_time(fake_api: Api, ledger_url: str) -> None:
    fake_api.mode("cached_500")
    run_child(ledger_url, fake_api, 11, 0)
    run_child(ledger_url, fake_api, 10_000, 60)
    taken = len(fake_api.effects())
    assert taken
    assert PostingState.DONE not in states(ledger_url)
    fake_api.mode("forget")
    until_sent(ledger_url, fake_api, 25 * 3_600, look_up=True)
    assert states(ledger_url) == {PostingState.DONE: ROWS}
    assert sorted(fake_api.effects().values()) == [1] * ROWS


def test_without_a_look_up_what_may_be_there_waits_for_a_person_after_their_time(
    fake_api: Api, ledger_url: str
) -> None:
    fake_api.mode("cached_500")
    run_child(ledger_url, fake_api, 10_000, 0)
    taken = len(fake_api.effects())
    assert taken
    fake_api.mode("forget")
    until_sent(ledger_url, fake_api, 25 * 3_600, look_up=False)
    found = states(ledger_url)
    assert found[PostingState.DEAD] >= 1
    assert found[PostingState.DEAD] + found[PostingState.DONE] == ROWS
    assert max(fake_api.effects().values()) == 1
