"""camt messages: every version and kind, amounts, references, totals, identities, and files that must be refused."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from import_project.errors import FileRefused, NotAllowed, NotRecognised, Unreadable
from import_project.formats.registry import detect
from import_project.frames import Reading
from import_project.validation.payments import split_payments
from import_project_tests.formats.camt_files import (
    balance,
    container,
    document,
    element,
    entry,
    money,
    statement,
    transaction,
    way,
)
from import_project_tests.formats.reading import problems, read_bank


def read(*entries: str, net: str | None = None, **options: Any) -> Reading:
    return read_bank("sepa", document(statement(entries, net=net)), **options)


def only(reading: Reading) -> dict[str, Any]:
    assert reading.frame.height == 1
    return reading.frame.row(0, named=True)


@pytest.mark.parametrize("message", ["camt.052", "camt.053", "camt.054"])
@pytest.mark.parametrize("version", [f"{v:02}" for v in range(1, 15)])
def test_every_version_is_read_by_its_local_names(message: str, version: str) -> None:
    content = document(
        statement([entry("5.00")], kind=container(message), net="5.00"), message=message, version=version
    )
    assert detect(content) == "sepa"
    reading = read_bank("sepa", content)
    assert reading.format == f"{message}.001.{version}"
    assert (only(reading)["amount"], reading.bookable) == (Decimal("5.00"), True)


@pytest.mark.parametrize("namespace", ["", "ISO:camt.053.001.02:APC:STUZZA:payments:003", "urn:something:else"])
def test_foreign_and_missing_namespaces_are_read(namespace: str) -> None:
    content = document(statement([entry("5.00")]), namespace=namespace)
    assert detect(content) == "sepa"
    expected = "camt.053.001.02" if "STUZZA" in namespace else "camt.053"
    assert read_bank("sepa", content).format == expected


def test_prefixed_names_are_read() -> None:
    plain = document(statement([entry("5.00")])).decode()
    prefixed = plain.replace("</", "</d:").replace("<", "<d:").replace("<d:/d:", "</d:").replace("<d:?", "<?")
    reading = read_bank("sepa", prefixed.replace("xmlns=", "xmlns:d=").encode())
    assert (reading.format, reading.frame.height) == ("camt.053.001.08", 1)


def test_a_message_that_a_feed_did_not_ask_for_is_refused() -> None:
    with pytest.raises(NotRecognised, match=r"camt\.053, not camt\.054"):
        read(entry("5.00"), message="camt.054")


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\n  \r\n", b"\xef\xbb\xbf\n"])
def test_a_mark_or_blanks_may_stand_before_the_declaration(before: bytes) -> None:
    content = before + document(statement([entry("5.00")]))
    assert detect(content) == "sepa"
    assert read_bank("sepa", content).frame.height == 1


@pytest.mark.parametrize("padding", [0, 1, 2, 3, 4, 5, 65_000])
def test_documents_behind_each_other_are_read_each(padding: int) -> None:
    first = document(statement([entry("5.00")])) + b" " * padding
    reading = read_bank("sepa", first + document(statement([entry("-7.00")])))
    assert reading.frame["amount"].to_list() == [Decimal("5.00"), Decimal("-7.00")]
    assert [s.number for s in reading.statements] == [1, 2]


def test_a_batch_is_its_transactions_and_one_entry() -> None:
    parts = [transaction(a, end_to_end=a) for a in ("10.00", "20.00", "30.50")]
    reading = read(entry("60.50", *parts, ref="B1"), net="60.50")
    assert reading.bookable
    assert reading.frame["amount"].to_list() == [Decimal("10.00"), Decimal("20.00"), Decimal("30.50")]
    assert reading.frame["position"].to_list() == [f"Stmt 1 / Ntry 1 / TxDtls {n}" for n in (1, 2, 3)]
    (total,) = reading.statements[0].totals
    assert (total.entries, total.credit, total.debit) == (1, Decimal("60.50"), Decimal(0))


def test_a_batch_that_does_not_give_its_entry_is_set_aside_with_the_difference() -> None:
    reading = read(entry("60.50", transaction("10.00"), transaction("20.00")), entry("1.00"), net="61.50")
    assert problems(reading) == [(1, "entry_total", "amount"), (2, "entry_total", "amount")]
    assert "difference 30.50" in reading.issues["message"][0]
    split = split_payments(reading)
    assert split.accepted["amount"].to_list() == [Decimal("1.00")]
    assert split.quarantined["raw"].str.starts_with("<Ntry").all()


@pytest.mark.parametrize(("amount", "own"), [("-1526.00", "-1500.00"), ("1474.00", "1500.00")])
def test_charges_between_an_entry_and_its_payment_are_no_difference(amount: str, own: str) -> None:
    charges = element("Chrgs", element("TtlChrgsAndTaxAmt", "26", Ccy="EUR"))
    payment = only(read(entry(amount, transaction(own), more=charges), net=amount))
    assert (payment["amount"], payment["charges"]) == (Decimal(own), Decimal("26.00"))


def test_a_payment_in_another_currency_keeps_what_was_instructed_and_the_rate() -> None:
    exchange = element("CcyXchg", element("SrcCcy", "USD"), element("XchgRate", "0.9123456"))
    details = element("AmtDtls", element("InstdAmt", money("110.00", "USD"), exchange))
    payment = only(read(entry("100.36", element("TxDtls", details)), net="100.36"))
    told = (payment["amount"], payment["original_currency"], payment["original_amount"], payment["exchange_rate"])
    assert told == (Decimal("100.36"), "USD", Decimal("110.00"), Decimal("0.9123456"))


def test_transactions_in_another_currency_than_their_entry_cannot_be_proved() -> None:
    reading = read(entry("30.00", transaction("10.00", currency="CHF"), transaction("20.00", currency="CHF")))
    assert [p[1] for p in problems(reading)] == ["entry_total", "entry_total"]


def test_references_with_their_parts_and_texts() -> None:
    invoice = element(
        "Strd",
        element("RfrdDocAmt", element("RmtdAmt", "1371.13", Ccy="EUR")),
        element("CdtrRefInf", element("Ref", "9544208")),
    )
    credit = element(
        "Strd",
        element("RfrdDocInf", element("Nb", "9582095")),
        element("RfrdDocAmt", element("CdtNoteAmt", "628.680", Ccy="EUR")),
    )
    info = element("RmtInf", element("Ustrd", "thank "), element("Ustrd", "you"), invoice, credit)
    payment = only(read(entry("742.45", transaction("742.45", info)), net="742.45"))
    assert payment["references"] == [
        {"text": "9544208", "source": "creditor_reference", "amount": Decimal("1371.13")},
        {"text": "9582095", "source": "document", "amount": Decimal("-628.68")},
    ]
    assert payment["remittance"] == "thank\nyou"


@pytest.mark.parametrize("party", [element("Nm", "Ann"), element("Pty", element("Nm", "Ann"))])
@pytest.mark.parametrize(("amount", "side"), [("1.00", "Dbtr"), ("-1.00", "Cdtr")])
def test_the_other_side_is_the_debtor_of_money_in_and_the_creditor_of_money_out(
    party: str, amount: str, side: str
) -> None:
    account = element(f"{side}Acct", element("Id", element("IBAN", "DE1")))
    related = element("RltdPties", element(side, party), account)
    payment = only(read(entry(amount, transaction(amount, related))))
    assert (payment["payer_name"], payment["payer_account"]) == ("Ann", "DE1")


@pytest.mark.parametrize("told", ["NOTPROVIDED", "NOT PROVIDED", "NotProvided"])
def test_an_end_to_end_id_that_says_nothing_is_none(told: str) -> None:
    assert only(read(entry("1.00", transaction("1.00", end_to_end=told))))["end_to_end_id"] is None


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("", "BOOK"),
        ("<Sts>PDNG</Sts>", "PDNG"),
        ("<Sts><Cd>INFO</Cd></Sts>", "INFO"),
        ("<Sts><Prtry>seen</Prtry></Sts>", "seen"),
    ],
)
def test_the_status_is_a_code_or_a_choice_and_only_booked_entries_count_for_the_balance(
    status: str, expected: str
) -> None:
    reading = read(entry("5.00", status=status), net="5.00" if expected == "BOOK" else "0.00")
    assert (only(reading)["status"], reading.bookable) == (expected, True)


def test_a_reversal_keeps_the_sign_of_its_booking() -> None:
    payment = only(read(entry("-5.00", more="<RvslInd>true</RvslInd>"), net="-5.00"))
    assert (payment["amount"], payment["reversal"], payment["direction"]) == (Decimal("-5.00"), True, "debit")


def test_without_a_booking_date_the_value_date_or_the_statement_s_day_stands_in() -> None:
    value = element("ValDt", element("DtTm", "2026-11-21T23:59:59+02:00"))
    assert only(read(entry("1.00", day="", more=value)))["booking_date"] == date(2026, 11, 21)
    assert only(read(entry("1.00", day=""), net="1.00"))["booking_date"] == date(2026, 11, 20)


def test_a_balance_that_does_not_add_up_condemns_its_statement_and_no_other() -> None:
    good = statement([entry("5.00")], net="5.00", number="1")
    bad = statement([entry("6.00"), entry("7.00")], net="12.99", number="2")
    reading = read_bank("sepa", document(good, bad))
    assert [s.balance for s in reading.statements] == ["ok", "-0.01"]
    split = split_payments(reading)
    assert split.accepted["amount"].to_list() == [Decimal("5.00")]
    assert "difference -0.01" in split.issues["message"][0]


def test_a_balance_without_entries_that_does_not_add_up_is_an_error_of_the_file() -> None:
    reading = read_bank("sepa", document(statement([], net="1.00")))
    assert reading.file_errors["rule"].to_list() == ["balance"]


def test_balances_in_two_currencies_prove_nothing() -> None:
    bad = element("Stmt", balance("OPBD", "1.00"), balance("CLBD", "2.00", "SEK"), entry("1.00"))
    assert [p[1] for p in problems(read_bank("sepa", document(bad)))] == ["balance_currency"]


def test_a_credit_line_before_the_balance_is_not_the_balance() -> None:
    line = element("CdtLine", element("Incl", "false"), money("999.00"))
    opening = balance("OPBD", "1.00").replace("<Amt", line + "<Amt", 1)
    bad = element("Stmt", opening, balance("CLBD", "2.00"), entry("1.00"))
    assert read_bank("sepa", document(bad)).statements[0].opening == Decimal("1.00")


@pytest.mark.parametrize(
    "summary",
    [
        "<TtlNtries><NbOfNtries>3</NbOfNtries></TtlNtries>",
        "<TtlNtries><Sum>11.02</Sum></TtlNtries>",
        "<TtlCdtNtries><Sum>8.00</Sum></TtlCdtNtries>",
        "<TtlDbtNtries><Sum>4.00</Sum></TtlDbtNtries>",
    ],
)
def test_a_summary_that_is_wrong_condemns_the_statement(summary: str) -> None:
    def with_summary(told: str) -> Reading:
        more = element("TxsSummry", told)
        return read_bank("sepa", document(statement([entry("8.01"), entry("-3.00")], net="5.01", more=more)))

    right = (
        "<TtlNtries><NbOfNtries>2</NbOfNtries><Sum>11.010</Sum></TtlNtries><TtlDbtNtries><Sum>3</Sum></TtlDbtNtries>"
    )
    assert with_summary(right).bookable
    assert problems(with_summary(summary)) == [(None, "summary", None)]
    assert split_payments(with_summary(summary)).accepted.is_empty()


@pytest.mark.parametrize("amount", ["12..34", "", "1,00", "1.005", "-1.00", "x", "1e3", "9" * 19])
def test_an_amount_that_is_none_is_never_booked_nor_the_statement_it_stands_in(amount: str) -> None:
    bad = element("Ntry", element("Amt", amount, Ccy="EUR"), way("1"), element("BookgDt", element("Dt", "2026-11-20")))
    reading = read(entry("5.00"), bad, net="5.00")
    assert not reading.bookable
    assert split_payments(reading).accepted.is_empty()
    assert reading.statements[0].balance == "untestable"


def test_an_entry_of_no_direction_is_set_aside() -> None:
    bad = element("Ntry", money("1.00"), element("BookgDt", element("Dt", "2026-11-20")))
    assert problems(read(bad)) == [(1, "direction", "direction")]


def identities(content: bytes) -> list[str]:
    return read_bank("sepa", content).frame["identity"].to_list()


def test_a_payment_keeps_its_identity_in_another_message_and_an_overlapping_statement() -> None:
    early = document(statement([entry("5.00", ref="R1")], kind="Rpt"), message="camt.052", version="02")
    late = document(statement([entry("9.00", ref="R0"), entry("5.00", ref="R1")], number="7"), version="08")
    assert identities(early)[0] == identities(late)[1]


def test_two_equal_payments_of_one_day_stay_two_and_are_known_again() -> None:
    same = entry("5.00", transaction("5.00", end_to_end="E"))
    first, second = identities(document(statement([same, same])))
    assert first != second
    assert identities(document(statement([entry("1.00"), same, same])))[1:] == [first, second]


def test_a_pending_payment_is_another_than_the_booked_one() -> None:
    pending, booked = entry("5.00", ref="R1", status="<Sts>PDNG</Sts>"), entry("5.00", ref="R1")
    assert identities(document(statement([pending]))) != identities(document(statement([booked])))


def test_one_iban_in_two_currencies_is_two_accounts() -> None:
    euro = document(statement([entry("5.00", ref="R1")]))
    assert identities(euro) != identities(euro.replace(b'Ccy="EUR"', b'Ccy="USD"'))


_DOCTYPES = [
    '<!DOCTYPE Document [<!ENTITY a "b">]>',
    '<!DOCTYPE Document SYSTEM "http://127.0.0.1:9/x.dtd">',
    '<!DOCTYPE Document [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
]


@pytest.mark.parametrize("doctype", _DOCTYPES)
@pytest.mark.parametrize("place", [0, 1])
def test_a_document_type_is_refused_in_every_document(doctype: str, place: int) -> None:
    plain = document(statement([entry("5.00")]))
    head, root = plain.split(b"?>", 1)
    armed = head + b"?>" + doctype.encode() + root.replace(b"<Id>S1", b"<Id>&a;S1")
    with pytest.raises(NotAllowed, match="document type"):
        read_bank("sepa", plain * place + armed)


def test_ten_thousand_levels_are_refused() -> None:
    deep = "<a>" * 10_000 + "</a>" * 10_000
    with pytest.raises(Unreadable, match="torn or broken"):
        read_bank("sepa", document(statement([entry("5.00", more=deep)])))


def test_a_message_without_statements_is_not_bookable() -> None:
    assert read_bank("sepa", document()).file_errors["rule"].to_list() == ["no_statement"]


@pytest.mark.parametrize("content", [b"", b"<a/>", b"<Document><pain/></Document>", b"id;name\n1;2\n"])
def test_what_is_no_camt_is_refused(content: bytes) -> None:
    with pytest.raises(FileRefused):
        read_bank("sepa", content)


def test_a_file_cut_at_any_byte_is_never_bookable() -> None:
    content = document(statement([entry("5.00", transaction("5.00", end_to_end="E")), entry("-2.00")], net="3.00"))
    whole = len(content.rstrip())
    for cut in range(whole):
        with pytest.raises(FileRefused):
            read_bank("sepa", content[:cut])
    assert read_bank("sepa", content[:whole]).bookable


_AMOUNTS = st.integers(-(10**12), 10**12).filter(bool).map(lambda cents: f"{Decimal(cents).scaleb(-2):.2f}")


@given(st.lists(st.lists(_AMOUNTS, min_size=1, max_size=4), min_size=1, max_size=5))
@settings(deadline=None, max_examples=40)
def test_what_is_written_is_read(batches: list[list[str]]) -> None:
    entries = []
    for amounts in batches:
        total = f"{sum(map(Decimal, amounts)):.2f}"
        entries.append(entry(total, *(transaction(a) for a in amounts)))
    everything = [a for amounts in batches for a in amounts]
    reading = read(*entries, net=f"{sum(map(Decimal, everything)):.2f}")
    assert reading.bookable
    assert reading.frame["amount"].to_list() == [Decimal(a) for a in everything]
    assert reading.frame["direction"].to_list() == ["debit" if a.startswith("-") else "credit" for a in everything]
    assert reading.frame["identity"].n_unique() == len(everything)
