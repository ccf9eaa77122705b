"""Verdicts on real files, with the numbers that failed; and previews, in which nobody is named."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from import_project.config.load import LoadedFeed
from import_project.config.operating import Checks
from import_project.demo import files
from import_project.pipeline import quality
from import_project.pipeline.parts import Parts
from import_project.pipeline.previews import masked, preview
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation
from import_project_tests.servers import SftpPeer


@pytest.fixture
def parts(installation: Installation) -> Iterator[Parts]:
    made = installation.parts()
    yield made
    made.close()


def ran(installation: Installation, parts: Parts, feed: LoadedFeed, run: str = "run-1") -> str:
    request = installation.poll_until_ready(parts, feed)
    installation.run(parts, feed, request, owner=run)
    return parts.ledger.arrivals.of(feed.name, request.partition).sha256 or ""


def orders(installation: Installation, parts: Parts, name: str, content: bytes) -> tuple[LoadedFeed, str]:
    (installation.inbox / name).write_bytes(content)
    feed = installation.feed("orders")
    return feed, ran(installation, parts, feed, run=name)


def bank(installation: Installation, parts: Parts, sftp: SftpPeer, api: ApiPeer) -> tuple[LoadedFeed, str]:
    api.invoices = api.invoices or files.invoices()
    (sftp.root / "out" / files.BGMAX_NAME).write_bytes(files.bgmax())
    feed = installation.feed("bankgiro")
    return feed, ran(installation, parts, feed)


def allowing(feed: LoadedFeed, **checks: float | None) -> LoadedFeed:
    return replace(feed, feed=feed.feed.model_copy(update={"checks": Checks.model_validate(checks)}))


def test_quarantine_over_its_limit_is_told_with_its_share(
    installation: Installation, parts: Parts, api: ApiPeer
) -> None:
    feed, sha256 = orders(installation, parts, files.ORDERS_NAME, files.orders_csv())
    found = quality.quarantine_rate(parts, feed, sha256)
    assert (found.passed, found.told) == (False, "5 of 10 (50.0 %) are quarantined, more than 20 %")
    assert found.numbers == {"rows": 10, "quarantined": 5, "percent": 50.0, "most": 20.0}
    for most in (50, None):
        assert quality.quarantine_rate(parts, allowing(feed, most_quarantined_percent=most), sha256).passed


def test_file_that_came_before_in_large_part_is_told(installation: Installation, parts: Parts, api: ApiPeer) -> None:
    orders(installation, parts, "orders_1.csv", files.orders_csv())
    more = files.orders_csv().rstrip(b"\n") + b"\nZZ-999999;Someone;2026-11-20;10,00;SEK;1\n"
    feed, sha256 = orders(installation, parts, "orders_2.csv", more)
    found = quality.duplicates(parts, feed, sha256)
    assert not found.passed
    assert found.told == "5 of 6 (83.3 %) are repeated, more than 50 %"
    decided = quality.rows_decided(parts, feed, sha256)
    assert (decided.passed, decided.numbers["accepted"], decided.numbers["repeated"]) == (True, 6, 5)


def test_rows_that_are_lost_break_the_proofs(installation: Installation, parts: Parts, api: ApiPeer) -> None:
    feed, sha256 = orders(installation, parts, files.ORDERS_NAME, files.orders_csv())
    assert quality.rows_conserved(parts, feed, sha256).passed
    accepted = parts.tables.read("orders", "accepted", sha256)
    parts.tables.write("orders", "accepted", sha256, accepted.head(4))
    lost = quality.rows_conserved(parts, feed, sha256)
    assert (lost.passed, lost.told, lost.numbers["lost"]) == (
        False,
        "1 rows are neither accepted nor quarantined",
        1,
    )
    parts.tables.write("orders", "accepted", sha256, accepted)
    parts.tables.write("orders", "decisions", sha256, parts.tables.read("orders", "decisions", sha256).head(3))
    assert quality.rows_decided(parts, feed, sha256).told == "2 accepted rows have no decision"


def test_money_that_is_lost_breaks_the_proof(
    installation: Installation, parts: Parts, sftp: SftpPeer, api: ApiPeer
) -> None:
    feed, sha256 = bank(installation, parts, sftp, api)
    assert quality.money_conserved(parts, feed, sha256).passed
    decisions = parts.tables.read("bankgiro", "decisions", sha256)
    parts.tables.write("bankgiro", "decisions", sha256, decisions.tail(-1))
    lost = quality.money_conserved(parts, feed, sha256)
    assert not lost.passed
    assert "the file holds 8085.00 SEK" in lost.told
    assert lost.table is not None


def test_open_invoices_long_past_their_day_are_told_with_their_sum(
    installation: Installation, parts: Parts, sftp: SftpPeer, api: ApiPeer
) -> None:
    today = parts.clock().date()
    made = files.invoices()
    for place, invoice in enumerate(made):
        invoice["due_on"] = (today - timedelta(days=400 if place < 2 else 1)).isoformat()
    api.invoices = made
    feed, sha256 = bank(installation, parts, sftp, api)
    found = quality.overdue(parts, feed, sha256)
    assert not found.passed
    assert found.told.startswith("2 open invoices are more than 365 days past their due day, ")
    assert (found.numbers["overdue"], found.numbers["oldest, days"]) == (2, 400)
    assert quality.overdue(parts, allowing(feed, oldest_open_days=None), sha256).passed


def test_statement_that_is_not_what_the_bank_declares_is_told(
    installation: Installation, parts: Parts, sftp: SftpPeer, api: ApiPeer
) -> None:
    feed, sha256 = bank(installation, parts, sftp, api)
    found = quality.control_totals(parts, feed, sha256)
    assert (found.passed, found.numbers) == (False, {"statements": 3, "wrong": 1})
    assert "do not add up" in found.told
    assert quality.balance_continuity(parts, feed, sha256).passed


def test_preview_of_payments_names_nobody(
    installation: Installation, parts: Parts, sftp: SftpPeer, api: ApiPeer
) -> None:
    feed, sha256 = bank(installation, parts, sftp, api)
    for table in ("accepted", "quarantined"):
        shown = preview(parts, feed, table, sha256)
        assert shown.height > 0
        for name in ("payer_name", "payer_account", "references", "remittance", "bank_reference"):
            assert all(cell in {"", "•••"} or cell.endswith("•••") for cell in shown[name])


def test_preview_of_rows_masks_text_unless_the_schema_says_what_it_is(
    installation: Installation, parts: Parts, api: ApiPeer
) -> None:
    feed, sha256 = orders(installation, parts, files.ORDERS_NAME, files.orders_csv())
    shown = preview(parts, feed, "accepted", sha256).row(0, named=True)
    assert (shown["amount"], shown["currency"]) == ("1249.50", "SEK")
    assert shown["customer"].endswith("•••")
    aside = preview(parts, feed, "quarantined", sha256).row(0, named=True)
    told = {"row_number", "order_id"}  # The schema says of order_id that it names nobody.
    assert all(cell in {"", "•••"} or cell.endswith("•••") for name, cell in aside.items() if name not in told)
    assert feed.schema is not None
    columns = tuple(
        replace(c, personal=c.name == "amount") if c.name in {"amount", "customer"} else c for c in feed.schema.columns
    )
    declared = replace(feed, schema=replace(feed.schema, columns=columns))
    shown = preview(parts, declared, "accepted", sha256).row(0, named=True)
    assert shown["amount"] == "1•••"
    assert not shown["customer"].endswith("•••")


@pytest.mark.parametrize(
    ("value", "shown"), [("", ""), (None, ""), ([], ""), ("Bo", "•••"), ("Anna", "A•••"), (12.5, "1•••")]
)
def test_masked_tells_that_a_cell_is_filled_and_not_with_what(value: object, shown: str) -> None:
    assert masked(value) == shown
