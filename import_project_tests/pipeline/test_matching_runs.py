"""Matching over several files and runs, with the ledger as its memory: real SFTP, HTTP and SQLite."""

import os
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from import_project.errors import (
    ApiAnswerUnusable,
    ApiUnavailable,
    ConfigError,
    InvoicesStale,
    InvoicesUnusable,
    NotConserved,
)
from import_project.pipeline.by_hand import Hand, Wanted, find, match_by_hand, unmatch_by_hand
from import_project.pipeline.conclude import conclude
from import_project.pipeline.conserve import conservation
from import_project.pipeline.hold import run_step
from import_project.pipeline.steps import PAYMENT_STEPS
from import_project.records.payments import UnmatchedReason
from import_project.records.postings import UNSENT
from import_project_tests.formats.camt_files import element, entry, transaction
from import_project_tests.formats.test_trial import far_sheet
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation, rewrite_feed
from import_project_tests.pipeline.bank_days import ALICE, BOB, Bank, invoice, paid
from import_project_tests.servers import SftpPeer


@pytest.fixture
def bank(installation: Installation, sftp: SftpPeer, api: ApiPeer) -> Bank:
    return Bank.open(installation, sftp, api)


def reason(bank: Bank, ref: str) -> UnmatchedReason | None:
    return bank.payments()[ref].reason


def test_second_payment_is_told_though_the_list_has_the_invoice_no_more(bank: Bank) -> None:
    bank.api.invoices = [invoice("A", "100234", "50.00")]
    bank.bring(paid("50.00", ref="R1", reference="100234", account=ALICE))
    bank.api.invoices = []
    bank.bring(paid("50.00", ref="R2", reference="100234", account=ALICE), paid("9.00", ref="R3", reference="100234"))
    assert reason(bank, "R2") is UnmatchedReason.DUPLICATE_PAYMENT
    assert reason(bank, "R3") is UnmatchedReason.ALREADY_PAID
    (told,) = [b for b in bank.posted("unmatched-payments") if b["bank_reference"] == "R2"]
    assert told["reason"] == "duplicate_payment"
    assert "is paid already" in told["explanation"] or "paid already" in told["explanation"]


def test_reversal_of_an_earlier_file_opens_the_invoice_again(bank: Bank) -> None:
    bank.api.invoices = [invoice("A", "100234", "50.00")]
    bank.bring(paid("50.00", ref="R1", reference="100234", end_to_end="E1"))
    assert bank.api.invoices[0]["open_amount"] == "0.00"
    outcome = bank.bring(paid("-50.00", ref="R2", end_to_end="E1", back=True))
    assert bank.api.invoices[0]["open_amount"] == "50.00"
    assert (outcome.counts.matched, outcome.counts.unmatched) == (1, 0)
    last = bank.posted("/payments")[-1]
    assert (last["amount"], last["residual"], last["reverses"]) == (
        "-50.00",
        "50.00",
        bank.payments()["R1"].payment.payment_id,
    )
    assert bank.payments()["R1"].taken_back_by == bank.payments()["R2"].payment.payment_id
    bank.bring(paid("-50.00", ref="R3", end_to_end="E1", back=True))
    assert reason(bank, "R3") is UnmatchedReason.REVERSED  # once only
    bank.bring(paid("50.00", ref="R4", reference="100234"))
    assert bank.api.invoices[0]["open_amount"] == "0.00"


def test_reversal_of_a_payment_that_waited_takes_it_out_of_the_queue(bank: Bank) -> None:
    bank.bring(paid("50.00", ref="R1", reference="999999", end_to_end="E1"))
    assert [p.payment.bank_reference for p in bank.parts.ledger.payments.unmatched()] == ["R1"]
    bank.bring(paid("-50.00", ref="R2", end_to_end="E1", back=True))
    assert bank.parts.ledger.payments.unmatched() == []
    assert [b["reason"] for b in bank.posted("unmatched-payments")] == ["unknown_reference", "reversed", "reversed"]
    first = bank.payments()["R1"]
    assert (first.reason, first.changes) == (UnmatchedReason.REVERSED, 1)
    (change,) = bank.parts.ledger.payments.changes("bankgiro", first.payment.payment_id)
    assert change.reason is UnmatchedReason.UNKNOWN_REFERENCE


