"""Secrets that can be told from anything else, in every place that may hold one; real commands along their error paths; and a
search for them in all that is printed, stored or shown of a process. That they are used, and that the search finds, is proved
too.
"""

import base64
import json
import shutil
import sqlite3
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import asyncssh
import httpx
import polars as pl
import pytest
import yaml
from aiosmtpd.smtp import AuthResult, LoginPassword

from import_project.api.app import build_app
from import_project.config.settings import Settings
from import_project.demo import files
from import_project_tests.api.conftest import write_workspace
from import_project_tests.file_server import FilePeer, file_server
from import_project_tests.http_servers import ApiPeer, WebhookPeer, http_server, webhook_peer
from import_project_tests.installation import FEEDS, Installation, environment, rewrite_feed
from import_project_tests.mail_server import SmtpPeer, mail_peer
from import_project_tests.pipeline.drops import drop_bgmax, drop_orders
from import_project_tests.proof.canaries import ProcessTable, contents, shown
from import_project_tests.proof.oracle import orders
from import_project_tests.servers import SftpPeer

_COMMAND = str(Path(sys.executable).with_name("import-project"))
_LONG = 16
_SFTP_PASSWORD = "right-password"  # the peer's own


@dataclass
class House:
    """An installation with a secret in each place for one, the peers that want them, and all that was printed."""

    installation: Installation
    secrets: dict[str, str]
    web: FilePeer
    webhook: WebhookPeer
    mail: SmtpPeer
    logins: list[bool]
    printed: list[tuple[str, bytes]] = field(default_factory=list)

    def run(self, *arguments: str, **environ: str) -> tuple[int, str]:
        """Run a command. Returns its exit code and all it printed."""
        given = environment(self.installation) | environ
        done = subprocess.run([_COMMAND, *arguments], env=given, capture_output=True, check=False, timeout=100)
        self.printed += [(" ".join(arguments), done.stdout), (" ".join(arguments), done.stderr)]
        return done.returncode, (done.stdout + done.stderr).decode()

    def folders(self) -> list[Path]:
        home = self.installation.home
        return [home / name for name in ("state", "dagster", "inbox", "feeds", "temporary")]


