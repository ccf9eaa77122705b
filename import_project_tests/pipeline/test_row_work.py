"""Python of the user's own in a row feed: what takes rows, what leaves them out, what changes and parses them."""

import json
from pathlib import Path
from typing import Any

import pytest

from import_project.config.load import load_feeds
from import_project.errors import ApiUnavailable, ConfigError, TooManyQuarantined
from import_project.records.files import ArrivalState
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation
from import_project_tests.pipeline.row_feeds import order, orders, outcome_of, run_orders, with_python, with_schema

#: Rows are written to a file beside the feed, one line each, so that tests see what was called and with what.
TAKE = """
import json
from pathlib import Path
from import_project.errors import RowRejected
TAKEN = Path(__file__).with_name("taken.jsonl")

def take(row):
    if row["customer"] == "Customer 13":
        raise RowRejected("unlucky")
    if Path(__file__).with_name("broken").exists():
        raise OSError("the disk of the other side")
    kinds = {name: type(value).__name__ for name, value in row.values.items()}
    with TAKEN.open("a") as out:
        out.write(json.dumps({"n": row.number, "key": row.key, "feed": row.feed, "amount": str(row["amount"]), "kinds": kinds}) + "\\n")
    return f"taken {row.number}"

async def take_async(row):
    return take(row)
"""
CALLED = {"post": {"api": None, "rows": None, "on_row": "work.py:take"}}


def taken(installation: Installation) -> list[dict[str, Any]]:
    path = Path(installation.environ["IMPORT_PROJECT_FEEDS"], "taken.jsonl")
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


@pytest.mark.parametrize("function", ["take", "take_async"])
def test_each_row_is_handed_over_once_with_its_values_and_key(installation: Installation, function: str) -> None:
    post = {"api": None, "rows": None, "on_row": f"work.py:{function}"}
    installation = with_python(installation, TAKE, post=post)
    parts = installation.parts()
    outcome = run_orders(installation, parts, orders(order(1, "10,50"), order(13), order(2), order(3, items="x")))
    assert (outcome.counts.accepted, outcome.counts.posted, outcome.counts.rejected) == (3, 2, 1)
    rows = taken(installation)
    assert [(r["n"], r["amount"], r["feed"]) for r in rows] == [(1, "10.50", "orders"), (3, "10.00", "orders")]
    assert rows[0]["kinds"] | {"items": "int"} == {
        "order_id": "str",
        "customer": "str",
        "ordered_on": "date",
        "amount": "Decimal",
        "currency": "str",
        "items": "int",
    }
    assert len({r["key"] for r in rows}) == 2
    assert outcome.error == "1 rejected; row 2: 400 unlucky"
    again = run_orders(installation, parts, orders(order(2), order(9)), "orders_2.csv")
    assert (again.counts.posted, again.counts.repeated) == (1, 1)
    assert [r["n"] for r in taken(installation)] == [1, 3, 2]


def test_a_callback_that_fails_is_called_again_with_the_same_key(installation: Installation) -> None:
    installation = with_python(installation, TAKE, **CALLED)
    broken = Path(installation.environ["IMPORT_PROJECT_FEEDS"], "broken")
    broken.touch()
    parts = installation.parts()
    with pytest.raises(ApiUnavailable, match="on_row failed at row 1: OSError "):
        run_orders(installation, parts, orders(order(1), order(2)))
    assert parts.ledger.arrivals.unfinished("orders")[0].state is ArrivalState.LANDED
    assert any("the disk" in (one.receipt or "") for one in parts.ledger.dead_letters.kept()), (
        "all words are in the ledger"
    )
    broken.unlink()
    installation.clock.advance(minutes=5)
    (request,) = installation.poll(parts, "orders")
    installation.run(parts, "orders", request, owner="run-2")
    assert outcome_of(parts, "orders_1.csv").counts.posted == 2
    assert len({r["key"] for r in taken(installation)}) == 2


@pytest.mark.parametrize("skip_if", ["currency = 'EUR' AND amount < 20", "work.py:small"])
def test_rows_that_are_left_out_are_counted_and_not_posted(
    installation: Installation, api: ApiPeer, skip_if: str
) -> None:
    code = "def small(row):\n    return row['currency'] == 'EUR' and row['amount'] < 20\n"
    installation = with_python(installation, code, skip_if=skip_if)
    parts = installation.parts()
    rows = orders(order(1, currency="EUR"), order(2), order(3, "99,00", "EUR"), order(4, "x"))
    outcome = run_orders(installation, parts, rows)
    counts = outcome.counts
    assert (counts.rows, counts.accepted, counts.quarantined, counts.skipped, counts.posted) == (4, 3, 1, 1, 2)
    assert {body["order_id"] for _, _, body in api.effects} == {"AB-000002", "AB-000003"}


def test_rows_are_transformed_before_they_are_read(installation: Installation, api: ApiPeer) -> None:
    code = """
import polars as pl
def tidy(rows):
    return rows.with_columns(pl.col("currency").str.to_uppercase(), pl.col("ordered_on").str.replace_all("/", "-"))
"""
    installation = with_python(installation, code, transform="work.py:tidy")
    parts = installation.parts()
    outcome = run_orders(installation, parts, orders(order(1, currency="sek", day="2026/11/20")))
    assert outcome.counts.posted == 1
    assert api.effects[0][2]["ordered_on"] == "2026-11-20"