def test_payments_of_two_files_settle_one_invoice_together(bank: Bank) -> None:
    bank.api.invoices = [
        invoice("A", "100234", "100.00", customer_id="c1", payer_accounts=[ALICE], due_on="2026-11-20"),
        invoice("B", "100235", "7.00", customer_id="c2", payer_accounts=[BOB], due_on="2026-11-20"),
    ]
    first = bank.bring(paid("60.00", ref="R1", account=ALICE), paid("5.00", ref="R2", account=BOB))
    assert (first.counts.matched, first.counts.unmatched) == (0, 2)
    second = bank.bring(paid("40.00", ref="R3", account=ALICE, day="2026-11-22"))
    assert (second.counts.matched, second.counts.unmatched) == (1, 0)
    first = bank.outcome("day1.xml")
    assert (first.counts.matched, first.counts.unmatched, first.counts.posted) == (1, 1, 2)
    found = bank.payments()
    assert [found[r].rule for r in ("R1", "R3")] == ["several_payments"] * 2
    assert sorted((b["amount"], b["residual"]) for b in bank.posted("/payments")) == [
        ("40.00", "0.00"),
        ("60.00", "40.00"),
    ]
    assert bank.api.invoices[0]["open_amount"] == "0.00"
    assert reason(bank, "R2") is UnmatchedReason.NO_REFERENCE
    assert Counter(bank.api.times().values()) == {1: 4}


def test_rule_that_finds_more_later_does_not_touch_what_a_person_decided(bank: Bank) -> None:
    bank.api.invoices = [
        invoice("A", "100234", "100.00", customer_id="c1", payer_accounts=[ALICE], due_on="2026-11-20"),
        invoice("B", "100235", "60.00", customer_id="c9"),
    ]
    bank.bring(paid("60.00", ref="R1", account=ALICE))
    hand(bank, "R1", "B")
    unhand(bank, "R1", UnmatchedReason.NO_REFERENCE)
    bank.bring(paid("40.00", ref="R2", account=ALICE))
    assert (reason(bank, "R1"), bank.payments()["R1"].decided_by) == (UnmatchedReason.NO_REFERENCE, "ann")
    assert reason(bank, "R2") is UnmatchedReason.NO_REFERENCE


def hand(bank: Bank, ref: str, *invoices: str, credit: bool = False) -> None:
    wanted = [Wanted(invoice_id=i) for i in invoices]
    one, loaded = bank.payments()[ref], bank.installation.feed("bankgiro")
    match_by_hand(bank.parts, loaded, one, wanted, Hand(by="ann", note="phoned"), credit=credit, owner="o")
    bank.settle()


def unhand(bank: Bank, ref: str, why: UnmatchedReason) -> None:
    one, loaded = bank.payments()[ref], bank.installation.feed("bankgiro")
    unmatch_by_hand(bank.parts, loaded, one, why, Hand(by="ann"), owner="o")
    bank.settle()


def test_person_matches_and_takes_it_back_and_all_is_kept(bank: Bank) -> None:
    bank.api.invoices = [invoice("A", "100234", "50.00"), invoice("B", "100235", "30.00")]
    bank.bring(paid("90.00", ref="R1", reference="4444444"))
    hand(bank, "R1", "A", "B", credit=True)
    assert [i["open_amount"] for i in bank.api.invoices] == ["0.00", "0.00"]
    (left,) = bank.posted("credits")
    assert (left["amount"], left["invoice_ids"], left["decided_by"]) == ("10.00", ["A", "B"], "ann")
    assert bank.outcome("day1.xml").counts.matched == 1
    unhand(bank, "R1", UnmatchedReason.AMBIGUOUS)
    assert [i["open_amount"] for i in bank.api.invoices] == ["50.00", "30.00"]
    assert [b["amount"] for b in bank.posted("credits")] == ["10.00", "-10.00"]
    assert (bank.outcome("day1.xml").counts.matched, bank.outcome("day1.xml").counts.unmatched) == (0, 1)
    changes = bank.parts.ledger.payments.changes("bankgiro", bank.payments()["R1"].payment.payment_id)
    assert [(c.reason, c.decided_by, c.note) for c in changes] == [
        (UnmatchedReason.UNKNOWN_REFERENCE, "rules", ""),
        (None, "ann", "phoned"),
    ]
    assert set(bank.api.times().values()) == {1}
    hand(bank, "R1", "A", "B", credit=True)
    assert [i["open_amount"] for i in bank.api.invoices] == ["0.00", "0.00"]