@pytest.fixture
def house(installation: Installation, sftp: SftpPeer, api: ApiPeer, tmp_path: Path) -> Iterator[House]:
    names = ("token", "phrase", "web", "hook", "mail", "wrong", "ledger", "broken")
    secrets = {name: f"{name}+{uuid4().hex}/ä" if name == "broken" else f"{name}+{uuid4().hex}/=" for name in names}
    secrets["password"] = _SFTP_PASSWORD
    api.token, api.invoices = secrets["token"], files.invoices()
    key = asyncssh.import_private_key(sftp.user_key).export_private_key("pkcs8-pem", secrets["phrase"]).decode()
    secrets |= {f"key, line {n}": line for n, line in enumerate(key.splitlines()[1:-1]) if len(line) > _LONG}
    (tmp_path / "mail_password").write_text(secrets["mail"], "utf-8")
    logins: list[bool] = []

    def login(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        logins.append(isinstance(data, LoginPassword) and data.password == secrets["mail"].encode())
        return AuthResult(success=logins[-1], handled=False)

    made = installation.rewrite("bankgiro", files={"looks": 1, "min_age_seconds": 0}, poll={"every_seconds": 1})
    once = {"attempts": 2, "delay_seconds": 0.1}
    made = made.rewrite("orders", files={"looks": 1, "min_age_seconds": 0}, poll={"every_seconds": 1}, run=once)
    retry = {"first_seconds": 0.05, "longest_seconds": 0.1, "budget_seconds": 0.2}
    breaker = {"first_seconds": 0.05, "longest_seconds": 0.1}
    rewrite_feed(Path(made.environ["IMPORT_PROJECT_FEEDS"], "apis", "erp.yaml"), retry=retry, breaker=breaker)
    with ExitStack() as peers:
        web = peers.enter_context(file_server()).fresh()
        web.authorization = f"Bearer {secrets['web']}"
        webhook = peers.enter_context(webhook_peer())
        mail = peers.enter_context(mail_peer(authenticator=login, auth_require_tls=False))
        bank = {"kind": "sftp", "host": "127.0.0.1", "port": sftp.port, "username": "acme", "path": "paper"}
        bank |= {"known_hosts": str(sftp.known_hosts), "password": {"env": "PAPER_PASSWORD"}}
        pulled = {"kind": "http_pull", "urls": [f"{web.url}/out/orders_pulled.csv"], "token": {"env": "WEB_TOKEN"}}
        write_feeds(made, bankgiro={"passphrase": {"env": "BANK_PHRASE"}}, paper=bank, pulled=pulled)
        for name in ("dagster", "temporary"):
            (tmp_path / name).mkdir()
        (sftp.root / "paper").mkdir()
        shutil.copy(FEEDS.parent / "dagster.yaml", tmp_path / "dagster" / "dagster.yaml")
        environ = {
            "BANK_KEY": key,
            "BANK_PHRASE": secrets["phrase"],
            "ERP_TOKEN": secrets["token"],
            "PAPER_PASSWORD": secrets["password"],
            "WEB_TOKEN": secrets["web"],
            "IMPORT_PROJECT_ALERT_WEBHOOK": f"{webhook.url}?token={quote(secrets['hook'], safe='')}",
            "IMPORT_PROJECT_ALERT_EMAIL": "a@b.example",
            "IMPORT_PROJECT_ALERT_SMTP": f"smtp+plain://ann@127.0.0.1:{mail.port}",
            "IMPORT_PROJECT_ALERT_SMTP_PASSWORD_FILE": str(tmp_path / "mail_password"),
            "DAGSTER_HOME": str(tmp_path / "dagster"),
            "TMPDIR": str(tmp_path / "temporary"),
        }
        made = replace(made, environ={**made.environ, **environ})
        yield House(made, secrets, web, webhook, mail, logins)


def write_feeds(installation: Installation, *, bankgiro: dict[str, Any], **sources: dict[str, Any]) -> None:
    """Add to the bank's source, and write feeds like `orders` with other sources."""
    folder = Path(installation.environ["IMPORT_PROJECT_FEEDS"])
    for name, source in {"bankgiro": bankgiro, **sources}.items():
        like = folder / f"{'bankgiro' if name == 'bankgiro' else 'orders'}.yaml"
        feed = yaml.safe_load(like.read_text("utf-8"))
        made: dict[str, Any] = {**feed["source"], **source} if name == "bankgiro" else source
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({**feed, "feed": name, "source": made}), "utf-8")


def drop_all(house: House, sftp: SftpPeer) -> None:
    """A file in every inbox of rows."""
    drop_orders(house.installation, orders(1), "orders_1.csv")
    (sftp.root / "paper" / "orders_3.csv").write_bytes(orders(100))
    house.web.files["/out/orders_pulled.csv"] = orders(200)
    house.web.modified["/out/orders_pulled.csv"] = time.time() - 3600


def broken_feeds(house: House) -> str:
    """Feeds with a mistake beside the secret, and with the secret itself where it does not belong."""
    folder = house.installation.home / "broken_feeds"
    shutil.copytree(house.installation.environ["IMPORT_PROJECT_FEEDS"], folder)
    wrong = house.secrets["wrong"]
    changes: dict[str, dict[str, Any]] = {
        "bankgiro": {"port": "many"},
        "paper": {"password": wrong},
        "pulled": {"token": {"env": "WEB_TOKEN", "file": wrong[:8]}, "password": wrong},
        "orders": {"password": wrong},
    }
    for name, change in changes.items():
        path = folder / f"{name}.yaml"
        feed = yaml.safe_load(path.read_text("utf-8"))
        path.write_text(yaml.safe_dump({**feed, "source": {**feed["source"], **change}}), "utf-8")
    return str(folder)


