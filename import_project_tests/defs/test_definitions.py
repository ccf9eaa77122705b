"""What the code location holds, and that one broken feed costs no other."""

import subprocess
import sys
from dataclasses import replace

import dagster as dg
import pytest
from dagster._core.definitions.utils import is_valid_owner
from pydantic import TypeAdapter, ValidationError

from import_project.config.load import load_feeds
from import_project.config.operating import Owner
from import_project.definitions import build_definitions
from import_project.errors import ConfigError
from import_project_tests.defs.conftest import Location
from import_project_tests.installation import Installation


def test_location_holds_every_feed_whole(location: Location) -> None:
    repository = location.repository
    keys = {key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()}
    assert keys == {
        *(f"bankgiro/{a}" for a in ("file", "accepted", "quarantined", "open_invoices", "matches")),
        *(f"bankgiro/{a}" for a in ("matched_payments", "unmatched_payments", "outcome")),
        *(f"orders/{a}" for a in ("file", "accepted", "quarantined", "posted_rows", "outcome")),
    }
    assert {s.name for s in repository.sensor_defs} == {
        "bankgiro_sensor",
        "orders_sensor",
        "alert_failed_runs",
        "watch_sensors",
        "retention",
    }
    assert all(s.default_status is dg.DefaultSensorStatus.RUNNING for s in repository.sensor_defs)
    nodes = [node.name for node in repository.get_job("bankgiro_job").all_node_defs]
    assert {"bankgiro_parse_file", "bankgiro_validate_rows"} <= set(nodes)


def test_graph_asset_has_the_ops_by_their_plain_names(location: Location) -> None:
    graph = next(n for n in location.repository.get_job("orders_job").all_node_defs if n.name == "orders_rows")
    assert isinstance(graph, dg.GraphDefinition)
    assert {node.name for node in graph.nodes} == {"parse_file", "validate_rows"}


def test_each_feed_has_partitions_of_its_own(location: Location) -> None:
    names = {
        key.path[0]: location.repository.asset_graph.get(key).partitions_def.name  # type: ignore[union-attr]
        for key in location.repository.asset_graph.get_all_asset_keys()
    }
    assert names == {"bankgiro": "bankgiro_files", "orders": "orders_files"}


def test_broken_feed_is_a_failing_sensor_beside_the_others_until_it_is_mended(
    location: Location, installation: Installation
) -> None:
    path = location.feeds / "new-bank.yaml"
    right = (location.feeds / "orders.yaml").read_text("utf-8").replace("feed: orders", "feed: new_bank")
    path.write_text(right.replace("path:", "paht:"), "utf-8")
    feeds, broken = load_feeds(location.feeds, installation.environ)
    repository = build_definitions(feeds, broken).get_repository_def()
    assert repository.get_job("orders_job") is not None
    sensor, context = repository.get_sensor_def("new_bank_sensor"), dg.build_sensor_context(instance=location.instance)
    with pytest.raises(ConfigError, match="unknown key, did you mean path"):
        sensor(context)
    path.write_text(right, "utf-8")
    assert isinstance(sensor(context), dg.SkipReason)


def test_feed_that_dagster_refuses_is_a_failing_sensor_beside_the_others(location: Location) -> None:
    feeds, _ = load_feeds(location.feeds, location.installation.environ)
    wrong = [
        replace(one, feed=one.feed.model_copy(update={"owners": ("ops@localhost",)})) if one.name == "orders" else one
        for one in feeds
    ]
    repository = build_definitions(wrong, []).get_repository_def()
    assert {job.name for job in repository.get_all_jobs()} >= {"bankgiro_job"}
    with pytest.raises(ConfigError, match="Invalid owner"):
        repository.get_sensor_def("orders_sensor")(dg.build_sensor_context(instance=location.instance))


@pytest.mark.parametrize(
    ("owner", "right"),
    [
        ("team:sales", True),
        ("anna@bank.example", True),
        ("anna+x@bank.co", True),
        ("ops@localhost", False),
        ("-a@bank.example", False),
        ("anna", False),
        ("a@b.c", False),
    ],
)
def test_owners_are_what_dagster_takes(owner: str, *, right: bool) -> None:
    assert is_valid_owner(owner) is right
    taken = TypeAdapter(Owner)
    if right:
        assert taken.validate_python(owner) == owner
    else:
        with pytest.raises(ValidationError):
            taken.validate_python(owner)


def test_importing_the_location_does_nothing() -> None:
    """No settings are read, no polars thread is started: a process may still fork."""
    script = "import import_project.definitions, threading, sys; print(threading.active_count())"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env={"IMPORT_PROJECT_NONSENSE": "1"}
    )
    assert done.stdout.strip() == "1"
