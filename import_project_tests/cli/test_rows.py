"""The commands for row files, as a user calls them: inspect, check, feeds draft, quarantine."""

import json
import subprocess
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from import_project.config.schemas import Schema
from import_project.demo import files
from import_project_tests.cli.test_inspect import command, one_line
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation, environment
from import_project_tests.pipeline.row_feeds import run_orders, with_schema


def told(done: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(done.stdout)


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / files.ORDERS_NAME
    path.write_bytes(files.orders_csv())
    return path


def test_inspect_tells_columns_and_findings(orders: Path) -> None:
    done = command("inspect", orders, "--json")
    found = told(done)
    assert (found["format"], found["rows"]) == ("delimited", 10)
    assert found["columns"] == ["order_id", "customer", "ordered_on", "amount", "currency", "items"]
    assert found["profile"][0] == {"column": "order_id", "filled": 9, "type": "text", "longest": 9}
    assert [(i["row_number"], i["rule"]) for i in found["issues"]] == [(9, "field_count")]
    assert (done.returncode, "field_count" in one_line(done.stderr)) == (1, True)
    table = command("inspect", orders).stdout
    assert "10 rows, 6 columns" in table
    assert "Olles Färg AB" in table


def test_inspect_takes_options_of_a_format(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"data": {"items": [{"id": 1}, {"id": 2}]}}', "utf-8")
    found = told(command("inspect", path, "--format", "json", "-o", "records=data.items", "--json"))
    assert (found["rows"], found["columns"]) == (2, ["id"])
    assert "format.colour: unknown key" in one_line(
        command("inspect", path, "--format", "json", "-o", "colour=red").stderr
    )
    assert "is no option" in one_line(command("inspect", path, "-o", "records").stderr)


def test_check_says_what_would_happen_and_touches_nothing(
    installation: Installation, orders: Path, api: ApiPeer
) -> None:
    environ = environment(installation)
    done = command("check", orders, "--feed", "orders", "--json", environ=environ)
    found = told(done)
    assert {k: found[k] for k in ("rows", "accepted", "quarantined", "skipped", "would_post", "refused")} == {
        "rows": 10,
        "accepted": 5,
        "quarantined": 5,
        "skipped": 0,
        "would_post": 5,
        "refused": None,
    }
    assert {"severity": "error", "column": "amount", "rule": "unreadable", "count": 1} in found["reasons"]
    assert found["first"]["order_id"] == "AB-000001"
    assert done.returncode == 1
    assert "5 of 10 would be quarantined" in one_line(done.stderr)
    assert "AB-000001" in command("check", orders, "--feed", "orders", environ=environ).stdout
    assert api.calls == []
    assert not (installation.home / "state").exists()


def test_check_of_what_cannot_be(installation: Installation, orders: Path) -> None:
    environ = environment(installation)
    refused = command("check", orders, "--feed", "bankgiro", environ=environ)
    assert (refused.returncode, "is not bgmax" in one_line(refused.stderr)) == (1, True)
    unknown = command("check", orders, "--feed", "nobody", environ=environ)
    assert "no feed nobody" in one_line(unknown.stderr)
    limited = environment(with_schema(installation, most_quarantined={"percent": 5}))
    assert "would be refused: 5 of 10 rows" in one_line(
        command("check", orders, "--feed", "orders", environ=limited).stderr
    )


def test_drafted_schema_is_one(orders: Path) -> None:
    done = command("feeds", "draft", orders)
    assert done.returncode == 0
    schema = Schema.model_validate(yaml.safe_load(done.stdout))
    assert schema.schema_name == "orders"
    assert {c.name: c.type for c in schema.columns}["ordered_on"] == "text"  # one of them is no day
    bank = orders.with_name("b.txt")
    bank.write_bytes(files.bgmax())
    assert "holds payments" in one_line(command("feeds", "draft", bank).stderr)


def test_quarantine_from_list_to_replay(installation: Installation, api: ApiPeer, tmp_path: Path) -> None:
    parts = installation.parts()
    run_orders(installation, parts, files.orders_csv(), files.ORDERS_NAME)
    parts.close()
    environ = environment(installation)
    (listed,) = told(command("quarantine", "list", "--json", environ=environ))
    assert (listed["file"], listed["quarantined"], listed["replayed"]) == (files.ORDERS_NAME, 5, 0)
    assert listed["reasons"]["unreadable"] == 2
    shown = told(command("quarantine", "show", files.ORDERS_NAME, "--json", environ=environ))
    assert [row["row_number"] for row in shown] == [3, 5, 6, 7, 9]
    assert shown[0]["cells"]["amount"] == "1.250,00"
    assert shown[0]["issues"] == [
        {
            "column": "amount",
            "rule": "unreadable",
            "value": "1.250,00",
            "message": "cannot be read as decimal with ',' and at most 2 decimals",
            "severity": "error",
        }
    ]
    assert shown[-1]["raw"].startswith("AB-000009;")
    assert "1.250,00" in command("quarantine", "show", listed["partition"], environ=environ).stdout
    path = tmp_path / "fix.csv"
    done = command("quarantine", "export", files.ORDERS_NAME, "--to", path, environ=environ)
    assert "5 rows written" in done.stdout
    exported = pl.read_csv(path, infer_schema=False)
    assert exported.columns[0] == "row_number"
    mended = exported.with_columns(pl.col("amount").str.replace(".", "", literal=True)).filter(
        pl.col("row_number") == "3"
    )
    mended.write_csv(path)
    done = command("quarantine", "replay", files.ORDERS_NAME, "--from", path, "--by", "ann", "--json", environ=environ)
    assert told(done)["replayed"] == 1
    assert told(done)["outcome"]["replayed"] == 1
    assert api.effects[-1][2]["amount"] == "1250.00"
    (row,) = told(command("files", "--json", environ=environ))
    assert (row["accepted"], row["quarantined"], row["posted"], row["replayed"]) == (6, 4, 6, 1)
    assert "replayed" in command("quarantine", "replay", files.ORDERS_NAME, environ=environ).stdout
    (listed,) = told(command("quarantine", "list", "--json", environ=environ))
    assert (listed["quarantined"], listed["reasons"]["unreadable"]) == (4, 1)
    again = command("quarantine", "export", files.ORDERS_NAME, "--to", path, environ=environ)
    assert "may hold corrections" in one_line(again.stderr)
    assert command("quarantine", "export", files.ORDERS_NAME, "--to", path, "--force", environ=environ).returncode == 0


def test_quarantine_of_nothing_is_told(installation: Installation, tmp_path: Path) -> None:
    environ = environment(installation)
    assert "no ledger" in one_line(command("quarantine", "list", environ=environ).stderr)
    parts = installation.parts()
    parts.ledger.outcomes.all()
    parts.close()
    gone = command("quarantine", "export", "gone.csv", "--to", tmp_path / "x.csv", environ=environ)
    assert "no file gone.csv has ended" in one_line(gone.stderr)