@pytest.mark.timeout(600)  # many processes, one after the other
def test_no_secret_is_shown_anywhere(house: House, sftp: SftpPeer, api: ApiPeer) -> None:
    """One pass that works, then everything that can go wrong where a secret is at hand."""
    with ProcessTable() as table:
        drop_bgmax(sftp)
        drop_all(house, sftp)
        assert house.run("poll", "--once", "--json")[0] == 0, house.printed
        assert len(api.effects) == 22, "every login worked: 10 of the bank, 4 of each other feed"
        assert house.run("alerts", "test")[0] == 0, house.printed
        assert house.webhook.received
        assert house.mail.received
        assert house.logins
        assert all(house.logins)
        walk_what_is_refused(house, api)
        walk_what_is_unusable(house, api)
        for arguments in (("postings", "list"), ("report", "orders_2.csv"), ("alerts", "list"), ("files", "--open")):
            assert house.run(*arguments)[0] == 0, house.printed[-2:]
    assert any(b"import-project\0poll" in line for line in table.seen)
    found = [("command line", shown(house.secrets, line)) for line in table.seen]
    found += [(name, shown(house.secrets, content)) for name, content in (*house.printed, *contents(house.folders()))]
    assert [one for one in found if one[1]] == []


def walk_what_is_refused(house: House, api: ApiPeer) -> None:
    """Wrong passwords, tokens and passphrases; an API that refuses, fails, drops and shows pages; nobody who listens."""
    wrong = house.secrets["wrong"]
    refused = dict.fromkeys(("BANK_PHRASE", "PAPER_PASSWORD", "WEB_TOKEN", "ERP_TOKEN"), wrong)
    refused["IMPORT_PROJECT_ALERT_SMTP_PASSWORD_FILE"] = secret_file(house, "wrong")
    drop_orders(house.installation, orders(2), "orders_2.csv")
    api.mode, house.webhook.status = "refuse_us", 500
    code, told = house.run("--debug", "poll", "--once", **refused, IMPORT_PROJECT_LOG="json")
    assert code == 2, told
    assert missing(told, "login", "401") == [], told
    assert house.run("--debug", "alerts", "test", **refused)[0] == 1
    assert house.logins[-1] is False
    assert "login accepted" in house.run("doctor")[1], "or the logins that were refused would be spared for a minute"
    drop_orders(house.installation, orders(3), "orders_4.csv")
    api.mode, api.fail_if = "apply_then_drop", lambda body: body["amount"].endswith("2")
    nobody = {"BANK_PORT": "1", "IMPORT_PROJECT_ALERT_SMTP": "smtp://ann@127.0.0.1:1"}
    nobody["IMPORT_PROJECT_ALERT_WEBHOOK"] = f"http://127.0.0.1:1/{quote(house.secrets['hook'], safe='')}"
    code, told = house.run("--debug", "poll", "--once", **nobody)
    assert code == 2, told
    assert missing(told, "cannot connect", "end of file") == [], told
    drop_orders(house.installation, orders(4), "orders_5.csv")
    api.mode = "web_page"
    assert house.run("poll", "--once", "--json")[0] == 1, house.printed[-2:]
    code, told = house.run("doctor", **nobody, **refused, ERP_URL="http://127.0.0.1:1")
    assert code == 1, told
    assert missing(told, "Connection refused") == [], told


def walk_what_is_unusable(house: House, api: ApiPeer) -> None:
    """Secrets that are no keys and fit in no header; mistakes beside a secret, and one where none belongs."""
    api.mode = "ok"
    names = ("BANK_KEY", "BANK_PHRASE", "PAPER_PASSWORD", "ERP_TOKEN", "WEB_TOKEN")
    unusable = dict.fromkeys(names, house.secrets["broken"])
    unusable["IMPORT_PROJECT_ALERT_SMTP_PASSWORD_FILE"] = secret_file(house, "broken")
    for arguments, words in {
        ("--debug", "doctor"): "holds what no header can",
        ("--debug", "poll", "--once"): "the private key for",
        ("--debug", "alerts", "test"): "holds what no login can",
    }.items():
        code, told = house.run(*arguments, **unusable)
        assert code != 0, told
        assert missing(told, words) == [], told
    folder = broken_feeds(house)
    for arguments in (("--debug", "feeds", "check"), ("--debug", "poll", "--once")):
        code, told = house.run(*arguments, IMPORT_PROJECT_FEEDS=folder)
        assert code != 0, told
        assert missing(told, "a secret is not written here") == [], told
    elsewhere = f"postgresql://ann:{quote(house.secrets['ledger'], safe='')}@127.0.0.1:1/none"
    code, told = house.run("--debug", "postings", "list", IMPORT_PROJECT_LEDGER=elsewhere)
    assert code != 0, told
    assert missing(told, "the ledger does not answer") == [], told
    code, told = house.run("--debug", "alerts", "test", IMPORT_PROJECT_ALERT_WEBHOOK=house.secrets["hook"])
    assert code != 0, told
    assert missing(told, "IMPORT_PROJECT_ALERT_WEBHOOK") == [], told