def test_taking_back_that_the_api_rejects_leaves_nothing_to_settle_anew(bank: Bank) -> None:
    bank.api.invoices = [invoice("A", "100234", "50.00"), invoice("B", "100235", "50.00")]
    bank.bring(paid("50.00", ref="R1", reference="100234"))
    bank.api.reject_if = lambda body: body.get("amount") == "-50.00"
    unhand(bank, "R1", UnmatchedReason.AMBIGUOUS)
    assert [i["open_amount"] for i in bank.api.invoices] == ["0.00", "50.00"]
    with pytest.raises(ConfigError, match="the API still has what the payment settled of A"):
        hand(bank, "R1", "B")
    bank.api.reject_if = lambda _body: False
    unhand(bank, "R1", UnmatchedReason.AMBIGUOUS)
    hand(bank, "R1", "B")
    assert [i["open_amount"] for i in bank.api.invoices] == ["50.00", "0.00"]


def test_reversal_that_a_person_takes_back_leaves_the_payment_as_it_was(bank: Bank) -> None:
    bank.api.invoices = [invoice("A", "100234", "50.00")]
    bank.bring(paid("50.00", ref="R1", reference="100234", end_to_end="E1"))
    bank.bring(paid("-50.00", ref="R2", end_to_end="E1", back=True))
    unhand(bank, "R2", UnmatchedReason.REVERSED)
    assert bank.api.invoices[0]["open_amount"] == "0.00"
    assert bank.payments()["R1"].taken_back_by is None
    bank.bring(paid("-50.00", ref="R3", end_to_end="E1", back=True))
    assert bank.payments()["R1"].taken_back_by == bank.payments()["R3"].payment.payment_id
    assert bank.api.invoices[0]["open_amount"] == "50.00"


def test_what_was_posted_by_hand_while_the_api_was_down_is_sent_by_a_later_poll(bank: Bank) -> None:
    bank.api.invoices = [invoice("A", "100234", "50.00")]
    bank.bring(paid("60.00", ref="R1"))
    assert bank.installation.poll(bank.parts, "bankgiro") == ()
    bank.api.fail_if = lambda body: body.get("invoice_id") == "A"
    with pytest.raises(ApiUnavailable):
        hand(bank, "R1", "A", credit=True)
    bank.api.fail_if = lambda _body: False
    bank.installation.clock.advance(hours=1)
    (request,) = bank.installation.poll(bank.parts, "bankgiro")
    bank.installation.run(bank.parts, "bankgiro", request)
    assert [b["amount"] for b in bank.posted("/payments")] == ["50.00"]
    assert [b["amount"] for b in bank.posted("credits")] == ["10.00"]
    assert bank.installation.poll(bank.parts, "bankgiro") == ()


def test_taking_back_waits_for_the_answer_and_is_not_sent_when_that_is_no(bank: Bank) -> None:
    bank.api.invoices = [invoice("A", "100234", "50.00")]
    bank.api.fail_if = lambda body: body.get("amount") == "50.00"
    with pytest.raises(ApiUnavailable):
        bank.bring(paid("50.00", ref="R1", reference="100234", end_to_end="E1"))
    bank.api.fail_if = lambda _body: False
    bank.api.reject_if = lambda body: body.get("amount") == "50.00"
    with pytest.raises(ApiUnavailable, match="still wait"):
        bank.bring(paid("-50.00", ref="R2", end_to_end="E1", back=True))
    bank.installation.clock.advance(hours=1)
    for request in bank.installation.poll(bank.parts, "bankgiro"):
        bank.installation.run(bank.parts, "bankgiro", request)
    assert bank.posted("/payments") == []
    states = [
        s.state for s in bank.parts.ledger.payments.settlements("bankgiro", [bank.payments()["R2"].payment.payment_id])
    ]
    assert states == ["rejected"]


def test_list_that_shows_a_payment_of_unknown_outcome_is_not_lessened_twice(bank: Bank) -> None:
    bank.api.invoices = [invoice("A", "100234", "100.00"), invoice("B", "100235", "300.00")]
    bank.api.mode = "apply_then_fail"
    with pytest.raises(ApiUnavailable):
        bank.bring(paid("100.00", ref="R1", reference="100234"))
    bank.api.mode = "ok"
    bank.settle()
    assert bank.api.invoices[0]["open_amount"] == "0.00"
    bank.bring(paid("200.00", ref="R2", text="100234 100235"), paid("-100.00", ref="R3", reference="100234"))
    assert [reason(bank, r) for r in ("R2", "R3")] != [None, None]
    assert reason(bank, "R3") is not None
    assert all(Decimal(b["amount"]) > 0 for b in bank.posted("/payments"))


