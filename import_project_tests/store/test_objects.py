"""Landing and tables kept in an object store: two machines, each with a folder of its own, and one bucket (S3, by moto)."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import polars as pl
import pytest

from import_project.config.settings import Settings
from import_project.demo import files
from import_project.errors import ConfigError, StoreDamaged, StoreFull
from import_project.store.landing import Landing
from import_project.store.objects import Objects
from import_project.store.tables import DryTables, Tables
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation
from import_project_tests.object_servers import s3_server

ONE, OTHER = pl.DataFrame({"a": [1, 2]}), pl.DataFrame({"a": [3]})


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with s3_server() as url:
        for name, value in {
            "AWS_ENDPOINT_URL": url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "s",
            "AWS_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        signed = "AWS4-HMAC-SHA256 Credential=P/20261122/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
        httpx.put(f"{url}/kept", headers={"authorization": signed}).raise_for_status()
        yield "s3://kept/here"


async def chunks(content: bytes) -> AsyncIterator[bytes]:
    yield content


def receive(landing: Landing, content: bytes) -> str:
    return asyncio.run(landing.receive(chunks(content), expected_size=len(content))).sha256


def test_bytes_that_one_machine_received_are_read_by_another(bucket: str, tmp_path: Path) -> None:
    here, there = (Landing(tmp_path / name, Objects(bucket)) for name in ("here", "there"))
    sha256 = receive(here, b"content")
    assert there.read(sha256) == b"content"
    assert there.proved(sha256).read_bytes() == b"content"
    assert there.head(sha256, 3) == b"con"
    assert not there.has("0" * 64)
    with pytest.raises(StoreDamaged, match="landing has no file"):
        there.proved("0" * 64)


def test_bytes_are_let_go_for_all_unless_they_came_again(bucket: str, tmp_path: Path) -> None:
    here, there = (Landing(tmp_path / name, Objects(bucket)) for name in ("here", "there"))
    sha256 = receive(here, b"content")
    later = datetime.now(UTC) + timedelta(minutes=1)
    assert list(there.older(later)) == [sha256]
    assert list(there.older(later - timedelta(minutes=5))) == []
    assert not there.remove(sha256, later - timedelta(minutes=5)), "it came since"
    assert there.remove(sha256, later)
    assert not there.has(sha256)
    assert list(there.older(later)) == []


def test_tables_are_read_as_the_last_machine_wrote_them(bucket: str, tmp_path: Path) -> None:
    here, there = (Tables(tmp_path / name, Objects(bucket)) for name in ("here", "there"))
    here.write("feed", "accepted", "f1", ONE)
    assert there.read("feed", "accepted", "f1").equals(ONE)
    there.write("feed", "accepted", "f1", OTHER)
    assert here.read("feed", "accepted", "f1").equals(OTHER)
    with here.writing("feed", "f1", "accepted") as made:
        made["accepted"].append(ONE)
    assert there.rows("feed", "accepted", "f1") == 2
    assert pl.concat(there.batches("feed", "accepted", "f1")).equals(ONE)
    here.remove("feed", "accepted", "f1")
    assert not there.has("feed", "accepted", "f1")
    with pytest.raises(StoreDamaged, match="missing"):
        there.read("feed", "accepted", "f1")


def test_tables_that_another_machine_wrote_are_let_go_too(bucket: str, tmp_path: Path) -> None:
    here, there = (Tables(tmp_path / name, Objects(bucket)) for name in ("here", "there"))
    here.write("feed", "accepted", "f1", ONE)
    here.write("feed", "decisions", "f1", ONE)
    later = datetime.now(UTC) + timedelta(minutes=1)
    assert list(there.older(later)) == [("feed", "f1")]
    assert there.forget("feed", "f1", later, first="decisions")
    assert not here.has("feed", "accepted", "f1")
    assert not here.has("feed", "decisions", "f1")
    assert list(here.older(later)) == []


def test_dry_run_reads_through_and_writes_only_here(bucket: str, tmp_path: Path) -> None:
    real = Tables(tmp_path / "real", Objects(bucket))
    real.write("feed", "accepted", "f1", ONE)
    dry = DryTables(tmp_path / "dry", Tables(tmp_path / "other", Objects(bucket)))
    assert dry.read("feed", "accepted", "f1").equals(ONE)
    dry.write("feed", "accepted", "f1", OTHER)
    assert dry.read("feed", "accepted", "f1").equals(OTHER)
    assert real.read("feed", "accepted", "f1").equals(ONE)


def test_store_that_does_not_answer_is_an_error_that_a_retry_helps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bucket: str
) -> None:
    landing = Landing(tmp_path, Objects("s3://no-such-bucket/here"))
    with pytest.raises(StoreFull, match=r"cannot write landing/.* to s3://no-such-bucket/here") as told:
        receive(landing, b"content")
    assert told.value.retry


def test_address_of_no_store_is_refused_with_the_settings() -> None:
    with pytest.raises(ConfigError, match="IMPORT_PROJECT_OBJECTS"):
        Settings.read({"IMPORT_PROJECT_OBJECTS": "/a/folder"})


def test_file_that_was_received_here_goes_on_on_another_machine(
    bucket: str, installation: Installation, api: ApiPeer
) -> None:
    (installation.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    environ = {**installation.environ, "IMPORT_PROJECT_OBJECTS": bucket}
    environ["IMPORT_PROJECT_LEDGER"] = f"sqlite:///{installation.home}/shared.db"
    first = Installation(installation.home, environ, installation.clock)
    second = Installation(
        installation.home, {**environ, "IMPORT_PROJECT_HOME": str(installation.home / "elsewhere")}, installation.clock
    )
    parts = first.parts()
    request = first.poll_until_ready(parts, "orders")
    api.mode = "fail"
    with pytest.raises(Exception, match="orders"):
        first.run(parts, "orders", request)
    parts.close()
    api.mode = "ok"
    installation.clock.advance(seconds=3600)
    parts = second.parts()
    told = second.run(parts, "orders", request, owner="run-2")
    parts.close()
    assert told["conclude"]
    assert max(api.times().values()) == 1
    assert len(api.times()) == 5
