"""Endpoints that are more than a path, from a feed's YAML to a real API: methods, templates, batches."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from import_project.config.feed import PAYMENT_FIELDS
from import_project.config.load import load_feed
from import_project.errors import ApiUnavailable, ConfigError
from import_project.records.postings import PostingKind
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation
from import_project_tests.pipeline.bank_days import ALICE, Bank, invoice, paid
from import_project_tests.pipeline.row_feeds import order, orders, run_orders
from import_project_tests.servers import SftpPeer

PUT = {
    "method": "PUT",
    "path": "/orders/{order_id}/{currency}",
    "body": {
        "number": "{order_id}",
        "total": {"value": "{amount}", "currency": "{currency}"},
        "lines": ["{items}", "for {customer}, {items} pieces"],
        "source": "web shop",
    },
}


def test_row_is_put_where_and_as_its_template_says(installation: Installation, api: ApiPeer) -> None:
    changed = installation.rewrite("orders", post={"rows": PUT})
    parts = changed.parts()
    assert run_orders(changed, parts, orders(order(1, "10,50", items="3"))).counts.posted == 1
    ((_, path, body),) = api.effects
    assert api.methods == ["PUT"]
    assert path == "/orders/AB-000001/SEK"
    assert body == {
        "number": "AB-000001",
        "total": {"value": "10.50", "currency": "SEK"},
        "lines": [3, "for Customer 1, 3 pieces"],
        "source": "web shop",
    }


def test_changed_template_changes_nothing_that_is_frozen(installation: Installation, api: ApiPeer) -> None:
    changed = installation.rewrite("orders", post={"rows": PUT})
    parts = changed.parts()
    api.in_flight = 10_000
    with pytest.raises(ApiUnavailable, match="no final answer"):
        run_orders(changed, parts, orders(order(1)))
    api.in_flight = 0
    later = changed.rewrite("orders", post={"rows": "/orders"})
    later.clock.advance(minutes=5)
    (request,) = later.poll(parts, "orders")
    later.run(parts, "orders", request, owner="run-2")
    assert len({(key, path, raw) for key, path, raw in api.calls}) == 1
    assert len(api.effects) == 1


def test_rows_go_in_batches(installation: Installation, api: ApiPeer) -> None:
    batch = {"size": 2, "key": "key", "items": "orders", "results": "results"}
    changed = installation.rewrite("orders", post={"rows": {"path": "/batch", "batch": batch}})
    api.reject_if = lambda body: body["order_id"] == "AB-000002"
    outcome = run_orders(changed, changed.parts(), orders(*(order(n) for n in range(1, 6))))
    assert (outcome.counts.posted, outcome.counts.rejected) == (4, 1)
    assert len(api.calls) == 3
    assert set(api.times().values()) == {1}


def test_payments_follow_templates_with_fields_that_one_may_lack(
    installation: Installation, sftp: SftpPeer, api: ApiPeer
) -> None:
    bank = Bank.open(installation, sftp, api)
    post = {
        "matched": {"method": "PATCH", "path": "/i/{invoice_id}", "body": {"pay": "{amount}", "off": "{written_off}"}},
        "unmatched": {"path": "/queue", "body": {"why": "{reason}", "who": "{payer_name}", "undone": "{reverses}"}},
    }
    changed = bank.installation.rewrite("bankgiro", post=post)
    bank = Bank(installation=changed, sftp=sftp, api=api, parts=changed.parts())
    api.invoices = [invoice("INV/1", "100234", "50.00", customer_id="c1", payer_accounts=[ALICE])]
    name = bank.drop(paid("50.00", ref="A", reference="100234"), paid("7.00", ref="B"))
    request = changed.poll_until_ready(bank.parts, "bankgiro")
    changed.run(bank.parts, "bankgiro", request)
    assert bank.outcome(name).counts.posted == 2
    assert {path: body for _, path, body in api.effects} == {
        "/i/INV/1": {"pay": "50.00", "off": None},  # quoted on the way, so the invoice's name added no step
        "/queue": {"why": "no_reference", "who": None, "undone": None},
    }


def test_fields_of_payments_are_those_that_are_posted(installation: Installation, sftp: SftpPeer, api: ApiPeer) -> None:
    bank = Bank.open(installation, sftp, api)
    api.invoices = [invoice("INV-1", "100234", "50.00", customer_id="c1", payer_accounts=[ALICE])]
    bank.bring(paid("60.00", ref="A", reference="100234", account=ALICE), paid("7.00", ref="B"), paid("5.00", ref="C"))
    keys = {PostingKind.MATCHED: "matched", PostingKind.UNMATCHED: "unmatched", PostingKind.CREDIT: "credits"}
    seen = set()
    for one in bank.parts.ledger.dead_letters.kept():
        assert set(json.loads(one.body)) <= PAYMENT_FIELDS[keys[one.kind]]
        seen.add(one.kind)
    assert seen == set(keys)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ({"path": "/o/{nothing}"}, "post.rows: there is no nothing to post, only amount, currency"),
        ({"path": "/o", "body": {"a": ["{nothing}"]}}, "post.rows: there is no nothing to post"),
        (
            {"path": "/o", "look_up": {"path": "/o?x={nothing}", "same": ["amount"]}},
            "post.rows: look_up: the posted body has no nothing",
        ),
        ({"path": "/o", "look_up": "/o?x={order_id}"}, "post.rows.look_up: same is missing: fields by which"),
        ({"path": "/o", "body": {"n": "{order_id:x}"}}, "post.rows: braces in '{order_id:x}' must hold one name each"),
        ({"path": "/o", "body": {"n": "always"}}, "post.rows: body names no field in braces"),
        ({"path": "/o", "batch": {"size": 2, "key": "amount"}}, "post.rows: batch.key: amount is a field"),
        (
            {"path": "/o", "body": {"n": "{order_id}"}, "look_up": {"path": "/o?x={order_id}", "same": ["n"]}},
            "post.rows: look_up: the posted body has no order_id",
        ),
        ({"path": "/o", "listing": {"path": "/o", "same": ["x"]}}, "post.rows: listing: the posted body has no x"),
        ({"path": "/o/{order_id", "method": "PUT"}, "post.rows: braces in '/o/{order_id' must hold one name each"),
        ({"path": "/o", "method": "GET"}, "post.rows.method: "),
        ({"path": "/o/{order_id}", "batch": {"size": 2, "key": "k"}}, "post.rows: a batch goes to one path"),
        ({"path": "/o", "batch": {"size": 1, "key": "k"}}, "post.rows.batch.size: "),
        ({"path": "/o", "batch": {"size": 2}}, "post.rows.batch.key: "),
        ({"path": "/o", "bdoy": {}}, "post.rows.bdoy: unknown key, did you mean body?"),
        ({"path": "/o", "body": "{order_id}", "batch": {"size": 2, "key": "k"}}, "post.rows: in a batch each body"),
    ],
)
def test_mistakes_are_told_when_the_feed_is_read(installation: Installation, rows: dict[str, Any], told: str) -> None:
    changed = installation.rewrite("orders", post={"rows": rows})
    with pytest.raises(ConfigError) as error:
        load_feed(Path(changed.environ["IMPORT_PROJECT_FEEDS"], "orders.yaml"), changed.environ)
    assert told in str(error.value)


def test_path_needs_a_column_that_is_never_empty(installation: Installation) -> None:
    changed = installation.rewrite("orders", post={"rows": "/orders/{customer}"})
    path = Path(changed.environ["IMPORT_PROJECT_FEEDS"], "schemas", "orders.yaml")
    schema = yaml.safe_load(path.read_text("utf-8"))
    next(c for c in schema["columns"] if c["name"] == "customer")["required"] = False
    path.write_text(yaml.safe_dump(schema), "utf-8")
    with pytest.raises(ConfigError, match="the path needs customer, which the schema lets be empty"):
        load_feed(path.parent.parent / "orders.yaml", changed.environ)


def test_look_up_needs_a_column_that_is_never_empty(installation: Installation) -> None:
    look_up = {"path": "/orders?c={customer}", "same": ["amount"]}
    changed = installation.rewrite("orders", post={"rows": {"path": "/orders", "look_up": look_up}})
    path = Path(changed.environ["IMPORT_PROJECT_FEEDS"], "schemas", "orders.yaml")
    schema = yaml.safe_load(path.read_text("utf-8"))
    next(c for c in schema["columns"] if c["name"] == "customer")["required"] = False
    path.write_text(yaml.safe_dump(schema), "utf-8")
    with pytest.raises(ConfigError, match="the look_up needs customer, which the schema lets be empty"):
        load_feed(path.parent.parent / "orders.yaml", changed.environ)


def test_path_of_payments_holds_only_what_each_has(installation: Installation) -> None:
    changed = installation.rewrite("bankgiro", post={"unmatched": "/u/{payer_account}"})
    path = Path(changed.environ["IMPORT_PROJECT_FEEDS"], "bankgiro.yaml")
    with pytest.raises(ConfigError, match="unmatched: the path needs payer_account, which a payment may lack"):
        load_feed(path, changed.environ)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"key_header": "Authorization"}, "key_header: the header Authorization has a meaning of its own"),
        ({"key_header": "a b"}, "key_header: 'a b' is no name of a header"),
        ({"base_url": "https://me:pw@erp.example"}, "base_url: must be an address alone"),
        ({"base_url": "https://erp.example/?a=1"}, "base_url: must be an address alone"),
        ({"ca_file": "../orders.yaml"}, "holds no certificate"),
        ({"key_hours": 0}, "key_hours: "),
        ({"requests_per_second": 0}, "requests_per_second: "),
        ({"retry": {"frist_seconds": 1}}, "retry.frist_seconds: unknown key, did you mean first_seconds?"),
    ],
)
def test_mistakes_of_an_api_are_told(installation: Installation, keys: dict[str, Any], told: str) -> None:
    changed = installation.rewrite("orders")
    path = Path(changed.environ["IMPORT_PROJECT_FEEDS"], "apis", "erp.yaml")
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text("utf-8")) | keys), "utf-8")
    with pytest.raises(ConfigError) as error:
        load_feed(path.parent.parent / "orders.yaml", changed.environ)
    assert told in str(error.value)
