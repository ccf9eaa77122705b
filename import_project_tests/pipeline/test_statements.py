"""Bank files of several days through the pipeline: what their statements, payments and entries have to do with each
other across files."""

from decimal import Decimal

import polars as pl
import pytest

from import_project.pipeline.parts import Parts
from import_project.records.outcomes import Outcome
from import_project_tests.formats.camt_files import document, entry, statement, transaction
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation
from import_project_tests.servers import SftpPeer


@pytest.fixture
def bank(installation: Installation) -> Installation:
    return installation.rewrite("bankgiro", format="sepa", files={"pattern": {"glob": "*.xml"}})


def bring(bank: Installation, sftp: SftpPeer, parts: Parts, name: str, content: bytes) -> Outcome:
    (sftp.root / "out" / name).write_bytes(content)
    bank.run(parts, "bankgiro", bank.poll_until_ready(parts, "bankgiro"))
    return next(o for o in parts.ledger.outcomes.all() if o.name == name)


def warnings(parts: Parts, outcome: Outcome) -> list[tuple[str, str]]:
    found = parts.tables.read("bankgiro", "issues", outcome.sha256 or "")
    assert found.filter(pl.col("severity") == "error").is_empty()
    return found.select("rule", "message").rows()


def day(number: int, *entries: str, opening: str, net: str) -> bytes:
    return document(statement(entries, opening=opening, net=net, number=str(number)))


DETAILS = [transaction("60.00", end_to_end="E1"), transaction("40.00", end_to_end="E2")]


def test_gaps_and_balances_are_told_and_the_money_is_posted(bank: Installation, sftp: SftpPeer, api: ApiPeer) -> None:
    parts = bank.parts()
    first = bring(bank, sftp, parts, "1.xml", day(1, entry("5.00", ref="R1"), opening="100.00", net="5.00"))
    third = bring(bank, sftp, parts, "3.xml", day(3, entry("7.00", ref="R3"), opening="108.00", net="7.00"))
    assert warnings(parts, first) == []
    assert [rule for rule, _ in warnings(parts, third)] == ["statement_missing", "opening_balance"]
    assert "difference 3.00 (1.xml)" in warnings(parts, third)[1][1]
    assert third.counts.posted == 1
    late = bring(bank, sftp, parts, "2.xml", day(2, entry("3.00", ref="R2"), opening="105.00", net="3.00"))
    assert [rule for rule, _ in warnings(parts, late)] == []
    assert sorted(body["payment_amount"] for _, _, body in api.effects) == ["3.00", "5.00", "7.00"]


def test_payments_of_overlapping_statements_are_posted_once(bank: Installation, sftp: SftpPeer, api: ApiPeer) -> None:
    parts = bank.parts()
    same = [entry("5.00", ref="R1"), entry("5.00", ref="R2")]
    bring(bank, sftp, parts, "1.xml", day(1, *same, opening="100.00", net="10.00"))
    wide = [*same, entry("7.00", ref="R3")]
    again = bring(bank, sftp, parts, "week.xml", day(2, *wide, opening="100.00", net="17.00"))
    assert (again.counts.repeated, again.counts.posted) == (2, 1)
    assert ("overlap", "2 of 3 payments") in [(rule, m.split(": ")[1][:15]) for rule, m in warnings(parts, again)]
    assert len(api.effects) == 3


def test_lump_after_its_details_is_not_posted_again(bank: Installation, sftp: SftpPeer, api: ApiPeer) -> None:
    parts = bank.parts()
    details = document(statement([entry("100.00", *DETAILS, ref="B1")], kind="Ntfctn"), message="camt.054")
    bring(bank, sftp, parts, "details.xml", details)
    entries = [entry("100.00", ref="B1"), entry("5.00", ref="B2")]
    lump = bring(bank, sftp, parts, "day.xml", day(1, *entries, opening="0.00", net="105.00"))
    assert (lump.counts.repeated, lump.counts.posted) == (1, 1)
    ((rule, message),) = warnings(parts, lump)
    assert rule == "other_message"
    assert "the details of this entry came with an earlier file" in message
    assert sorted(Decimal(b["payment_amount"]) for _, _, b in api.effects) == [5, 40, 60]


def test_details_after_their_lump_are_not_posted_again(bank: Installation, sftp: SftpPeer, api: ApiPeer) -> None:
    parts = bank.parts()
    bring(bank, sftp, parts, "day.xml", day(1, entry("100.00", ref="B1"), opening="0.00", net="100.00"))
    details = document(statement([entry("100.00", *DETAILS, ref="B1")], kind="Ntfctn"), message="camt.054")
    late = bring(bank, sftp, parts, "details.xml", details)
    assert (late.counts.repeated, late.counts.posted) == (2, 0)
    assert [rule for rule, _ in warnings(parts, late)] == ["other_message", "other_message"]
    assert [body["payment_amount"] for _, _, body in api.effects] == ["100.00"]


def test_lump_and_details_in_one_file_are_posted_once(bank: Installation, sftp: SftpPeer, api: ApiPeer) -> None:
    parts = bank.parts()
    both = document(statement([entry("100.00", *DETAILS, ref="B1")], kind="Ntfctn"), message="camt.054")
    both += day(1, entry("100.00", ref="B1"), opening="0.00", net="100.00")
    outcome = bring(bank, sftp, parts, "both.xml", both)
    assert (outcome.counts.rows, outcome.counts.repeated, outcome.counts.posted) == (3, 1, 2)
    assert sorted(body["payment_amount"] for _, _, body in api.effects) == ["40.00", "60.00"]


def test_entry_with_another_amount_is_another_entry(bank: Installation, sftp: SftpPeer, api: ApiPeer) -> None:
    parts = bank.parts()
    details = document(statement([entry("100.00", *DETAILS, ref="B1")], kind="Ntfctn"), message="camt.054")
    bring(bank, sftp, parts, "details.xml", details)
    other = bring(bank, sftp, parts, "day.xml", day(1, entry("99.00", ref="B1"), opening="0.00", net="99.00"))
    assert (other.counts.repeated, other.counts.posted) == (0, 1)


@pytest.mark.parametrize("first", ["lump", "details"])
def test_what_was_only_pending_does_not_stand_for_what_is_booked(
    bank: Installation, sftp: SftpPeer, api: ApiPeer, first: str
) -> None:
    parts = bank.parts()
    inside = {"lump": [], "details": DETAILS}
    (second,) = inside.keys() - {first}
    pending = entry("100.00", *inside[first], ref="B1", status="<Sts>PDNG</Sts>")
    bring(bank, sftp, parts, "early.xml", document(statement([pending], kind="Rpt"), message="camt.052"))
    booked = entry("100.00", *inside[second], ref="B1")
    later = bring(bank, sftp, parts, "day.xml", day(1, booked, opening="0.00", net="100.00"))
    assert (later.counts.repeated, later.counts.posted) == (0, later.counts.rows)
