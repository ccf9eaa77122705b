"""The real Dagster daemon with real sensors: a partner that hangs delays nobody, and feeds come, change and go without a
restart. Slow, so all of it is one story."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from import_project.demo import files
from import_project_tests.children import ROOT, daemon
from import_project_tests.http_servers import ApiPeer, webhook_peer
from import_project_tests.installation import FEEDS, Installation, environment
from import_project_tests.mail_server import mail_peer
from import_project_tests.sources.test_sftp import silent_server


def until(true: Callable[[], bool], seconds: float, log: Path) -> float:
    """Wait, and return how long it took."""
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < seconds, log.read_text("utf-8")[-3000:]
        time.sleep(0.2)
    return time.monotonic() - started


@pytest.mark.timeout(400)
def test_daemon(installation: Installation, api: ApiPeer, tmp_path: Path) -> None:
    feeds, log = tmp_path / "feeds", tmp_path / "daemon.log"
    shutil.copytree(FEEDS, feeds)
    home = tmp_path / "dagster"
    home.mkdir()
    shutil.copyfile(ROOT / "dagster.yaml", home / "dagster.yaml")
    parts = installation.parts()
    bank = yaml.safe_load((feeds / "bankgiro.yaml").read_text("utf-8"))
    bank["source"] |= {"connect_timeout": 300, "login_timeout": 300}
    (feeds / "bankgiro.yaml").write_text(yaml.safe_dump(bank), "utf-8")

    def ended() -> list[str]:
        return [o.name for o in parts.ledger.outcomes.all() if o.state == "done"]

    def drop(name: str, number: int) -> None:
        content = files.orders_csv().replace(b"AB-", b"%02d-" % number)
        (installation.inbox / name).write_bytes(content)

    with silent_server() as port, webhook_peer() as webhook, mail_peer() as mail:
        environ = environment(installation) | {
            "IMPORT_PROJECT_FEEDS": str(feeds),
            "DAGSTER_HOME": str(home),
            "BANK_PORT": str(port),
            "IMPORT_PROJECT_ALERT_WEBHOOK": webhook.url,
            "IMPORT_PROJECT_ALERT_EMAIL": "treasury@bank.example",
            "IMPORT_PROJECT_ALERT_SMTP": f"smtp+plain://127.0.0.1:{mail.port}",
        }
        with daemon(environ, log):
            drop("orders_1.csv", 1)
            until(lambda: ended() == ["orders_1.csv"], 90, log)
            drop("orders_2.csv", 2)  # the bank's tick hangs all the while
            took = until(lambda: len(ended()) == 2, 60, log)
            assert took < 2 * 5 + 30, "two polls, and the run itself"

            wide = (feeds / "orders.yaml").read_text("utf-8").replace("orders*.csv", "[op]*.csv")
            (feeds / "orders.yaml").write_text(wide, "utf-8")
            drop("p_3.csv", 3)
            until(lambda: "p_3.csv" in ended(), 60, log)

            second = tmp_path / "second"
            second.mkdir()
            added = (feeds / "orders.yaml").read_text("utf-8").replace("feed: orders", "feed: second")
            (feeds / "broken.yaml").write_text("feed: broken\n", "utf-8")
            (feeds / "second.yaml").write_text(added.replace("{env: ORDERS_INBOX}", str(second)), "utf-8")
            (second / "orders_4.csv").write_bytes(files.orders_csv())
            until(lambda: "orders_4.csv" in ended(), 150, log)
            until(lambda: any("bankgiro_sensor failed" in m["text"] for m in webhook.received), 90, log)

            def told(words: str) -> tuple[int, int]:
                mails = [str(m["Subject"]) for m in mail.received]
                return sum(words in m["text"] for m in webhook.received), sum(words in m for m in mails)

            until(lambda: told("broken_sensor failed: ") == (1, 1), 90, log)
            mended = added.replace("feed: second", "feed: broken").replace("{env: ORDERS_INBOX}", str(second))
            (feeds / "broken.yaml").write_text(mended, "utf-8")
            until(lambda: told("broken_sensor works again") == (1, 1), 150, log)
            assert told("broken_sensor failed: ") == (1, 1), "once over each channel"
    assert max(api.times().values()) == 1
    parts.close()
