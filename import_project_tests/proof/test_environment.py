"""The machine as it should not be: full disks, few descriptors, little memory, a ledger that is locked or cut off, clocks that
step, output that nobody reads. Each time everything is imported exactly once in the end, says the oracle.
"""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import FEEDS, Installation, environment, rewrite_feed
from import_project_tests.proof.oracle import Oracle, orders
from import_project_tests.servers import SftpPeer

_CHILD = [sys.executable, "-m", "import_project_tests.pipeline.kill_child", "orders", "1000000"]
_LIMITS = [sys.executable, "-m", "import_project_tests.proof.limits_child"]
_POLL = [str(Path(sys.executable).with_name("import-project")), "poll", "--once"]
_DAY = 86_400
_OURS = "import_project.errors."


def limited(installation: Installation, *arguments: str | Path, program: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Import under limits. Returns how each try ended, the last of them without a limit."""
    done = subprocess.run(
        [*program, *_LIMITS, *map(str, arguments)],
        env=environment(installation),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    tries: list[dict[str, Any]] = json.loads(done.stdout)
    assert (tries[-1]["error"], tries[-1]["signal"]) == (None, None), tries[-1]["trace"]
    assert not [one for one in tries if one["signal"] == signal.SIGALRM], "it hangs"
    return tries


def judge(installation: Installation, api: ApiPeer, oracle: Oracle) -> None:
    oracle.check_effects(api)
    oracle.check_archive(installation.inbox)
    parts = installation.parts()
    oracle.check_ledger(parts)
    parts.close()


def start(installation: Installation, ahead: int = 0, **environ: str) -> subprocess.Popen[str]:
    given = environment(installation) | {"AHEAD": str(ahead)} | environ
    return subprocess.Popen(_CHILD, env=given, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def ended(child: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a child. Returns its exit code and the last line it wrote."""
    _, err = child.communicate(timeout=60)
    return child.returncode, (err.strip().splitlines() or [""])[-1]


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "in vain"
        time.sleep(0.01)


#: What is full, and of what so much is left: pages or names. Nothing but the last of all tries has to do.
FULL = {
    "landing": ("disk", (0, 4, 20)),
    "tables": ("disk", (0, 1, 2, 3)),
    "ledger": ("disk", (0, 64, 110)),
    "archive": ("disk", (0, 4)),
    "inbox": ("inodes", (0, 1)),
}


@pytest.mark.parametrize("store", FULL)
def test_disk_that_is_full(installation: Installation, api: ApiPeer, store: str) -> None:
    """A small file system in the place of one store alone; what is met is told by name, and the last try needs no help."""
    state = installation.home / "state"
    folders = {"archive": installation.home / "kept", "inbox": installation.inbox}
    folder = folders.get(store, state / store)
    if store == "archive":
        installation = installation.rewrite("orders", files={"folders": {"archive": str(folder)}})
    url = f"sqlite:///{folder if store == 'ledger' else state}/ledger.db"
    installation = replace(installation, environ={**installation.environ, "IMPORT_PROJECT_LEDGER": url})
    oracle = Oracle()
    oracle.show(installation.inbox, "orders_1.csv", orders(1, padding=30_000))
    kind, left = FULL[store]
    tries = limited(installation, kind, folder, *map(str, left), program=("unshare", "-rm"))
    for one in tries:
        assert one["signal"] is None, one
        assert (one["error"] or _OURS).startswith(_OURS), one["trace"]
        assert not [name for name in one["files"] if name.endswith(".part")], "what could not be written is left"
    if store == "archive":  # the rows are posted, which is no failure; the move is made when there is room
        assert [len(one["files"]) for one in tries] == [0, 0, 1]
        shutil.copytree(folder, installation.inbox / ".archive")
    else:
        assert "No space left" in tries[0]["line"] or "is full" in tries[0]["line"]
    judge(installation, api, oracle)


def test_few_descriptors(installation: Installation, api: ApiPeer) -> None:
    """Where 64 may be open it is done, or told by name; with fewer, it ends."""
    oracle = Oracle()
    oracle.show(installation.inbox, "orders_1.csv", orders(1))
    tries = limited(installation, "descriptors", "6", "12", "18", "24", "64")
    assert tries[0]["error"] is not None, "the limit is none"
    assert (tries[-2]["error"] or _OURS).startswith(_OURS), tries[-2]["trace"]
    judge(installation, api, oracle)


def test_little_memory(installation: Installation, api: ApiPeer) -> None:
    """Whatever is the first that gets none; a library that gives up ends the process, as a kill does."""
    oracle = Oracle()
    oracle.show(installation.inbox, "orders_1.csv", orders(1))
    tries = limited(installation, "memory", "1", "64", "512", "2048")
    assert tries[0]["error"] or tries[0]["signal"], "the limit is none"
    judge(installation, api, oracle)


def test_locked_ledger_is_waited_for(installation: Installation, api: ApiPeer) -> None:
    oracle = Oracle()
    oracle.show(installation.inbox, "orders_1.csv", orders(1))
    api.delay = 0.5
    child = start(installation)
    until(lambda: bool(api.calls))
    with sqlite3.connect(installation.home / "state" / "ledger.db", isolation_level=None, timeout=30) as other:
        other.execute("BEGIN IMMEDIATE")
        time.sleep(3)
        assert child.poll() is None, "it did not wait"
        other.execute("ROLLBACK")
    other.close()
    code, err = ended(child)
    assert code == 0, err
    judge(installation, api, oracle)


def test_connections_that_are_ended(tmp_path: Path, sftp: SftpPeer, api: ApiPeer, postgres_database: str) -> None:
    """PostgreSQL ends all connections again and again while a file is imported: told by name, and gone on with later."""
    installation = Installation.make(tmp_path, sftp, api, ledger=postgres_database)
    oracle = Oracle()
    oracle.show(installation.inbox, "orders_1.csv", orders(1, rows=60))
    url = sa.make_url(postgres_database)
    admin = sa.create_engine(
        url.set(drivername="postgresql+psycopg", database="postgres"), isolation_level="AUTOCOMMIT"
    )
    end_all = sa.text("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = :name")
    api.delay, cut, told = 0.02, 0, []
    with admin.connect() as connection:
        for turn, pause in enumerate((0.0, 0.01, 0.05)):
            before = len(api.calls)
            child = start(installation, turn * 4000)
            until(lambda: len(api.calls) > before or child.poll() is not None)  # noqa: B023 - it is called here
            while child.poll() is None:
                time.sleep(pause)
                cut += connection.execute(end_all, {"name": url.database}).scalar_one()
            code, err = ended(child)
            assert code == 0 or err.startswith(_OURS), err
            told.append(err)
            oracle.check_no_more(api)
    admin.dispose()
    assert cut > 0
    assert any("LedgerUnavailable" in err for err in told)
    code, err = ended(start(installation, 20_000))
    assert code == 0, err
    judge(installation, api, oracle)


def test_clock_that_steps(installation: Installation, api: ApiPeer) -> None:
    """A file is half done when the clock steps, a day back and a day on, and the host moves to another time zone."""
    installation = installation.rewrite("orders")
    rewrite_feed(Path(installation.environ["IMPORT_PROJECT_FEEDS"], "apis", "erp.yaml"), key_hours=96)
    oracle = Oracle()
    places = ("postings.sending:after", "api.deliver:after", "outcomes.conclude:after", "")
    zones = ("UTC", "Pacific/Kiritimati", "America/Los_Angeles", "Europe/Stockholm")
    for turn, (step, zone, place) in enumerate(zip((0, -_DAY, _DAY, -_DAY), zones, places, strict=True)):
        oracle.show(installation.inbox, f"orders_{turn}.csv", orders(turn + 1))
        code, err = ended(start(installation, step, TZ=zone, FAIL_POINT=place))
        assert code in {0, -signal.SIGKILL}, err
        oracle.check_no_more(api)
    for step in (_DAY + 7200, _DAY + 14_400):
        code, err = ended(start(installation, step, TZ="Asia/Tokyo"))
        assert code == 0, err
    judge(installation, api, oracle)


@pytest.fixture
def polled(installation: Installation) -> Installation:
    """Both feeds with one look each, so that one pass imports; and an instance of its own."""
    home = installation.home / "dagster"
    home.mkdir()
    shutil.copy(FEEDS.parent / "dagster.yaml", home / "dagster.yaml")
    made = installation.rewrite("orders", files={"looks": 1, "min_age_seconds": 0})
    return replace(made, environ={**made.environ, "DAGSTER_HOME": str(home)})


@pytest.mark.parametrize("folder", ["landing", "tables", "."])
def test_disk_that_turns_read_only(installation: Installation, api: ApiPeer, folder: str) -> None:
    """As a kernel remounts one after an error: told by name, and gone on with in the same process once it is mended."""
    home = Path(installation.environ["IMPORT_PROJECT_HOME"]) / folder
    command = [sys.executable, "-m", "import_project_tests.proof.read_only_child", str(home), str(installation.inbox)]
    done = subprocess.run(
        ["unshare", "-rm", *command],
        env=environment(installation),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    *tries, first, second = json.loads(done.stdout)
    told = "LedgerUnavailable" if folder == "." else "StoreFull"
    assert (set(tries[:2]), set(tries[2:5]) - {None}, set(tries[5:])) == ({None}, {_OURS + told}, {None})
    assert [first, second] == ["orders_0.csv done", "orders_2.csv done"]
    assert sorted(body["order_id"] for _, _, body in api.effects) == ["AB-000010", "AB-000012"]


#: A small disk under Dagster's own storage: full from the start, then with room, then with some pages left.
_SMALL_INSTANCE = """
cp "$DAGSTER_HOME/dagster.yaml" "$KEPT" && mount -t tmpfs -o size=24m none "$DAGSTER_HOME" && cp "$KEPT" "$DAGSTER_HOME/dagster.yaml"
for turn in 1 2 3; do
  mv "$SENT/orders_$turn.csv" "$ORDERS_INBOX" 2>/dev/null
  rm -f "$DAGSTER_HOME/ballast"
  case $turn in 1|3) cat /dev/zero > "$DAGSTER_HOME/ballast" 2>/dev/null;; esac
  case $turn in 3) truncate -s -40K "$DAGSTER_HOME/ballast";; esac
  "$@" 2>"$KEPT.$turn"; echo "ended $?"
done
"""


def test_disk_under_dagsters_own_storage_that_is_full(polled: Installation, api: ApiPeer) -> None:
    """What cannot be recorded is told in one line. The disk is lost in the end, with all that Dagster knew: the file is
    imported all the same."""
    sent, oracle = polled.home / "sent", Oracle()
    sent.mkdir()
    for number in (1, 3):
        oracle.show(sent, f"orders_{number}.csv", orders(number))
    kept = polled.home / "kept.yaml"
    environ = environment(polled) | {"KEPT": str(kept), "SENT": str(sent)}
    program = ["unshare", "-rm", "sh", "-c", _SMALL_INSTANCE, "sh", *_POLL]
    done = subprocess.run(program, env=environ, capture_output=True, text=True, check=False, timeout=150)
    codes = [line for line in done.stdout.splitlines() if line.startswith("ended ")]
    assert codes == ["ended 2", "ended 0", "ended 1"], done.stdout + done.stderr
    (line,) = [x for x in Path(f"{kept}.1").read_text("utf-8").splitlines() if x.startswith("error: ")]
    assert line.startswith("error: Dagster's own storage fails: "), line
    assert "Dagster's own storage fails: " in done.stdout, "the file that could not be run"
    assert "Traceback" not in Path(f"{kept}.1").read_text("utf-8")
    assert subprocess.run(_POLL, env=environ, stdout=subprocess.DEVNULL, timeout=100, check=False).returncode == 0
    judge(polled, api, oracle)


@pytest.mark.parametrize("output", ["closed", "nobody listens", "nobody reads"])
def test_output_that_nobody_reads(polled: Installation, api: ApiPeer, output: str) -> None:
    """A pass whose stdout is closed, or whose output goes into a pipe that is broken or full."""
    oracle = Oracle()
    for number in range(1, 3):
        oracle.show(polled.inbox, f"orders_{number}.csv", orders(number))
    environ = environment(polled)
    if output == "closed":
        done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *_POLL], env=environ, timeout=100, check=False)
        code = done.returncode
    else:
        reading, writing = os.pipe()
        if output == "nobody listens":
            os.close(reading)
        else:
            os.set_blocking(writing, False)
            while True:
                try:
                    os.write(writing, b"x" * 4096)
                except BlockingIOError:
                    break
            os.set_blocking(writing, True)
        child = subprocess.Popen(_POLL, env=environ, stdout=subprocess.DEVNULL, stderr=writing)
        os.close(writing)
        try:
            code = child.wait(timeout=60)
        finally:
            child.kill()
            child.wait()
        if output == "nobody reads":
            os.close(reading)
    assert code == 0
    judge(polled, api, oracle)