def test_repeated_details_of_an_entry_are_no_ground_for_a_new_decision(bank: Bank) -> None:
    bank.api.invoices = [
        invoice("A", "100234", "100.00", customer_id="c1", payer_accounts=[ALICE], due_on="2026-11-20")
    ]
    bank.bring(paid("60.00", ref="R1", account=ALICE))
    bank.bring(entry("70.00", ref="L1"))
    people = [element("RltdPties", element("DbtrAcct", element("Id", element("IBAN", a)))) for a in (ALICE, BOB)]
    details = [transaction(a, p, end_to_end=f"D{a}") for a, p in zip(("40.00", "30.00"), people, strict=True)]
    outcome = bank.bring(entry("70.00", *details, ref="L1"))
    assert outcome.counts.repeated == 2
    assert bank.posted("/payments") == []
    assert reason(bank, "R1") is UnmatchedReason.NO_REFERENCE


def test_reversal_of_what_a_person_unmatched_is_decided_and_changes_nothing_of_it(bank: Bank) -> None:
    bank.api.invoices = [invoice("A", "100234", "50.00")]
    bank.bring(paid("50.00", ref="R1", reference="100234", end_to_end="E1"))
    unhand(bank, "R1", UnmatchedReason.AMBIGUOUS)
    bank.bring(paid("-50.00", ref="R2", end_to_end="E1", back=True))
    assert (reason(bank, "R1"), bank.payments()["R1"].decided_by) == (UnmatchedReason.AMBIGUOUS, "ann")
    assert reason(bank, "R2") is UnmatchedReason.REVERSED
    assert bank.parts.ledger.payments.unmatched() == []
    assert bank.api.invoices[0]["open_amount"] == "50.00"


@pytest.mark.parametrize(
    ("wanted", "credit", "told"),
    [
        ([Wanted(invoice_id="X")], False, "is not among the open invoices"),
        ([Wanted(invoice_id="A")], False, "40.00 EUR of the payment would be left over"),
        ([Wanted(invoice_id="A"), Wanted(invoice_id="A")], True, "named twice"),
        ([Wanted(invoice_id="A", amount=Decimal("50.01"))], True, "no part of it"),
        ([Wanted(invoice_id="A", amount=Decimal(0))], True, "no part of it"),
        ([Wanted(invoice_id="A", amount=Decimal(-1))], True, "no part of it"),
        ([Wanted(invoice_id="K")], True, "is in SEK"),
        ([Wanted(invoice_id="Z")], True, "nothing open"),
        ([Wanted(invoice_id="A"), Wanted(invoice_id="B", amount=Decimal(45))], True, "less than 45"),
        ([Wanted(invoice_id="A"), Wanted(invoice_id="B")], True, "to pay a part of it, write B=40.00"),
    ],
)
def test_what_a_person_cannot_decide_is_told_and_nothing_is_posted(
    bank: Bank, wanted: list[Wanted], credit: bool, told: str
) -> None:
    bank.api.invoices = [
        invoice("A", "100234", "50.00"),
        invoice("B", "100235", "70.00"),
        invoice("K", "100236", "90.00", "SEK"),
        invoice("Z", "100237", "0.00"),
    ]
    bank.bring(paid("90.00", ref="R1"))
    before = len(bank.api.effects)
    one, loaded = bank.payments()["R1"], bank.installation.feed("bankgiro")
    with pytest.raises(ConfigError, match=told):
        match_by_hand(bank.parts, loaded, one, wanted, Hand(by="ann"), credit=credit, owner="o")
    assert len(bank.api.effects) == before
    with pytest.raises(ConfigError, match="settles no invoice"):
        unmatch_by_hand(bank.parts, loaded, one, UnmatchedReason.AMBIGUOUS, Hand(by="ann"), owner="o")


def test_payment_is_found_by_the_beginning_of_its_id(bank: Bank) -> None:
    bank.bring(paid("90.00", ref="R1"))
    name = bank.payments()["R1"].payment.payment_id
    assert find(bank.parts, name[:8], None).payment.payment_id == name
    for wrong in ("", "zz"):
        with pytest.raises(ConfigError, match="no payment"):
            find(bank.parts, wrong, None)


