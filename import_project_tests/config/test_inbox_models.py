"""What can be wrong with a feed's inbox, each told in one line that begins with the key; and what the models mean."""

from pathlib import Path
from typing import Any

import pytest

from import_project.config.files import Files
from import_project.config.load import load_feed, load_feeds
from import_project_tests.config.test_feeds import environ, folder, spoil

__all__ = ["folder"]

EXPECT = {"cron": "0 7 * * 1-5"}
SFTP = {"kind": "sftp", "host": "h", "username": "u", "known_hosts": "known_hosts"}


def files_told(folder: Path, **files: Any) -> str:
    return spoil(folder, "orders.yaml", lambda d: d["files"].update(files))


def source_told(folder: Path, **source: Any) -> str:
    return spoil(folder, "orders.yaml", lambda d: d.update(source=source))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"pattern": {"regex": "("}}, "files.pattern: '(' is no regular expression: missing ), unterminated"),
        ({"pattern": {"dated": "a*"}}, "files.pattern: 'a*' holds no date"),
        ({"pattern": {"dated": "{date}"}}, "files.pattern: unknown {date}; known are {YYYY}"),
        ({"pattern": {"dated": "{DD}"}}, "files.pattern: '{DD}' holds {DD} and no {MM}"),
        (
            {"pattern": {"glob": "*", "timezone": "Stockholm"}},
            "files.pattern.timezone: 'Stockholm' is no IANA time zone, such as Europe/Stockholm",
        ),
        ({"pattern": {"glob": "*", "timezone": "../etc/passwd"}}, "files.pattern.timezone: '../etc/passwd' is no IANA"),
        ({"pattern": {"glob": "*", "days_back": 3}}, "files.pattern: days_back belongs to dated"),
        ({"pattern": {"glob": "sub/*.csv"}}, "files.pattern: a pattern is for names, not paths"),
        ({"pattern": {"regex": ""}}, "files.pattern: an empty pattern means no file"),
        ({"pattern": "*.csv"}, "files.pattern: expected keys and values, such as {glob: '*.csv'}"),
        ({"pattern": {"regex": "a{99999999999}"}}, "files.pattern: 'a{99999999999}' is no regular expression: "),
        ({"pattern": {"regex": "(" * 5000}}, "files.pattern: "),
        ({"pattern": {"dated": "{YYYY}", "days_back": 10**9}}, "files.pattern.days_back: must be less than"),
        ({"looks": "two"}, "files.looks: expected a whole number"),
        ({"min_age_seconds": float("inf")}, "files.min_age_seconds: must be less than"),
        ({"order": "fifo"}, "files.order: must be 'process_all', 'latest_by_mtime', 'fifo_by_name' or"),
        ({"limit_per_poll": 0}, "files.limit_per_poll: must be greater than or equal to 1"),
        ({"done_file": "done"}, "files: done_file must hold {name} or {stem} once"),
        ({"done_file": "{name}"}, "files: done_file must hold {name} or {stem} once and something else"),
        ({"done_file": "{file}.done"}, "files: done_file must hold {name} or {stem} once"),
        ({"folders": {"processing": ".p/{YYYY}"}}, "files.folders: processing cannot hold a date"),
        ({"folders": {"archive": "../old"}}, "files.folders: archive '../old' is no usable folder"),
        ({"folders": {"archive": "a//b"}}, "files.folders: archive 'a//b' is no usable folder"),
        ({"folders": {"archive": "old/{year}"}}, "files.folders: unknown {year}; known are {YYYY}"),
        ({"folders": {"archive": ".failed"}}, "files.folders: processing, archive and failed must be three folders"),
        ({"again": {"same_name_new_bytes": "ignore"}}, "files.again.same_name_new_bytes: must be 'skip',"),
        ({"expect": {"cron": "7 o'clock"}}, 'files.expect: cron "7 o\'clock": '),
        (
            {"expect": EXPECT | {"holidays": ["SWEDEN"]}},
            "files.expect: holidays: 'SWEDEN' is neither a date nor a country",
        ),
        ({"expect": EXPECT | {"holidays": [False]}}, "files.expect.holidays: write 'NO' in quotes"),
        ({"expect": EXPECT | {"on_miss": "cry"}}, "files.expect.on_miss: must be 'alert', 'skip' or 'fail'"),
        ({"expect": EXPECT | {"max_retrys": 1}}, "files.expect.max_retrys: unknown key, did you mean max_retries?"),
        ({"unpack": {"pgp_key": "-----BEGIN"}}, "files.unpack.pgp_key: a secret is not written here"),
    ],
)
def test_mistakes_in_files(folder: Path, given: dict[str, Any], told: str) -> None:
    assert files_told(folder, **given).startswith(told)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"kind": "smtp"},
            "source: kind 'smtp' is none of local_fs, sftp, ftp, s3, gcs, azure_blob, http_pull; did you mean sftp?",
        ),
        ({"kind": "ftp", "host": "h", "username": "u"}, "source.password: is missing"),
        ({"kind": "ftp", "tls": "maybe", "host": "h", "username": "u", "password": {"env": "P"}}, "source.tls: "),
        ({"kind": "s3", "bucket": "b"}, "source: give access_key_id and secret_access_key, or say machine_login: true"),
        ({"kind": "gcs", "bucket": "b"}, "source: give service_account_key, or say machine_login: true"),
        ({"kind": "azure_blob", "account": "a", "container": "c"}, "source: give exactly one of account_key and sas"),
        ({"kind": "http_pull", "urls": []}, "source.urls: Tuple should have at least 1 item"),
        ({"kind": "http_pull", "urls": ["ftp://h/a.csv"]}, "source.urls.0: 'ftp://h/a.csv' is no http or https"),
        ({"kind": "http_pull", "urls": ["https://h/{day}.csv"]}, "source: unknown {day}; known are {YYYY}"),
        (SFTP | {"password": {"env": "P"}, "key": {"env": "K"}}, "source: give exactly one of password and key"),
        (SFTP | {"password": {"env": "P"}, "port": 99_999}, "source.port: must be less than or equal to 65535"),
        ({"kind": "local_fs", "path": ".", "host": "h"}, "source.host: unknown key; known are kind, path, read_only"),
        ({"kind": "local_fs", "path": ".", "read_only": "maybe"}, "source.read_only: expected true or false"),
        ({"kind": "http_pull", "urls": "https://h/a"}, "source.urls: expected a list: [A, B]"),
        (SFTP | {"password": {"env": "P"}, "step_timeout": 0}, "source.step_timeout: must be greater than 0"),
    ],
)
def test_mistakes_in_sources(folder: Path, given: dict[str, Any], told: str) -> None:
    assert source_told(folder, **given).startswith(told)


