"""Feeds on disk: what is right loads, and every mistake is one line with file, key and what was expected."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from import_project.config.load import load_feed, load_feeds
from import_project.errors import ConfigError
from import_project_tests.installation import FEEDS

ENVIRON = {
    "BANK_HOST": "sftp.bank.example",
    "BANK_USER": "acme",
    "BANK_KEY": "secret",
    "BANK_FOLDER": "out",
    "ORDERS_INBOX": "inbox",
    "ERP_URL": "http://erp.example",
    "ERP_TOKEN": "t",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The example feeds, copied so that a test can spoil them."""
    for path in FEEDS.rglob("*.yaml"):
        target = tmp_path / path.relative_to(FEEDS)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text("utf-8"), "utf-8")
    (tmp_path / "known_hosts").touch()
    return tmp_path


def environ(folder: Path) -> dict[str, str]:
    return ENVIRON | {"BANK_KNOWN_HOSTS": str(folder / "known_hosts")}


def spoil(folder: Path, name: str, change: Callable[[dict[str, Any]], object]) -> str:
    """Change a file and return the one line that its loading says."""
    path = folder / name
    data = yaml.safe_load(path.read_text("utf-8"))
    change(data)
    path.write_text(yaml.safe_dump(data, sort_keys=False), "utf-8")
    feed = "orders.yaml" if name.startswith(("apis", "schemas")) else name
    with pytest.raises(ConfigError) as error:
        load_feed(folder / feed, environ(folder))
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"{path}: ")
    return str(error.value).removeprefix(f"{path}: ")


def test_example_feeds_load(folder: Path) -> None:
    feeds, broken = load_feeds(folder, environ(folder))
    assert broken == []
    assert [f.name for f in feeds] == ["bankgiro", "orders"]
    bank = feeds[0].feed
    assert bank.source.kind == "sftp"
    assert bank.source.host == "sftp.bank.example"
    assert bank.source.port == 22
    assert bank.format.kind == "bgmax"
    assert feeds[1].feed.format.options == {"delimiter": ";", "encoding": "utf-8"}


