"""Dagster's SQLite storages with connections that stay open: the same files, the same answers."""

import sqlite3
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.test_utils import create_run_for_test

from import_project.defs.sqlite import EventStorage, RunStorage, ScheduleStorage
from import_project_tests.installation import FEEDS, dagster_instance

OURS = ("run_storage", "event_log_storage", "schedule_storage")


@dg.asset
def thing() -> None: ...


@pytest.fixture
def home(tmp_path: Path) -> Path:
    settings = yaml.safe_load((FEEDS.parent / "dagster.yaml").read_text("utf-8"))
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump({k: settings[k] for k in OURS}), "utf-8")
    return tmp_path


def test_what_dagsters_own_storages_wrote_is_read_and_the_other_way_round(home: Path) -> None:
    with dagster_instance(str(home)) as ours:
        assert isinstance(ours.run_storage, RunStorage)
        assert isinstance(ours.event_log_storage, EventStorage)
        assert isinstance(ours.schedule_storage, ScheduleStorage)
        dg.materialize([thing], instance=ours)
        ours.add_dynamic_partitions("files", ["a"])
    (home / "dagster.yaml").write_text("{}\n", "utf-8")
    with dagster_instance(str(home)) as theirs:
        assert not isinstance(theirs.event_log_storage, EventStorage)
        (run,) = theirs.get_runs()
        assert run.is_success
        assert theirs.get_latest_materialization_event(dg.AssetKey("thing")) is not None
        assert theirs.get_dynamic_partitions("files") == ["a"]
        dg.materialize([thing], instance=theirs)
    settings = yaml.safe_load((FEEDS.parent / "dagster.yaml").read_text("utf-8"))
    (home / "dagster.yaml").write_text(yaml.safe_dump({k: settings[k] for k in OURS}), "utf-8")
    with dagster_instance(str(home)) as ours:
        assert len(ours.get_runs()) == 2


def test_more_runs_than_stay_open_keep_their_events_and_go_when_they_are_deleted(home: Path) -> None:
    with dagster_instance(str(home)) as instance:
        runs = [create_run_for_test(instance, job_name=f"job_{n}") for n in range(40)]
        for number, run in enumerate(runs):
            instance.report_engine_event(f"event {number}", run)
        for number, run in enumerate(runs):
            assert [e.message for e in instance.all_logs(run.run_id)] == [f"event {number}"]
        instance.delete_run(runs[3].run_id)
        assert instance.get_run_by_id(runs[3].run_id) is None
        assert list(instance.all_logs(runs[3].run_id)) == []
        instance.event_log_storage.wipe()
        assert all(not instance.all_logs(run.run_id) for run in runs)
        instance.report_engine_event("after", runs[0])
        assert [e.message for e in instance.all_logs(runs[0].run_id)] == ["after"]


def test_a_database_that_is_new_or_of_another_revision_is_looked_at_by_dagster(tmp_path: Path) -> None:
    for name in ("a", "b"):  # the second is new, and what this process knows is of the first
        RunStorage.from_config_value(None, {"base_dir": str(tmp_path / name)}).get_runs()
        EventStorage.from_config_value(None, {"base_dir": str(tmp_path / name)}).get_logs_for_run("none")
        ScheduleStorage.from_config_value(None, {"base_dir": str(tmp_path / name)}).all_instigator_state()
    path = tmp_path / "a" / "history" / "runs.db"
    with sqlite3.connect(path) as database:
        database.execute("DROP TABLE alembic_version")
        database.execute("DROP TABLE instance_info")
    RunStorage.from_config_value(None, {"base_dir": str(tmp_path / "a")})
    with sqlite3.connect(path) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {"alembic_version", "instance_info", "runs"} <= tables