def test_parser_schema_and_callback_may_all_be_python(installation: Installation) -> None:
    code = (
        TAKE
        + """
import polars as pl
import pandera.polars as pa

class Pairs:
    def parse(self, content):
        for line in content.decode().splitlines():
            yield dict(pair.split("=") for pair in line.split(";"))

class Orders(pa.DataFrameModel):
    order_id: str = pa.Field(unique=True)
    customer: str
    amount: pl.Float64 = pa.Field(ge=0, lt=1000)

    @pa.check("customer", name="known")
    def known(cls, data):
        return data.lazyframe.select(pl.col(data.key).str.starts_with("Customer"))
"""
    )
    keys = {
        **CALLED,
        "schema": "work.py:Orders",
        "format": {"kind": "python", "parser": "work.py:Pairs", "delimiter": None},
    }
    installation = with_python(installation, code)
    path = Path(installation.environ["IMPORT_PROJECT_FEEDS"], "orders.yaml")
    text = path.read_text("utf-8")
    import yaml

    data = yaml.safe_load(text) | {"schema": keys["schema"], "format": {"kind": "python", "parser": "work.py:Pairs"}}
    path.write_text(yaml.safe_dump(data | {"post": {"on_row": "work.py:take"}}), "utf-8")
    parts = installation.parts()
    content = b"order_id=1;customer=Customer 1;amount=10.5\norder_id=2;customer=Nobody;amount=1\norder_id=3;customer=Customer 3;amount=1e3\n"
    outcome = run_orders(installation, parts, content)
    assert (outcome.counts.accepted, outcome.counts.quarantined, outcome.counts.posted) == (1, 2, 1)
    issues = parts.tables.read("orders", "issues", outcome.sha256 or "")
    assert issues.select("row_number", "rule").rows() == [(2, "known"), (3, "unreadable")]


def test_too_many_quarantined_rows_post_nothing(installation: Installation, api: ApiPeer) -> None:
    installation = with_schema(installation, most_quarantined={"percent": 25})
    parts = installation.parts()
    with pytest.raises(TooManyQuarantined, match=r"1 of 3 rows \(33.3 %\) are quarantined, more than 25 %"):
        run_orders(installation, parts, orders(order(1), order(2), order(3, "x")))
    outcome = outcome_of(parts, "orders_1.csv")
    assert (outcome.state, outcome.counts.rows, outcome.counts.quarantined) == ("failed", 3, 1)
    assert api.calls == []
    assert parts.tables.read("orders", "quarantined", outcome.sha256 or "").height == 1
    assert (
        run_orders(installation, parts, orders(order(1), order(2), order(4), order(3, "x")), "orders_2.csv").state
        == "done"
    )


@pytest.mark.parametrize(
    ("code", "keys", "told"),
    [
        ("", {"transform": "work.py:gone"}, "transform: work.py has no gone"),
        ("def f(:", {"transform": "work.py:f"}, "work.py cannot be loaded: SyntaxError"),
        ("f = 1", {"transform": "work.py:f"}, "transform: work.py:f cannot be called"),
        ("", {"transform": "gone.py:f"}, "no such file"),
        ("", {"transform": "no_such_package.x:f"}, "no_such_package.x cannot be loaded: ModuleNotFoundError"),
        ("", {"transform": "not a reference"}, "names nothing in Python"),
        ("", {"skip_if": "amount >"}, "skip_if: 'amount >' cannot be used"),
        ("", {"skip_if": "gone = 1"}, "skip_if: 'gone = 1' cannot be used"),
        ("x = 1", {"schema": "work.py:x"}, "is no Pandera schema"),
        ("f = 1", {"post": {"api": "erp", "rows": None, "on_row": "work.py:f"}}, "post.api goes with a path"),
        (
            "f = 1",
            {"post": {"api": "erp", "rows": "/o", "on_row": "work.py:f"}},
            "exactly one of post.rows and post.on_row",
        ),
        (
            "class P: pass",
            {"format": {"kind": "python", "parser": "work.py:P", "delimiter": None, "encoding": None}},
            "unknown key",
        ),
    ],
)
def test_mistakes_in_python_are_told_in_one_line(
    installation: Installation, code: str, keys: dict[str, Any], told: str
) -> None:
    installation = with_python(installation, code, **keys)
    _, broken = load_feeds(Path(installation.environ["IMPORT_PROJECT_FEEDS"]), installation.environ)
    (one,) = broken
    assert told in str(one.error)
    assert "\n" not in str(one.error)
    assert str(one.error).count("orders.yaml") == 1


@pytest.mark.parametrize(
    ("code", "keys", "told"),
    [
        ("def f(row):\n    return row['gone']", {"skip_if": "work.py:f"}, "skip_if failed: KeyError"),
        ("def f(rows):\n    return rows.head(0)", {"transform": "work.py:f"}, "other rows than it got"),
    ],
)
def test_python_that_fails_on_rows_is_told(
    installation: Installation, code: str, keys: dict[str, Any], told: str
) -> None:
    installation = with_python(installation, code, **keys)
    parts = installation.parts()
    with pytest.raises(ConfigError, match=told):
        run_orders(installation, parts, orders(order(1)))
    assert parts.ledger.arrivals.unfinished("orders")


def test_python_that_changed_is_read_anew(installation: Installation) -> None:
    installation = with_python(installation, "def f(rows): return rows", transform="work.py:f")
    first = installation.feed("orders").callbacks.transform
    assert installation.feed("orders").callbacks.transform is first
    Path(installation.environ["IMPORT_PROJECT_FEEDS"], "work.py").write_text(
        "def f(rows): return rows.clone()", "utf-8"
    )
    assert installation.feed("orders").callbacks.transform is not first
