"""A feed's settings of runs, as Dagster has them: retries, the end of a run, priorities, pools with their limits."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from import_project.config.load import LoadedFeed, load_feed
from import_project.config.runs import Runs
from import_project.defs.assets import feed_assets
from import_project.defs.jobs import feed_job
from import_project.defs.limits import apply_limits, retry_policy, run_tags
from import_project.errors import ConfigError
from import_project_tests.installation import Installation


def orders(installation: Installation, api: dict[str, Any] | None = None, **run: Any) -> LoadedFeed:
    changed = installation.rewrite("orders", run=run)
    folder = Path(changed.environ["IMPORT_PROJECT_FEEDS"])
    path = folder / "apis" / "erp.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text("utf-8")) | (api or {})), "utf-8")
    return load_feed(folder / "orders.yaml", changed.environ)


def limits(instance: dg.DagsterInstance) -> dict[str, int]:
    return {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}


def test_every_step_is_tried_as_the_feed_says(installation: Installation) -> None:
    loaded = orders(installation, attempts=5, delay_seconds=7, backoff="linear", jitter="plus_minus")
    policies = {op.retry_policy for asset in feed_assets(loaded) for op in _ops(asset)}
    assert policies == {dg.RetryPolicy(max_retries=4, delay=7, backoff=dg.Backoff.LINEAR, jitter=dg.Jitter.PLUS_MINUS)}
    once = retry_policy(Runs(attempts=1, backoff="none", jitter="none"))
    assert (once.max_retries, once.backoff, once.jitter) == (0, None, None)


def _ops(asset: dg.AssetsDefinition) -> list[dg.OpDefinition]:
    node = asset.node_def
    return [node] if isinstance(node, dg.OpDefinition) else list(node.iterate_op_defs())


def test_run_is_ended_in_time_and_has_its_priority(installation: Installation) -> None:
    urgent = [{"glob": "orders_URGENT*", "priority": 9}, {"glob": "*", "priority": -1}]
    loaded = orders(installation, longest_seconds=600, priority=2, urgent=urgent)
    assert run_tags(loaded) == {"feed": "orders", "dagster/max_runtime": "600", "dagster/priority": "2"}
    assert run_tags(loaded, "orders_URGENT_1.csv")["dagster/priority"] == "9"
    assert run_tags(loaded, "orders_1.csv")["dagster/priority"] == "-1"
    assert run_tags(loaded, "orders_1.csv")["file"] == "orders_1.csv"
    assert feed_job(loaded).tags == run_tags(loaded)


def test_what_is_not_set_is_the_instances(installation: Installation) -> None:
    assert run_tags(installation.feed("orders"), "a.csv") == {"feed": "orders", "file": "a.csv"}


def test_steps_are_in_the_pools_of_their_feed_and_api(installation: Installation) -> None:
    pools = {
        asset.keys_by_output_name["result"].path[-1]: op.pool
        for asset in feed_assets(installation.feed("bankgiro"))
        for op in _ops(asset)
        if "result" in asset.keys_by_output_name
    }
    assert pools["file"] == "feed_bankgiro"
    assert {pools[n] for n in ("open_invoices", "matched_payments", "unmatched_payments")} == {"api_erp"}
    assert {pools[n] for n in ("matches", "outcome")} == {None}


def test_pools_have_the_limits_that_stand_in_the_files_now(installation: Installation) -> None:
    with dg.instance_for_test() as instance:
        apply_limits(instance, orders(installation))
        assert limits(instance) == {}
        apply_limits(instance, orders(installation, {"most_runs": 2}, at_once=5))
        apply_limits(instance, orders(installation, {"most_runs": 2}, at_once=1))
        assert limits(instance) == {"feed_orders": 1, "api_erp": 2}
        apply_limits(instance, orders(installation, {"most_runs": None}, at_once=None))
        assert limits(instance) == {}


@pytest.mark.parametrize(
    ("run", "told"),
    [
        ({"attempts": 0}, "run.attempts: "),
        ({"backoff": "sometimes"}, "run.backoff: "),
        ({"urgent": [{"glob": "x"}]}, "run.urgent.0.priority: "),
        ({"longest_seconds": 5}, "run.longest_seconds: "),
    ],
)
def test_mistakes_are_told(installation: Installation, run: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        orders(installation, **run)