def test_written_off_difference_is_posted_and_not_used_twice(
    installation: Installation, sftp: SftpPeer, api: ApiPeer
) -> None:
    bank = Bank.open(installation, sftp, api, rules=["reference", {"tolerance": {"amount": 1, "budget": 1}}])
    bank.api.invoices = [invoice("A", "100234", "100.00")]
    bank.bring(paid("99.40", ref="R1", reference="100234"))
    (body,) = bank.posted("/payments")
    assert (body["amount"], body["written_off"], body["residual"]) == ("99.40", "0.60", "0.00")
    assert api.invoices[0]["open_amount"] == "0.00"
    api.invoices[0]["open_amount"] = "50.00"  # the books were corrected
    bank.bring(paid("49.50", ref="R2", reference="100234"))
    assert reason(bank, "R2") is UnmatchedReason.AMOUNT_MISMATCH
    bank.bring(paid("49.70", ref="R3", reference="100234"))
    assert reason(bank, "R3") is None


def test_rules_that_are_edited_change_no_decision_and_each_says_which_edition_made_it(
    installation: Installation, sftp: SftpPeer, api: ApiPeer
) -> None:
    bank = Bank.open(installation, sftp, api, rules=["reference"])
    api.invoices = [invoice("A", "100234", "100.00")]
    name = bank.drop(paid("99.40", ref="R1", reference="100234"))
    request = installation.poll_until_ready(bank.parts, bank.installation.feed("bankgiro"))
    old = bank.installation.feed("bankgiro")
    for step in list(PAYMENT_STEPS.values())[:5]:
        run_step(bank.parts, old, request.partition, owner="run-1", step=step)
    folder = Path(bank.installation.environ["IMPORT_PROJECT_FEEDS"])
    rewrite_feed(folder / "bankgiro.yaml", match={"rules": ["reference", "tolerance"]})
    new = bank.installation.feed("bankgiro")
    assert (new.feed.match and new.feed.match.edition) != (old.feed.match and old.feed.match.edition)
    bank.installation.run(bank.parts, "bankgiro", request)
    assert bank.outcome(name).counts.unmatched == 1
    bank.bring(paid("99.30", ref="R2", reference="100234"))
    told = {ref: p.evidence for ref, p in bank.payments().items()}
    assert old.feed.match
    assert old.feed.match.edition in told["R1"]
    assert new.feed.match
    assert new.feed.match.edition in told["R2"]
    assert reason(bank, "R2") is None


def test_list_that_is_too_old_is_not_matched_with(bank: Bank) -> None:
    bank.api.invoices = [invoice("A", "100234", "100.00")]
    bank.drop(paid("100.00", ref="R1", reference="100234"))
    request = bank.installation.poll_until_ready(bank.parts, "bankgiro")
    loaded = bank.installation.feed("bankgiro")
    steps = dict(PAYMENT_STEPS)
    for name in ("receive", "parse_file", "validate_rows", "fetch_invoices"):
        run_step(bank.parts, loaded, request.partition, owner="r", step=steps[name])
    bank.installation.clock.advance(minutes=61)
    with pytest.raises(InvoicesStale, match="61 minutes old, at most 60 are allowed"):
        run_step(bank.parts, loaded, request.partition, owner="r", step=steps["reconcile"])
    assert bank.api.effects == []
    bank.installation.run(bank.parts, "bankgiro", request)
    assert reason(bank, "R1") is None


