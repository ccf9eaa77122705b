"""OCR giro: payments and KIDs, signs, the records 88 and 89, and files that must be refused."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from import_project.errors import FileRefused
from import_project.formats.registry import detect
from import_project.frames import Reading
from import_project.validation.payments import split_payments
from import_project_tests.formats.reading import problems, read_bank


def payment(oere: int, *, kid: str = "1234567", kind: str = "10", text: str = "") -> list[str]:
    """The records of one payment; its transaction number is put in later."""
    sign = "-" if oere < 0 else "0"
    first = f"NY09{kind}30#######201126" + "13" + "01" + "1" + "00042" + sign + f"{abs(oere):017}" + f"{kid:>25}"
    second = f"NY09{kind}31#######" + "0000000001" + "097596016" + "0000000" + "201126" + "99990512341"
    third = [f"NY09{kind}32#######{text:<40}"] if text else []
    return [first, second, *third]


def transmission(*payments: list[str], ends: dict[str, int] | None = None, service: str = "09") -> bytes:
    """One assignment; `ends` overrides what is stated: amount, count, records, total."""
    items = [r.replace("#######", f"{n:07}") for n, p in enumerate(payments, start=1) for r in p]
    cents = sum(int(p[0][32:49]) * (-1 if p[0][31] == "-" else 1) for p in payments)
    told = {"amount": abs(cents), "count": len(payments), "records": len(items) + 2, "total": abs(cents)} | (ends or {})
    lines = [
        "NY000010" + "00008080" + "1700310" + "00010200",
        f"NY{service}0020" + "001008566" + "0000002" + "99991042764",
        *(r.replace("NY09", f"NY{service}", 1) for r in items),
        f"NY{service}0088{told['count']:08}{told['records']:08}{told['amount']:017}201126201126201126",
        f"NY000089{told['count']:08}{len(items) + 4:08}{told['total']:017}201126",
    ]
    return "".join(x.ljust(80, "0" if x[6:8] in {"10", "20", "88", "89"} else " ") + "\r\n" for x in lines).encode()


def read(*payments: list[str], **options: Any) -> Reading:
    return read_bank("ocr_giro", transmission(*payments, **options))


def test_a_payment_with_its_kid() -> None:
    content = transmission(payment(12345, kid="0012345678903", text="thank you", kind="21"))
    assert detect(content) == "ocr_giro"
    reading = read_bank("ocr_giro", content)
    row = reading.frame.row(0, named=True)
    assert reading.bookable
    assert (row["amount"], row["currency"], row["account"]) == (Decimal("123.45"), "NOK", "99991042764")
    assert row["booking_date"].isoformat() == "2026-11-20"
    assert row["references"] == [{"text": "0012345678903", "source": "kid", "amount": None}]
    assert (row["remittance"], row["payer_account"], row["transaction_code"]) == ("thank you", "99990512341", "21")


def test_a_minus_is_money_out() -> None:
    reading = read(payment(500), payment(-200, kind="18"))
    assert reading.frame["amount"].to_list() == [Decimal("5.00"), Decimal("-2.00")]
    assert (reading.frame["reversal"].to_list(), reading.bookable) == ([False, True], True)


@pytest.mark.parametrize("field", ["amount", "count", "records"])
def test_a_wrong_end_of_an_assignment_sets_it_aside(field: str) -> None:
    reading = read(payment(500), ends={field: 501, "total": 500})
    assert "end_of_assignment" in [p[1] for p in problems(reading)]
    assert split_payments(reading).accepted.is_empty()


def test_the_difference_is_told() -> None:
    reading = read(payment(500), ends={"amount": 499})
    assert reading.statements[0].balance == "-0.01"
    assert "difference -0.01" in reading.issues["message"][0]


def test_a_wrong_total_condemns_the_file() -> None:
    assert read(payment(500), ends={"total": 501}).file_errors["rule"].to_list() == ["end_of_transmission"]


def test_an_assignment_of_another_service_is_told_and_not_read() -> None:
    reading = read(payment(500), service="21")
    assert (reading.frame.height, reading.bookable) == (0, True)
    assert problems(reading) == [(2, "service", None)]


def test_an_unreadable_amount_is_never_booked() -> None:
    content = transmission(payment(500)).replace(b"00000000000000500 ", b"0000000000000050x ")
    assert split_payments(read_bank("ocr_giro", content)).accepted.is_empty()


def test_identities_do_not_hang_on_the_transaction_number() -> None:
    same = payment(500)
    first, second = read(same, same).frame["identity"]
    assert first != second
    assert read(payment(7), same, same).frame["identity"].to_list()[1:] == [first, second]


@pytest.mark.parametrize("content", [b"", b"NY\n", b"id;name\n1;2\n", b"NY000010 hello\n"])
def test_what_is_no_ocr_giro_is_refused(content: bytes) -> None:
    with pytest.raises(FileRefused):
        read_bank("ocr_giro", content)


def test_a_file_cut_at_any_byte_is_never_bookable() -> None:
    content = transmission(payment(500), payment(700))
    whole = content.rindex(b"NY000089") + 41  # what follows the totals is a date and filling
    for cut in range(whole):
        try:
            assert not read_bank("ocr_giro", content[:cut]).bookable
        except FileRefused:
            continue
    assert read_bank("ocr_giro", content[:whole]).bookable


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=9))
@settings(deadline=None, max_examples=60)
def test_what_is_written_is_read(cents: list[int]) -> None:
    reading = read(*(payment(c) for c in cents))
    assert reading.bookable
    assert reading.frame["amount"].to_list() == [Decimal(c).scaleb(-2) for c in cents]