def missing(told: str, *words: str) -> list[str]:
    return [word for word in words if word not in told]


def secret_file(house: House, name: str) -> str:
    path = house.installation.home / f"{name}_password"
    path.write_text(house.secrets[name], "utf-8")
    return str(path)


def test_front_desk_shows_no_token(house: House, api: ApiPeer) -> None:
    """Neither its callers' nor the API's, in no answer and not in the ledger, whatever is wrong."""
    write_workspace(house.installation, "finance", feeds=["orders"])
    assert house.run("tokens", "create", "--workspace", "finance", "--name", "anna", "--role", "admin")[0] == 0
    secrets = {**house.secrets, "caller": house.printed.pop(0)[1].decode().strip()}
    api.mode = "refuse_us"
    app = build_app(Settings.read(house.installation.environ), house.installation.environ)
    answers: list[httpx.Response] = []
    with http_server(app, lifespan="on") as url, httpx.Client(base_url=url, timeout=60) as client:
        for token in (secrets["caller"], secrets["wrong"], secrets["caller"] + "x"):
            headers = {"authorization": f"Bearer {token}"}
            form = {"data": {"feed": "orders"}, "files": {"file": ("orders_1.csv", orders(1))}}
            answers += [client.get(path, headers=headers) for path in ("/health", "/jobs/none", "/jobs", "/nowhere")]
            answers.append(client.post("/jobs/ingest", headers=headers, **form))  # type: ignore[arg-type]
            answers.append(client.post("/jobs/ingest", headers=headers, data={"feed": token}))
            answers.append(client.get("/jobs", params={"feed": token}, headers=headers))
    assert {200, 202, 401, 404} <= {answer.status_code for answer in answers}, [a.status_code for a in answers]
    found = [(str(a.request.url.path), shown(secrets, a.content + str(a.headers).encode())) for a in answers]
    found += [(name, shown(secrets, content)) for name, content in (*house.printed, *contents(house.folders()))]
    assert [one for one in found if one[1]] == []


def test_search_finds_what_is_planted(tmp_path: Path) -> None:
    secret = f"canary+{uuid4().hex}/="
    plain = {"raw": secret, "address": f"?t={quote(secret, safe='')}", "json": json.dumps({"a": secret})}
    for n in range(3):
        plain[f"base64 {n}"] = base64.b64encode(f"{'x' * n}{secret}:more".encode()).decode()
    for name, text in plain.items():
        (tmp_path / name).write_text(text, "utf-8")
    pl.DataFrame({"a": [f"so {secret}"] * 1000}).write_parquet(tmp_path / "table.parquet", compression="zstd")
    with closing(sqlite3.connect(tmp_path / "database.db")) as database:
        database.execute("CREATE TABLE t (a BLOB)")
        database.execute("INSERT INTO t VALUES (?)", (zlib.compress(f"an event with {secret}".encode()),))
        database.commit()
    found = {name for name, content in contents([tmp_path]) if shown({"it": secret}, content)}
    here = {str(tmp_path / name) for name in (*plain, "table.parquet")} | {f"{tmp_path / 'database.db'}, table t"}
    assert found == here
    with ProcessTable() as table, subprocess.Popen([secret, "0.5"], executable=shutil.which("sleep")):
        pass
    assert any(shown({"it": secret}, line) for line in table.seen)