def test_invoices_from_a_file_with_columns_of_its_own(installation: Installation, sftp: SftpPeer, api: ApiPeer) -> None:
    path = installation.home / "open.csv"
    path.write_text("No;Kundnr;Belopp;Valuta;OCR;Konton\n7;c1;100.00;eur;100234;SE45 5000 0000 0583 9825 7466,X\n")
    columns = {"invoice_id": "No", "reference": "OCR", "currency": "Valuta", "open_amount": "Belopp"}
    columns |= {"customer_id": "Kundnr", "payer_accounts": "Konton"}
    bank = Bank.open(installation, sftp, api, invoices={"file": str(path), "columns": columns})
    bank.bring(paid("60.00", ref="R1", text="faktura 100234", account=ALICE))
    (body,) = bank.posted("/payments")
    assert (body["invoice_id"], body["amount"], body["residual"]) == ("7", "60.00", "40.00")
    table = bank.parts.tables.read("bankgiro", "open_invoices", bank.outcome("day1.xml").sha256 or "")
    assert table["payer_accounts"].to_list() == [["SE45 5000 0000 0583 9825 7466", "X"]]
    age = bank.parts.tables.read("bankgiro", "open_invoices_as_of", bank.outcome("day1.xml").sha256 or "")
    assert age["as_of"][0] == datetime.fromtimestamp(path.stat().st_mtime, UTC)
    old = datetime.now(UTC) - timedelta(days=2)
    os.utime(path, (old.timestamp(), old.timestamp()))
    with pytest.raises(InvoicesStale, match="2,88"):
        bank.bring(paid("40.00", ref="R2", text="faktura 100234", account=ALICE))
    path.write_text("No;Kundnr;Belopp;Valuta;OCR;Konton\n")
    os.utime(path, (old.timestamp(), old.timestamp()))
    with pytest.raises(InvoicesStale):  # an empty list has an age too
        bank.bring(paid("41.00", ref="R3"))


def test_invoices_from_a_database(
    installation: Installation, sftp: SftpPeer, api: ApiPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{installation.home}/erp.db"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("create table bills (no integer, ocr text, open numeric, paid boolean)"))
        connection.execute(sa.text("insert into bills values (1, '100234', 100.00, false), (2, '100235', 5, true)"))
    engine.dispose()
    sql = "select no as invoice_id, ocr as reference, 'EUR' as currency, open as open_amount, paid as closed from bills"
    installation = replace(installation, environ={**installation.environ, "ERP_DB": url})
    bank = Bank.open(installation, sftp, api, invoices={"sql": sql, "url": {"env": "ERP_DB"}})
    bank.bring(paid("100.00", ref="R1", reference="100234"), paid("5.00", ref="R2", reference="100235"))
    assert (reason(bank, "R1"), reason(bank, "R2")) == (None, UnmatchedReason.ALREADY_PAID)
    bad = Bank.open(installation, sftp, api, invoices={"sql": "select gone from bills", "url": {"env": "ERP_DB"}})
    with pytest.raises(ConfigError, match=r"the query for open invoices does not work: no such column: gone"):
        bad.bring(paid("1.00", ref="R3"))


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ({"invoice_id": "A"}, "open invoice 1 has no reference"),
        (invoice("", "1", "1.00"), "empty invoice_id"),
        (invoice("..", "1", "1.00"), "only dots"),
        (invoice("A", "1", "1.001"), "the open amount of invoice A, '1.001', is no amount of money"),
        (invoice("A", "1", "NaN"), "no amount of money"),
        (invoice("A", "1", "1.00", due_on="soon"), "the due_on of invoice A is no day"),
        (invoice("A", "1", "1.00", closed="maybe"), "neither true nor false"),
        ("A", "is no invoice"),
    ],
)
def test_what_is_no_invoice_is_told(bank: Bank, item: dict[str, str], told: str) -> None:
    bank.api.invoices = [item]
    with pytest.raises(ApiAnswerUnusable, match=told):
        bank.bring(paid("1.00", ref="R1"))
    assert bank.api.effects == []


def test_missing_file_of_invoices_is_told_and_tried_again(
    installation: Installation, sftp: SftpPeer, api: ApiPeer
) -> None:
    path = installation.home / "open.csv"
    bank = Bank.open(installation, sftp, api, invoices={"file": str(path)})
    with pytest.raises(InvoicesUnusable, match="cannot be read") as caught:
        bank.bring(paid("1.00", ref="R1"))
    assert caught.value.retry


@pytest.mark.parametrize(("name", "content"), [("open.json", b'[{"invoice_id":'), ("open.xlsx", far_sheet())])
def test_damaged_file_of_invoices_ends_no_file_of_the_bank(
    installation: Installation, sftp: SftpPeer, api: ApiPeer, name: str, content: bytes
) -> None:
    path = installation.home / name
    path.write_bytes(content)
    bank = Bank.open(installation, sftp, api, invoices={"file": str(path)})
    with pytest.raises(InvoicesUnusable, match=name) as caught:
        bank.bring(paid("1.00", ref="R1"))
    assert caught.value.retry
    assert bank.parts.ledger.outcomes.all() == []


