"""`import-project doctor`: each thing that can be wrong is told with how to mend it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from import_project_tests.cli.test_inspect import command
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import FEEDS, Installation, environment
from import_project_tests.servers import SftpPeer


def findings(installation: Installation, *arguments: str, **environ: str) -> tuple[dict[str, Any], int]:
    """Return what was found by feed and check, and the exit code."""
    done = command("doctor", "--json", *arguments, environ=environment(installation) | environ)
    found = {f"{f['feed']}: {f['check']}": f for f in json.loads(done.stdout)}
    assert done.returncode == 0 or done.stderr.startswith("error: "), done.stderr
    return found, done.returncode


def test_all_is_well(installation: Installation, api: ApiPeer) -> None:
    found, code = findings(installation)
    assert code == 0
    assert all(f["ok"] for f in found.values())
    assert len(found) == 12
    assert found["bankgiro: connect"]["told"] == "host key and login accepted"
    assert found["bankgiro: rename into processing"]["told"] == ".processing"
    left = [p for folder in (installation.inbox,) for p in folder.rglob("*") if p.is_file()]
    assert left == []
    done = command("doctor", "orders", environ=environment(installation))
    assert "0 files fit the pattern" in done.stdout


@pytest.mark.parametrize(
    ("operation", "check", "do"),
    [
        ("list", "bankgiro: list", "ask the partner for the right"),
        ("rename", "bankgiro: rename into archive", "have the account given the right, or say read_only: true"),
    ],
)
def test_right_that_is_missing(installation: Installation, sftp: SftpPeer, operation: str, check: str, do: str) -> None:
    sftp.faults.deny.add(operation)
    found, code = findings(installation, "bankgiro")
    assert code == 1
    assert (found[check]["ok"], found[check]["do"]) == (False, do)
    assert found["bankgiro: api"]["ok"], "the API is tried out whatever the source does"


def test_secret_that_everybody_may_read(installation: Installation, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("test-token", "utf-8")
    for folder in (token, *tmp_path.parents, tmp_path):  # every step down to it is open
        folder.chmod(0o644 if folder == token else folder.stat().st_mode | 0o011)
    changed = installation.rewrite("orders")
    path = Path(changed.environ["IMPORT_PROJECT_FEEDS"], "apis", "erp.yaml")
    path.write_text(path.read_text("utf-8").replace("{env: ERP_TOKEN}", f"{{file: {token}}}"), "utf-8")
    found, code = findings(changed, "orders")
    assert (code, found["orders: secrets"]["ok"]) == (1, False)
    assert found["orders: secrets"]["do"] == f"chmod o= {token}"
    token.chmod(0o640)
    found, code = findings(changed, "orders")
    assert (code, found["orders: secrets"]["ok"]) == (0, True)


def test_strange_host_key(installation: Installation, tmp_path: Path) -> None:
    (tmp_path / "none").touch()
    found, code = findings(installation, "bankgiro", BANK_KNOWN_HOSTS=str(tmp_path / "none"))
    assert code == 1
    key = found["bankgiro: host key"]
    assert "Host key is not trusted" in key["told"]
    known = Path(installation.environ["BANK_KNOWN_HOSTS"]).read_text("utf-8").split()
    assert "compare SHA256:" in key["do"]
    assert " ".join(known[:3]) in key["do"], "the very line that makes the server known"


def test_trust_in_sha1_is_called_to_mind(installation: Installation) -> None:
    found, code = findings(installation.rewrite("bankgiro", source={"legacy_ssh": True}), "bankgiro")
    assert (code, "leave out source.legacy_ssh" in found["bankgiro: host key"]["told"]) == (0, True)


def test_api_that_refuses_or_is_not_there(installation: Installation) -> None:
    found, _ = findings(installation, "bankgiro", ERP_TOKEN="wrong")
    assert "check the API's token" in found["bankgiro: api"]["do"]
    found, _ = findings(installation, "bankgiro", ERP_URL="http://127.0.0.1:9")
    assert not found["bankgiro: api"]["ok"]
    assert "wrong" not in json.dumps(found)


def test_broken_and_unknown_feeds(installation: Installation, tmp_path: Path) -> None:
    folder = tmp_path / "feeds"
    shutil.copytree(FEEDS, folder)
    (folder / "orders.yaml").write_text("feed: orders\n", "utf-8")
    found, code = findings(installation, IMPORT_PROJECT_FEEDS=str(folder))
    assert code == 1
    assert "is missing" in found["orders: feed file"]["told"]
    assert found["bankgiro: api"]["ok"]
    done = command("doctor", "nobody", environ=environment(installation))
    assert done.returncode == 1
    assert done.stderr.startswith("error: no feed nobody in ")