def test_done_files() -> None:
    named = Files.model_validate({"pattern": {"glob": "*"}, "done_file": "{name}.done"})
    assert named.done_name("a.csv") == "a.csv.done"
    assert [named.is_done_file(n) for n in ("a.csv.done", "a.csv", ".done")] == [True, False, False]
    stem = Files.model_validate({"pattern": {"glob": "*"}, "done_file": "ok_{stem}.txt"})
    assert stem.done_name("a.b.csv") == "ok_a.b.txt"
    assert stem.done_name("a") == "ok_a.txt"
    assert [stem.is_done_file(n) for n in ("ok_a.txt", "ok_.txt", "a.txt")] == [True, False, False]
    none = Files.model_validate({"pattern": {"glob": "*"}})
    assert (none.done_name("a"), none.is_done_file("a.done")) == (None, False)


def test_every_kind_of_source_can_be_written(folder: Path) -> None:
    kinds: list[dict[str, Any]] = [
        {"kind": "ftp", "host": "h", "username": "u", "password": {"env": "P"}, "tls": "none", "path": "/out"},
        {"kind": "s3", "bucket": "b", "machine_login": True},
        {"kind": "gcs", "bucket": "b", "prefix": "in", "service_account_key": {"env": "K"}},
        {"kind": "azure_blob", "account": "a", "container": "c", "sas": {"env": "S"}},
        {"kind": "http_pull", "urls": ["https://h/{YYYYMMDD}.csv"], "token": {"env": "T"}},
    ]
    import yaml

    path = folder / "orders.yaml"
    data = yaml.safe_load(path.read_text("utf-8"))
    for source in kinds:
        path.write_text(yaml.safe_dump({**data, "source": source}), "utf-8")
        loaded = load_feed(path, environ(folder))
        assert loaded.feed.source.kind == source["kind"]
        assert loaded.feed.source.read_only is (source["kind"] == "http_pull")


def test_what_means_nothing_for_a_source_is_refused(folder: Path) -> None:
    web = {"kind": "http_pull", "urls": ["https://h/a.csv"]}
    told = spoil(folder, "orders.yaml", lambda d: d.update(source=web, files=d["files"] | {"done_file": "{name}.ok"}))
    assert told.startswith("files.done_file has no meaning at fixed addresses")


def test_read_only_source_has_no_folders(folder: Path) -> None:
    told = spoil(
        folder,
        "orders.yaml",
        lambda d: d.update(
            source=d["source"] | {"read_only": True}, files=d["files"] | {"folders": {"archive": "old"}}
        ),
    )
    assert told.startswith("files.folders has no meaning where nothing is moved")


@pytest.mark.parametrize("text", ["feed: {{ INBOX }}", "? {a: b}\n: c", "? [a]\n: b"])
def test_whatever_one_file_holds_the_others_load(folder: Path, text: str) -> None:
    (folder / "strange.yaml").write_text(text, "utf-8")
    (folder / "ignored.yml").write_text("feed: x", "utf-8")
    feeds, broken = load_feeds(folder, environ(folder))
    assert [f.name for f in feeds] == ["bankgiro", "orders"]
    assert [b.path.name for b in broken] == ["strange.yaml", "ignored.yml"]
    assert "a feed's file is named *.yaml" in broken[1].error.what
    if "INBOX" in text:
        assert "line 1 a key cannot hold keys of its own; put what has braces in quotes" in broken[0].error.what
