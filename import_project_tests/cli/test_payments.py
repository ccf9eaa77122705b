"""The work queue as a user calls it, against a real API and ledger."""

import csv
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from import_project_tests.cli.test_inspect import command, one_line
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation, environment
from import_project_tests.pipeline.bank_days import ALICE, Bank, invoice, paid
from import_project_tests.servers import SftpPeer


@pytest.fixture
def bank(installation: Installation, sftp: SftpPeer, api: ApiPeer) -> Bank:
    bank = Bank.open(installation, sftp, api)
    api.invoices = [
        invoice("INV-1", "100234", "50.00", customer_id="c1", payer_accounts=[ALICE], due_on="2026-11-20"),
        invoice("INV-2", "100235", "50.00", customer_id="c1", payer_accounts=[ALICE], due_on="2026-11-20"),
        invoice("INV-3", "100236", "30.00"),
    ]
    bank.bring(
        paid("50.00", ref="TIE", account=ALICE, payer="Ann Ågren"),
        paid("7.00", ref="LOST", reference="=1+1", payer="=cmd()"),
        paid("30.00", ref="PAID", reference="100236"),
    )
    return bank


def asked(bank: Bank, *arguments: str | Path) -> Any:
    done = command("payments", *arguments, "--json", environ=environment(bank.installation))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def told(bank: Bank, *arguments: str | Path) -> str:
    done = command("payments", *arguments, environ=environment(bank.installation))
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(bank: Bank, *arguments: str | Path) -> str:
    done = command("payments", *arguments, environ=environment(bank.installation))
    assert done.returncode == 1
    return one_line(done.stderr)


def of(bank: Bank, ref: str) -> str:
    return bank.payments()[ref].payment.payment_id


def test_queue_is_listed_with_reasons_and_proposals(bank: Bank) -> None:
    rows = asked(bank, "unmatched")
    assert {r["bank_reference"]: r["reason"] for r in rows} == {"TIE": "ambiguous", "LOST": "unknown_reference"}
    (tie,) = asked(bank, "unmatched", "--reason", "ambiguous")
    assert [r["invoices"] for r in tie["rivals"]] == [["INV-1"], ["INV-2"]]
    assert "no feed other" in refused(bank, "unmatched", "--feed", "other")
    (lost,) = asked(bank, "unmatched", "--reason", "unknown_reference")
    assert (lost["amount"], lost["currency"], lost["references"], lost["days"] >= 0) == ("7.00", "EUR", ["=1+1"], True)
    shown = told(bank, "unmatched")
    assert "Ann Ågren" in shown
    assert of(bank, "TIE")[:12] in shown


def test_decision_by_hand_and_its_history(bank: Bank) -> None:
    name = of(bank, "TIE")[:10]
    before = asked(bank, "explain", name)
    assert (before["reason"], before["decided_by"], before["file"]) == ("ambiguous", "rules", "day1.xml")
    now = asked(bank, "match", name, "INV-1", "--by", "ann", "--note", "phoned")
    assert (now["reason"], now["rule"], now["decided_by"], now["note"]) == (None, "by_hand", "ann", "phoned")
    assert [(p["kind"], p["state"]) for p in now["postings"]] == [("unmatched", "done"), ("matched", "done")]
    assert [(c["reason"], c["decided_by"]) for c in now["changes"]] == [("ambiguous", "rules")]
    assert "unmatch it first" in refused(bank, "match", name, "INV-2")
    bank.settle()
    shown = told(bank, "unmatch", name, "--reason", "ambiguous", "--by", "bo")
    assert "taken back by bo" in shown
    assert "phoned" in told(bank, "explain", name)
    assert "settles no invoice" in refused(bank, "unmatch", name, "--reason", "ambiguous")
    assert [b["amount"] for b in bank.posted("/payments")] == ["30.00", "50.00", "-50.00"]


def test_what_cannot_be_is_one_line(bank: Bank) -> None:
    name = of(bank, "TIE")
    assert "INV-9 is not among the open invoices" in refused(bank, "match", name, "INV-9")
    assert "is no amount of money" in refused(bank, "match", name, "INV-1=many")
    assert "no payment ffff" in refused(bank, "explain", "ffff")
    bank.api.mode = "fail"
    assert "503" in refused(bank, "match", name, "INV-1")
    bank.api.mode = "ok"
    assert asked(bank, "match", name, "INV-1")["reason"] is None


def test_export_is_safe_to_open_and_amounts_stay_numbers(bank: Bank, tmp_path: Path) -> None:
    path = tmp_path / "queue.csv"
    assert "2 payments written" in told(bank, "export", "--to", path)
    rows = list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))
    (lost,) = [r for r in rows if r["reason"] == "unknown_reference"]
    assert (lost["references"], lost["payer_name"], lost["amount"]) == ("'=1+1", "'=cmd()", "7.00")
    assert "exists" in refused(bank, "export", "--to", path)
    sheet = tmp_path / "all.xlsx"
    told(bank, "export", "--all", "--to", sheet)
    whole = pl.read_excel(sheet, infer_schema_length=0)
    assert sorted(whole["bank_reference"].to_list()) == ["LOST", "PAID", "TIE"]
    assert whole.filter(pl.col("bank_reference") == "PAID")["settles"][0] == "INV-3: 30.00"
    assert "neither .csv nor .xlsx" in refused(bank, "export", "--to", tmp_path / "x.txt")
