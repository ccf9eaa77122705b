"""Several machines, as `deploy/celery` sets them up: PostgreSQL, Redis, a daemon, and Celery workers, one of which is
killed half way."""

import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from import_project.demo import files
from import_project_tests.children import BIN, ROOT, child, daemon, end
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation, environment
from import_project_tests.servers import SftpPeer, postgres, redis

FILES = 200


def worker(name: str) -> list[str]:
    options = ["--pool", "prefork", "--concurrency", "1", "--queues", "dagster", "--loglevel", "WARNING"]
    return [
        str(BIN / "celery"),
        "-A",
        "import_project.defs.celery_app",
        "worker",
        *options,
        "--hostname",
        f"{name}@here",
    ]


def until(true: Callable[[], bool], seconds: float, logs: Path) -> None:
    started = time.monotonic()
    while not true():
        told = "\n".join(log.read_text("utf-8", "replace")[-3000:] for log in sorted(logs.glob("*.log")))
        assert time.monotonic() - started < seconds, told
        time.sleep(0.2)


@pytest.mark.timeout(420)
def test_two_workers_of_which_one_is_killed_import_every_file_once(
    sftp: SftpPeer, api: ApiPeer, tmp_path: Path
) -> None:
    home = tmp_path / "dagster"
    home.mkdir()
    shutil.copy(ROOT / "deploy" / "celery" / "dagster.yaml", home)
    with postgres(tmp_path) as ledger, redis(tmp_path) as broker:
        with psycopg.connect(ledger, autocommit=True) as connection:
            connection.execute("CREATE DATABASE dagster")
        instance = ledger.replace("postgresql://", "postgresql+psycopg2://").replace("/postgres?", "/dagster?")
        made = Installation.make(tmp_path / "home", sftp, api, ledger=ledger)
        made = made.rewrite("orders", files={"looks": 1, "min_age_seconds": 0})
        feeds = Path(made.environ["IMPORT_PROJECT_FEEDS"])
        (feeds / "bankgiro.yaml").unlink()
        environ = environment(made) | {
            "DAGSTER_HOME": str(home),
            "DAGSTER_POSTGRES_URL": instance,
            "CELERY_BROKER_URL": broker,
            "CELERY_RESULT_BACKEND": broker,
            "IMPORT_PROJECT_LEASE_SECONDS": "5",
            "IMPORT_PROJECT_RETRY_SECONDS": "1",
        }
        for number in range(FILES):
            letters = bytes([65 + number // 26, 65 + number % 26])
            content = files.orders_csv().replace(b"AB-", letters + b"-")
            (made.inbox / f"orders_{number:03}.csv").write_bytes(content)
        parts = made.parts()

        def done() -> int:
            return sum(o.state == "done" for o in parts.ledger.outcomes.all())

        with (
            daemon(environ, tmp_path / "daemon.log"),
            child(worker("one"), environ, tmp_path / "one.log") as killed,
            child(worker("two"), environ, tmp_path / "two.log"),
        ):
            until(lambda: done() >= FILES // 3, 150, tmp_path)
            end(killed, signal.SIGKILL)
            left = done()
            assert left < FILES, "it was killed half way"
            until(lambda: done() == FILES, 240, tmp_path)
        states = Counter(o.state for o in parts.ledger.outcomes.all())
        parts.close()
    assert states == {"done": FILES}
    assert len(api.times()) == 5 * FILES
    assert max(api.times().values()) == 1
