"""What every bank format ends with: reference candidates out of free text, and orders that say nothing."""

from itertools import permutations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from import_project.formats.payment_rows import PaymentRows
from import_project.frames import PAYMENTS, Reading
from import_project_tests.formats import test_bai2, test_mt940
from import_project_tests.formats.camt_files import document, element, entry, statement, transaction
from import_project_tests.formats.reading import read_bank


def frame(remittance: str | None, *references: str) -> pl.DataFrame:
    rows = PaymentRows()
    rows.add("k", [(r, "document", None) for r in references], row_number=1, remittance=remittance)
    return rows.frame()


@pytest.mark.parametrize(
    ("text", "candidates"),
    [
        (None, []),
        ("", []),
        ("thank you", []),
        ("Invoice 4711, order 123", ["4711"]),
        ("INV-2026/0042 and 4711 and 4711", ["INV-2026/0042", "4711"]),
        ("RF18539007547034", ["RF18539007547034"]),
        ("re. 2026-11-20 no.0815", ["2026-11-20", "0815"]),
        ("A1234 x12 99", ["A1234"]),
    ],
)
def test_candidates_of_free_text(text: str | None, candidates: list[str]) -> None:
    (found,) = frame(text)["references"].to_list()
    assert sorted((r["text"], r["source"], r["amount"]) for r in found) == sorted(
        (c, "free_text", None) for c in candidates
    )


def test_references_come_first_and_are_not_found_again() -> None:
    (found,) = frame("4711 and 4712", "4712", "1")["references"].to_list()
    assert [(r["text"], r["source"]) for r in found] == [("4712", "document"), ("1", "document"), ("4711", "free_text")]


def test_the_shape_is_the_agreed_one() -> None:
    assert dict(frame("4711").schema) == dict(PAYMENTS)
    assert dict(PaymentRows().frame().schema) == dict(PAYMENTS)


def told(reading: Reading) -> list[str]:
    """All payments but for their places, in an order of their own."""
    own = ("row_number", "statement", "position", "raw")
    return sorted(str(row) for row in reading.frame.drop(own).to_dicts())


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_elements_of_an_entry_in_any_order_read_the_same(data: st.DataObject) -> None:
    strd = element("Strd", element("CdtrRefInf", element("Ref", "RF1")), element("RfrdDocInf", element("Nb", "77")))
    info = element("RmtInf", element("Ustrd", "one"), strd)
    parties = element("RltdPties", element("Dbtr", element("Nm", "Ann")), element("DbtrAcct", element("Id", "1")))
    content = document(statement([entry("5.00", transaction("5.00", info, parties, end_to_end="E1"), ref="B1")]))
    root = etree.fromstring(content)
    for holder in root.iter("{*}Ntry", "{*}TxDtls", "{*}RmtInf", "{*}RltdPties", "{*}Strd"):
        holder[:] = data.draw(st.permutations(list(holder)))
    assert told(read_bank("sepa", etree.tostring(root))) == told(read_bank("sepa", content))


def test_statements_of_an_mt940_in_any_order_read_the_same() -> None:
    messages = [
        test_mt940.message(test_mt940.line(f"{n}.00", f"text {n}"), net=f"{n}.00", number=f"{n}/1") for n in (1, 2, 3)
    ]
    readings = [test_mt940.read(*order) for order in permutations(messages)]
    assert all(reading.bookable for reading in readings)
    assert len({str(told(reading)) for reading in readings}) == 1


def test_transactions_of_a_bai2_account_in_any_order_read_the_same() -> None:
    transactions = ["16,142,100,Z,B,C,one\n88,two/", "16,451,40,V,261118,,,,x/", "16,142,7,,,,y/"]
    readings = [read_bank("bai2", test_bai2.report(*order, stated=147)) for order in permutations(transactions)]
    assert all(reading.bookable for reading in readings)
    assert len({str(told(reading)) for reading in readings}) == 1
