"""What a feed's sensor does when the feed changes on disk, when a file is late, and when files are old."""

from dataclasses import replace
from datetime import timedelta

import dagster as dg
import pytest

from import_project.config.load import load_feeds
from import_project.definitions import build_definitions
from import_project.defs.retention import retention
from import_project.demo import files
from import_project.errors import ConfigError, SourceError
from import_project_tests.defs.conftest import Location
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import rewrite_feed
from import_project_tests.servers import SftpPeer


def told(location: Location) -> list[str]:
    return [waiting.alert.text for waiting in location.parts.ledger.alerts.waiting()]


def test_changed_feed_takes_effect_at_the_next_tick(location: Location) -> None:
    (location.installation.inbox / "later.csv").write_bytes(files.orders_csv())
    for _ in range(2):
        assert isinstance(location.tick("orders"), dg.SkipReason)
    rewrite_feed(location.feeds / "orders.yaml", files={"pattern": {"glob": "later*"}})
    assert location.request("orders").tags["file"] == "later.csv"


def test_feed_that_breaks_fails_its_own_tick_only(location: Location) -> None:
    rewrite_feed(location.feeds / "bankgiro.yaml", kind="nonsense")
    with pytest.raises(ConfigError, match=r"bankgiro\.yaml: kind"):
        location.tick("bankgiro")
    assert isinstance(location.tick("orders"), dg.SkipReason)


def test_feed_that_is_removed_or_renamed_is_polled_no_more(location: Location) -> None:
    (location.feeds / "orders.yaml").rename(location.feeds / "orders.yaml.off")
    result = location.tick("orders")
    assert isinstance(result, dg.SkipReason)
    assert "is gone" in (result.skip_message or "")
    rewrite_feed(location.feeds / "bankgiro.yaml", feed="other")
    result = location.tick("bankgiro")
    assert isinstance(result, dg.SkipReason)
    assert "is the feed other now" in (result.skip_message or "")
    assert location.parts.ledger.sightings.polls() == {}


def expecting(location: Location, on_miss: str) -> None:
    """Expect a file each minute, and wait for it two minutes more."""
    expect = {"cron": "* * * * *", "max_retries": 2, "interval_minutes": 1, "on_miss": on_miss}
    rewrite_feed(location.feeds / "orders.yaml", files={"expect": expect})
    location.tick("orders")
    location.installation.clock.advance(seconds=60)


def test_late_and_missing_file_is_told_once_each(location: Location) -> None:
    expecting(location, "alert")
    for _ in range(3):
        assert isinstance(location.tick("orders"), dg.SkipReason)
    assert ["is late" in text for text in told(location)].count(True) in {1, 2}
    first = told(location)[0]
    assert first.startswith("orders: the file expected at ")
    location.installation.clock.advance(seconds=120)
    for _ in range(2):
        location.tick("orders")
    assert sum("file arrival deadline missed" in text for text in told(location)) in {1, 2}
    assert len(set(told(location))) == len(told(location))


def test_file_that_came_is_not_missed(location: Location, api: ApiPeer) -> None:
    expecting(location, "alert")
    for number in range(4):
        (location.installation.inbox / f"orders_{number}.csv").write_bytes(b"x")
        location.tick("orders")
        location.installation.clock.advance(seconds=55)
    assert not any("missed" in text for text in told(location))


def test_miss_that_is_skipped_is_told_to_nobody(location: Location) -> None:
    expecting(location, "skip")
    location.installation.clock.advance(seconds=300)
    assert isinstance(location.tick("orders"), dg.SkipReason)
    assert told(location) == []


def test_miss_that_fails_is_a_run_that_fails_with_its_reason(location: Location) -> None:
    expecting(location, "fail")
    location.installation.clock.advance(seconds=130)
    assert isinstance(location.tick("orders"), dg.SkipReason), "before the next reload it is told"
    assert "missed" in told(location)[0]
    feeds, broken = load_feeds(location.feeds, location.installation.environ)
    location = replace(location, repository=build_definitions(feeds, broken).get_repository_def())
    result = location.tick("orders")
    assert isinstance(result, dg.SensorResult)
    request = (result.run_requests or [])[0]
    assert request.run_key is not None
    assert request.run_key.startswith("missed:orders:")
    run = location.repository.get_job("orders_deadline_job").execute_in_process(
        instance=location.instance, run_config=request.run_config, raise_on_error=False
    )
    (failure,) = [e for e in run.all_events if e.event_type_value == "STEP_FAILURE"]
    reason = failure.step_failure_data.user_failure_data
    assert reason is not None
    assert (reason.description or "").startswith("orders: file arrival deadline missed: expected at ")


def test_server_that_does_not_answer_hides_no_late_file(location: Location, sftp: SftpPeer) -> None:
    location.tick("bankgiro")
    expect = {"cron": "* * * * *", "max_retries": 0, "on_miss": "alert"}
    rewrite_feed(location.feeds / "bankgiro.yaml", files={"expect": expect})
    location.installation.clock.advance(seconds=120)
    sftp.faults.deny.add("list")
    with pytest.raises(SourceError):
        location.tick("bankgiro")
    assert any("bankgiro: file arrival deadline missed" in text for text in told(location))


def test_old_files_leave_dagster_and_stay_in_the_ledger(location: Location, api: ApiPeer) -> None:
    (location.installation.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    request = location.request("orders")
    assert location.run("orders", request).success
    location.instance.add_dynamic_partitions("orders_files", ["one that never ended"])
    context = dg.build_sensor_context(instance=location.instance)
    retention(context, parts=location.parts)
    assert len(location.instance.get_dynamic_partitions("orders_files")) == 2
    location.installation.clock.ahead += timedelta(days=91)
    retention(context, parts=location.parts)
    assert location.instance.get_dynamic_partitions("orders_files") == ["one that never ended"]
    assert [o.partition for o in location.parts.ledger.outcomes.all()] == [request.partition_key]
