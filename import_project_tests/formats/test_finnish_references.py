"""Finnish reference payments: fields, corrections, sum records, and files that must be refused."""

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


def payment(
    cents: int, *, reference: str = "1232", name: str = "MEIKÄLÄINEN", archive: str = "2611205CK0001234"
) -> str:
    """A negative amount is a correction."""
    correction = "1" if cents < 0 else "0"
    return f"3{'12345678901234'}261120261119{archive:<16}{reference:>020}{name:<12}1A{abs(cents):010}{correction}A0"


def batch(*payments: str, off: tuple[int, int, int, int] = (0, 0, 0, 0)) -> str:
    """A header, the payments and their sum record; `off` is added to what the sum record states."""
    plus = [int(p[77:87]) for p in payments if p[87] == "0"]
    minus = [int(p[77:87]) for p in payments if p[87] == "1"]
    a, b, c, d = (x + y for x, y in zip((len(plus), sum(plus), len(minus), sum(minus)), off, strict=True))
    lines = [f"{'02611201200':<11}20000000000".ljust(22) + "1", *payments, f"9{a:06}{b:011}{c:06}{d:011}".ljust(90)]
    return "\r\n".join(lines) + "\r\n"


def read(*batches: str) -> Reading:
    return read_bank("finnish_references", "".join(batches).encode("iso-8859-1"))


def test_a_payment_with_its_reference() -> None:
    content = batch(payment(12345)).encode("iso-8859-1")
    assert detect(content) == "finnish_references"
    reading = read_bank("finnish_references", content)
    row: dict[str, Any] = reading.frame.row(0, named=True)
    assert reading.bookable
    assert (row["amount"], row["currency"], row["account"]) == (Decimal("123.45"), "EUR", "12345678901234")
    assert (row["booking_date"].isoformat(), row["value_date"].isoformat()) == ("2026-11-20", "2026-11-19")
    assert row["references"] == [{"text": "1232", "source": "reference", "amount": None}]
    assert (row["payer_name"], row["bank_reference"]) == ("MEIKÄLÄINEN", "2611205CK0001234")


def test_a_correction_takes_money_back() -> None:
    reading = read(batch(payment(500), payment(-200)))
    assert reading.frame["amount"].to_list() == [Decimal("5.00"), Decimal("-2.00")]
    assert (reading.frame["reversal"].to_list(), reading.bookable) == ([False, True], True)
    assert reading.statements[0].net == Decimal("3.00")


@pytest.mark.parametrize("off", [(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)])
def test_a_sum_record_that_is_wrong_sets_its_batch_aside_and_no_other(off: tuple[int, int, int, int]) -> None:
    reading = read(batch(payment(500)), batch(payment(700), payment(-200), off=off))
    assert problems(reading) == [(None, "batch_sum", None)]
    assert "difference 1" in reading.issues["message"][0]
    assert split_payments(reading).accepted["amount"].to_list() == [Decimal("5.00")]


def test_an_unreadable_amount_is_never_booked() -> None:
    reading = read(batch(payment(500)).replace("0000000500", "000000050x", 1))
    assert split_payments(reading).accepted.is_empty()


def test_identities_survive_another_file_and_two_equal_payments_stay_two() -> None:
    first, second = read(batch(payment(500), payment(500))).frame["identity"]
    assert first != second
    assert read(batch(payment(1), payment(500), payment(500))).frame["identity"].to_list()[1:] == [first, second]


@pytest.mark.parametrize("content", [b"", b"0\n", b"id;name\n1;2\n", b"0261120 hello\n3x\n"])
def test_what_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(FileRefused):
        read_bank("finnish_references", content)


def test_a_file_cut_at_any_byte_is_never_bookable() -> None:
    content = batch(payment(500), payment(-200)).encode("iso-8859-1")
    whole = content.rindex(b"\r\n9") + 2 + 35  # what follows the sums is filling
    for cut in range(whole):
        try:
            assert not read_bank("finnish_references", content[:cut]).bookable
        except FileRefused:
            continue
    assert read_bank("finnish_references", content[:whole]).bookable


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=9))
@settings(deadline=None, max_examples=60)
def test_what_is_written_is_read(cents: list[int]) -> None:
    reading = read(batch(*(payment(c) for c in cents)))
    assert reading.bookable
    assert reading.frame["amount"].to_list() == [Decimal(c).scaleb(-2) for c in cents]