def test_relative_paths_start_at_the_feeds_folder(folder: Path) -> None:
    feeds, _ = load_feeds(folder, environ(folder))
    source = feeds[1].feed.source
    assert source.kind == "local_fs"
    assert source.path == folder / "inbox"


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("orders.yaml", lambda d: d.update(feeed="x"), "feeed: unknown key, did you mean feed?"),
        ("orders.yaml", lambda d: d["source"].update(pathh="x"), "source.pathh: unknown key, did you mean path?"),
        ("bankgiro.yaml", lambda d: d["source"].update(hots="x"), "source.hots: unknown key, did you mean host?"),
        ("orders.yaml", lambda d: d.pop("source"), "source: is missing"),
        ("orders.yaml", lambda d: d["source"].pop("path"), "source.path: is missing"),
        (
            "orders.yaml",
            lambda d: d["files"].update(pattern={"regex": "orders["}),
            "files.pattern: 'orders[' is no regular expression: unterminated character set at position 6",
        ),
        (
            "orders.yaml",
            lambda d: d["files"].update(pattern={"glob": "a", "regex": "b"}),
            "files.pattern: give exactly one of glob, regex and dated",
        ),
        ("orders.yaml", lambda d: d.update(schema="nothing"), "schema: no such file: "),
        ("orders.yaml", lambda d: d["post"].update(api="nothing"), "post.api: no such file: "),
        ("orders.yaml", lambda d: d.pop("schema"), "a feed of rows needs schema"),
        ("bankgiro.yaml", lambda d: d.pop("match"), "a feed of payments needs match"),
        ("orders.yaml", lambda d: d["post"].update(matched="/x/{invoice_id}"), "a feed of rows has no post.matched"),
        (
            "orders.yaml",
            lambda d: d["post"].update(rows="/o/{id}"),
            "post.rows: there is no id to post, only ",
        ),
        (
            "bankgiro.yaml",
            lambda d: d["post"].update(matched="/i/{invoice}"),
            "post: matched: there is no invoice to post, only account, ",
        ),
        ("orders.yaml", lambda d: d["format"].update(encoding="base64"), "format.encoding: 'base64' is no encoding"),
        ("orders.yaml", lambda d: d.update(kind="payments"), "a feed of payments needs match"),
        ("orders.yaml", lambda d: d.update(format="bgmax"), "format bgmax does not hold rows"),
        (
            "orders.yaml",
            lambda d: d["format"].update(accept_test=True),
            "format.accept_test: unknown key; known are columns",
        ),
        ("orders.yaml", lambda d: d.update(feed="Not a name"), "feed: String should match pattern"),
        (
            "bankgiro.yaml",
            lambda d: d["source"].update(key="-----BEGIN"),
            "source.key: a secret is not written here: use {env: NAME} or {file: PATH}",
        ),
        ("bankgiro.yaml", lambda d: d["source"].update(key={"file": "no.key"}), "source.key.file: no such file: "),
        ("bankgiro.yaml", lambda d: d["source"].update(known_hosts="gone"), "source.known_hosts: no such file: "),
        ("bankgiro.yaml", lambda d: d["source"].pop("key"), "source: give exactly one of password and key"),
        ("bankgiro.yaml", lambda d: d["source"].update(port="many"), "source.port: expected a whole number"),
        (
            "bankgiro.yaml",
            lambda d: d["source"].update(host={"env": "NOT_SET"}),
            "source.host: the environment variable NOT_SET is not set",
        ),
        ("bankgiro.yaml", lambda d: d["match"].update(rules=["guess"]), "match.rules.0: there is no rule"),
        (
            "bankgiro.yaml",
            lambda d: d["match"].update(rules=[{"tolerance": {"amout": 1}}]),
            "match.rules.0: rule tolerance: amout: unknown key, did you mean amount?",
        ),
        (
            "bankgiro.yaml",
            lambda d: d["match"].update(rules=[{"tolerance": 1}]),
            "match.rules.0: rule tolerance: options are keys",
        ),
        (
            "bankgiro.yaml",
            lambda d: d["match"].update(rules=["partial", "partial"]),
            "match.rules: the rule partial is named twice",
        ),
        (
            "bankgiro.yaml",
            lambda d: d["match"].update(rules=["overpayment"]),
            "the rule overpayment needs post.credits",
        ),
        (
            "bankgiro.yaml",
            lambda d: d["match"].update(invoices={"api": "/i", "file": "x.csv"}),
            "match.invoices: give exactly one of api",
        ),
        (
            "bankgiro.yaml",
            lambda d: d["match"].update(invoices={"sql": "select 1"}),
            "match.invoices: sql and url go together",
        ),
        (
            "bankgiro.yaml",
            lambda d: d["post"].update(unmatched=None),
            "a feed of payments needs exactly one of post.unmatched and post.on_unmatched",
        ),
        ("apis/erp.yaml", lambda d: d.update(base_url="erp"), "base_url: 'erp' is no http or https address"),
        ("apis/erp.yaml", lambda d: d.update(token="t0ken"), "token: a secret is not written here"),
        ("apis/erp.yaml", lambda d: d.update(api="other"), "api: must be erp, as the file's name"),
        (
            "schemas/orders.yaml",
            lambda d: d["columns"][0].update(pattern="["),
            "columns.0: '[' is no regular expression: unclosed character class",
        ),
        (
            "schemas/orders.yaml",
            lambda d: d["columns"][0].update(tpye="text"),
            "columns.0.tpye: unknown key, did you mean type?",
        ),
        ("schemas/orders.yaml", lambda d: d["columns"].append({"name": "amount"}), "column amount is given twice"),
        ("schemas/orders.yaml", lambda d: d.update(key=["gone"]), "key names gone, which is no column"),
        (
            "schemas/orders.yaml",
            lambda d: d["columns"][0].update(minimum=1),
            "columns.0: minimum and maximum need a number",
        ),
    ],
)
def test_mistakes_are_one_line(folder: Path, name: str, change: Callable[[dict[str, Any]], object], told: str) -> None:
    assert spoil(folder, name, change).startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("feed: [", " line 1 "),
        ("feed: a\nfeed: b\n", " line 2 feed: the key is given twice"),
        ("- a\n", " expected keys and values"),
        ("", " expected keys and values"),
    ],
)
def test_files_that_are_no_feed(folder: Path, text: str, told: str) -> None:
    path = folder / "bad.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as error:
        load_feed(path, {})
    assert str(error.value).startswith(f"{path}:{told}")


def test_broken_feed_does_not_disturb_the_others(folder: Path) -> None:
    (folder / "a_broken.yaml").write_text("feed: x\n", "utf-8")
    (folder / "z_same.yaml").write_text((folder / "orders.yaml").read_text("utf-8"), "utf-8")
    feeds, broken = load_feeds(folder, environ(folder))
    assert [f.name for f in feeds] == ["bankgiro", "orders"]
    assert [b.path.name for b in broken] == ["a_broken.yaml", "z_same.yaml"]
    assert "orders is taken by orders.yaml" in str(broken[1].error)


def test_missing_feeds_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no feeds folder"):
        load_feeds(tmp_path / "gone", {})


def test_secret_is_read_each_time_and_never_shown(folder: Path) -> None:
    (folder / "bank.key").write_text("first\n", "utf-8")
    path = folder / "bankgiro.yaml"
    data = yaml.safe_load(path.read_text("utf-8"))
    data["source"]["key"] = {"file": "bank.key"}
    path.write_text(yaml.safe_dump(data), "utf-8")
    feed = load_feed(path, environ(folder)).feed
    assert feed.source.kind == "sftp"
    secret = feed.source.key
    assert secret is not None
    assert secret.reveal({}) == "first"
    (folder / "bank.key").write_text("rotated", "utf-8")
    assert secret.reveal({}) == "rotated"
    (folder / "bank.key").unlink()
    with pytest.raises(ConfigError, match=r"the secret in file .*bank\.key cannot be read"):
        secret.reveal({})
    assert "rotated" not in repr(feed)
