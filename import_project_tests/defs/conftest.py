"""A real Dagster instance in a folder, and the example feeds loaded into definitions against real peers."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.repository_definition import RepositoryDefinition

from import_project.config.load import load_feeds
from import_project.definitions import build_definitions
from import_project.pipeline.parts import Parts
from import_project_tests.http_servers import WebhookPeer, webhook_peer
from import_project_tests.installation import FEEDS, Installation


@dataclass
class Location:
    """The code location with an instance, used as the daemon uses them."""

    installation: Installation
    parts: Parts
    instance: dg.DagsterInstance
    repository: RepositoryDefinition
    feeds: Path

    def tick(self, feed: str) -> dg.SensorResult | dg.SkipReason:
        self.installation.clock.advance(seconds=5)
        sensor = self.repository.get_sensor_def(f"{feed}_sensor")
        context = dg.build_sensor_context(
            instance=self.instance, repository_def=self.repository, resources={"parts": self.parts}
        )
        result = sensor(context)
        assert isinstance(result, dg.SensorResult | dg.SkipReason)
        return result

    def request(self, feed: str) -> dg.RunRequest:
        """Tick once, for a new file is looked at twice within a tick; add its partition as the daemon does."""
        result = self.tick(feed)
        assert isinstance(result, dg.SensorResult)
        for added in result.dynamic_partitions_requests or []:
            assert isinstance(added, dg.AddDynamicPartitionsRequest)
            self.instance.add_dynamic_partitions(added.partitions_def_name, list(added.partition_keys))
        (request,) = result.run_requests or []
        return request

    def run(self, feed: str, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        job = self.repository.get_job(f"{feed}_job")
        return job.execute_in_process(
            instance=self.instance, partition_key=request.partition_key, tags=request.tags, raise_on_error=False
        )


@pytest.fixture
def location(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Location]:
    for name, value in installation.environ.items():
        monkeypatch.setenv(name, value)
    folder = installation.home / "feeds"
    shutil.copytree(FEEDS, folder)
    feeds, broken = load_feeds(folder, installation.environ)
    parts = installation.parts()
    with dg.instance_for_test() as instance:
        yield Location(
            installation=installation,
            parts=parts,
            instance=instance,
            repository=build_definitions(feeds, broken).get_repository_def(),
            feeds=folder,
        )
    parts.close()


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebhookPeer]:
    with webhook_peer() as peer:
        monkeypatch.setenv("IMPORT_PROJECT_ALERT_WEBHOOK", peer.url)
        yield peer