def test_money_that_is_lost_ends_no_file(bank: Bank) -> None:
    name = bank.drop(paid("1.00", ref="R1"), paid("2.00", ref="R2"))
    request = bank.installation.poll_until_ready(bank.parts, "bankgiro")
    loaded = bank.installation.feed("bankgiro")
    for step in list(PAYMENT_STEPS.values())[:-1]:
        run_step(bank.parts, loaded, request.partition, owner="r", step=step)
    sha256 = bank.parts.ledger.arrivals.of("bankgiro", request.partition).sha256 or ""
    assert conservation(bank.parts, "bankgiro", sha256).holds
    decisions = bank.parts.tables.read("bankgiro", "decisions", sha256)
    short = decisions.with_columns(amount=(pl.col("amount") - Decimal("0.01")).cast(decisions.schema["amount"]))
    bank.parts.tables.write("bankgiro", "decisions", sha256, short)
    found = conservation(bank.parts, "bankgiro", sha256)
    assert found.money.row(0, named=True)["difference"] == Decimal("0.02")
    with pytest.raises(NotConserved, match=r"the file holds 3\.00 EUR, decided and quarantined are 2\.98"):
        run_step(bank.parts, loaded, request.partition, owner="r", step=conclude)
    assert [o.name for o in bank.parts.ledger.outcomes.all() if o.name == name] == []


def test_python_is_called_with_matches_in_place_of_an_api(
    installation: Installation, sftp: SftpPeer, api: ApiPeer
) -> None:
    bank = Bank.open(installation, sftp, api)
    folder = Path(bank.installation.environ["IMPORT_PROJECT_FEEDS"])
    log = installation.home / "calls.txt"
    (folder / "books.py").write_text(
        f"""
import json, pathlib
LOG = pathlib.Path({str(log)!r})

def on_matched(match):
    payment = match.payment
    with LOG.open("a") as log:
        told = [match.invoice_id, str(payment.amount), payment.reference, payment.payment_date.isoformat(), match.key]
        log.write(json.dumps(told) + chr(10))
    return "booked"

async def on_unmatched(match):
    with LOG.open("a") as log:
        log.write(json.dumps([match.invoice_id, str(match.payment.amount), match.payment.remittance, match.reason]) + chr(10))
"""
    )
    post = {"matched": None, "unmatched": None, "credits": None}
    rewrite_feed(
        folder / "bankgiro.yaml",
        post=post | {"on_matched": "books.py:on_matched", "on_unmatched": "books.py:on_unmatched"},
    )
    api.invoices = [invoice("A", "100234", "100.00")]
    outcome = bank.bring(paid("100.00", ref="R1", reference="100234"), paid("3.00", ref="R2", text="hello"))
    assert (outcome.counts.matched, outcome.counts.unmatched, outcome.counts.posted) == (1, 1, 2)
    matched, unmatched = sorted(log.read_text().splitlines(), key=len, reverse=True)
    assert matched.startswith('["A", "100.00", "100234", "2026-11-20", "ip-')
    assert unmatched == '[null, "3.00", "hello", "no_reference"]'
    assert api.effects == []


def test_earlier_file_is_sent_by_one_run_alone(bank: Bank) -> None:
    """A payment of day 1 is decided again with day 2's; at that moment a poll's run holds day 1."""
    bank.api.invoices = [
        invoice("A", "100234", "100.00", customer_id="c1", payer_accounts=[ALICE], due_on="2026-11-20"),
    ]
    bank.bring(paid("60.00", ref="R1", account=ALICE))
    (day1,) = bank.parts.ledger.outcomes.all()
    now = bank.installation.clock()
    held = bank.parts.ledger.arrivals.claim(
        "bankgiro", day1.partition, owner="another run", now=now, lease=timedelta(minutes=5)
    )[1]
    bank.bring(paid("40.00", ref="R2", account=ALICE))
    waiting = [p.sha256 for p in bank.parts.ledger.dead_letters.kept(states=UNSENT)]
    assert set(waiting) == {day1.sha256}
    bank.parts.ledger.arrivals.release(held)
    (request,) = bank.installation.poll(bank.parts, "bankgiro")
    assert request.name == "day1.xml"
    bank.installation.run(bank.parts, "bankgiro", request, owner="run-2")
    assert list(bank.parts.ledger.dead_letters.kept(states=UNSENT)) == []
    assert set(bank.api.times().values()) == {1}
