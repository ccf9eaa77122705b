"""pain.002: transactions with their status and reasons, groups without any, and files that must be refused."""

from decimal import Decimal

import pytest

from import_project.errors import FileRefused, NotAllowed, NotRecognised
from import_project.formats.registry import detect
from import_project_tests.formats.camt_files import element
from import_project_tests.formats.reading import problems, read_bank


def transaction(end_to_end: str, status: str = "", amount: str = "10.00", reason: str = "AC04") -> str:
    given = element("OrgnlTxRef", element("Amt", element("InstdAmt", amount, Ccy="EUR"))) if amount else ""
    told = element("StsRsnInf", element("Rsn", element("Cd", reason)), element("AddtlInf", "closed"))
    return element(
        "TxInfAndSts", element("OrgnlEndToEndId", end_to_end), status and element("TxSts", status), told, given
    )


def report(*transactions: str, group: str = "", of: str = "pain.008.001.02", version: str = "03") -> bytes:
    header = element("GrpHdr", element("MsgId", "M1"), element("CreDtTm", "2026-11-20T10:00:00"))
    original = element("OrgnlMsgId", "O1") + element("OrgnlMsgNmId", of) + (group and element("GrpSts", group))
    below = element("OrgnlPmtInfAndSts", element("PmtInfSts", "RJCT"), *transactions) if transactions else ""
    inside = element("CstmrPmtStsRpt", header, element("OrgnlGrpInfAndSts", original), below)
    return element("Document", inside, xmlns=f"urn:iso:std:iso:20022:tech:xsd:pain.002.001.{version}").encode()


@pytest.mark.parametrize(("of", "amount"), [("pain.008.001.02", "10.00"), ("pain.001.001.03", "-10.00")])
def test_each_transaction_has_its_status_and_reasons_and_is_not_booked(of: str, amount: str) -> None:
    content = report(transaction("E1", "ACSC"), transaction("E2"), of=of)
    assert detect(content) == "sepa"
    reading = read_bank("sepa", content)
    assert (reading.format, reading.bookable) == ("pain.002.001.03", True)
    assert reading.frame["status"].to_list() == ["ACSC", "RJCT"]
    assert reading.frame["end_to_end_id"].to_list() == ["E1", "E2"]
    assert reading.frame["remittance"].to_list() == ["AC04\nclosed"] * 2
    assert reading.frame["amount"].to_list() == [Decimal(amount)] * 2


def test_a_transaction_without_amount_is_set_aside() -> None:
    assert problems(read_bank("sepa", report(transaction("E1", amount="")))) == [(1, "amount", "amount")]


def test_a_group_may_list_nothing() -> None:
    reading = read_bank("sepa", report(group="RJCT"))
    assert (reading.frame.height, reading.bookable, len(reading.statements)) == (0, True, 1)


def test_a_status_report_is_no_statement() -> None:
    with pytest.raises(NotRecognised, match=r"pain\.002, not camt\.053"):
        read_bank("sepa", report(transaction("E1")), message="camt.053")


def test_a_document_type_is_refused() -> None:
    with pytest.raises(NotAllowed, match="document type"):
        read_bank("sepa", b"<!DOCTYPE Document [<!ENTITY a 'b'>]>" + report(transaction("E1")))


def test_a_file_cut_at_any_byte_is_refused() -> None:
    content = report(transaction("E1"))
    for cut in range(len(content)):
        with pytest.raises(FileRefused):
            read_bank("sepa", content[:cut])
