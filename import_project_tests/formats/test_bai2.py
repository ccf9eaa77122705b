"""BAI2: records and continuations, funds types, signs, currencies, trailers, and files that must be refused."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from import_project.errors import FileRefused, ImportProjectError
from import_project.formats.registry import detect
from import_project.frames import Reading
from import_project.validation.payments import split_payments
from import_project_tests.formats.reading import problems, read_bank


def report(
    *transactions: str,
    stated: int | None = None,
    currency: str = "USD",
    summary: str = "",
    records: int | None = None,
    groups: int = 1,
    account: str = "111",
) -> bytes:
    """One account; `stated` is the trailers' amount, by default what the transactions come to."""
    lines = [part for t in transactions for part in t.split("\n")]
    total = sum(int(t.split(",")[2]) for t in transactions) if stated is None else stated
    held = len(lines) + 2 if records is None else records
    body = [
        "01,0004,12345,261120,0829,001,80,1,2/",
        f"02,12345,0004,1,261119,,{currency},/",
        f"03,{account},{summary}/",
        *lines,
        f"49,{total},{held}/",
        f"98,{total},1,{held + 2}/",
        f"99,{total},{groups},{held + 4}/",
    ]
    return ("\n".join(body) + "\n").encode()


def read(*transactions: str, **options: Any) -> Reading:
    return read_bank("bai2", report(*transactions, **options))


def only(reading: Reading) -> dict[str, Any]:
    assert reading.frame.height == 1
    return reading.frame.row(0, named=True)


@pytest.mark.parametrize(
    ("told", "value_date", "bank", "customer", "text"),
    [
        ("Z,B1,C1,some text", None, "B1", "C1", "some text"),
        (",,,some, text/more", None, None, None, "some, text/more"),
        ("V,261118,,B1,,text", "2026-11-18", "B1", None, "text"),
        ("S,100,0,0,B1,,text", None, "B1", None, "text"),
        ("D,2,1,50,2,50,B1,C1,text", None, "B1", "C1", "text"),
        ("Z,,", None, None, None, None),
    ],
)
def test_the_funds_type_says_where_references_and_text_stand(
    told: str, value_date: str | None, bank: str | None, customer: str | None, text: str | None
) -> None:
    reading = read(f"16,142,100,{told}/")
    payment = only(reading)
    references = [r["text"] for r in payment["references"]]
    day = payment["value_date"] and payment["value_date"].isoformat()
    assert (day, payment["bank_reference"], payment["remittance"]) == (value_date, bank, text)
    assert references == ([customer] if customer else [])
    assert reading.bookable


@pytest.mark.parametrize(("code", "amount"), [("100", "1.00"), ("399", "1.00"), ("400", "-1.00"), ("699", "-1.00")])
def test_the_type_code_says_the_direction(code: str, amount: str) -> None:
    assert only(read(f"16,{code},100,Z,,,x/"))["amount"] == Decimal(amount)


@pytest.mark.parametrize("code", ["700", "799", "900", "999", "x", ""])
def test_a_code_without_direction_sets_its_payment_aside(code: str) -> None:
    reading = read(f"16,{code},100,Z,,,x/", "16,142,5,Z,,,y/")
    assert problems(reading)[0][1] == "direction"
    assert split_payments(reading).accepted["amount"].to_list() == [Decimal("0.05")]


def test_what_is_only_told_is_no_payment() -> None:
    assert read("16,890,0,Z,,,hello/", "16,142,5,Z,,,y/").frame.height == 1


@pytest.mark.parametrize(
    ("currency", "amount", "expected"),
    [("USD", "12345", "123.45"), ("JPY", "12345", "12345.00"), ("KWD", "12340", "12.34"), ("", "5", "0.05")],
)
def test_amounts_are_in_the_currency_s_minor_unit(currency: str, amount: str, expected: str) -> None:
    assert only(read(f"16,142,{amount},Z,,,x/", currency=currency))["amount"] == Decimal(expected)


def test_an_amount_finer_than_hundredths_is_set_aside() -> None:
    assert "amount" in [p[1] for p in problems(read("16,142,12345,Z,,,x/", currency="KWD"))]


def test_continuations_go_on_with_text_or_with_fields() -> None:
    texts = read("16,142,100,Z,,,one\n88,two/\n88,three/")
    assert only(texts)["remittance"] == "one two three"
    fields = read("16,142,100,V\n88,261118,,B1,,text/")
    assert (only(fields)["bank_reference"], only(fields)["remittance"]) == ("B1", "text")


def test_a_summary_goes_on_in_a_continuation_and_counts_for_the_trailer() -> None:
    summary = ",010,500,,,015,600,,/\n88,100,100,1,V,261119,,400,0,0"
    reading = read("16,142,100,Z,,,x/", summary=summary, stated=500 + 600 + 100 + 100, records=4)
    assert reading.bookable
    (statement,) = reading.statements
    assert (statement.opening, statement.closing, statement.balance) == (Decimal(5), Decimal(6), "ok")


def test_a_ledger_balance_that_its_transactions_do_not_give_is_told() -> None:
    reading = read("16,142,100,Z,,,x/", summary=",010,500,,,015,700,,", stated=1300)
    assert (problems(reading), reading.bookable) == ([(None, "ledger_balance", None)], True)


def test_several_records_may_stand_on_a_line() -> None:
    content = (
        report("16,142,100,Z,,,one/", "16,451,40,Z,,,two/").replace(b"/\n16", b"/ 16").replace(b"/\n49", b"/   49")
    )
    reading = read_bank("bai2", content)
    assert (reading.frame["amount"].to_list(), reading.bookable) == ([Decimal("1.00"), Decimal("-0.40")], True)


def test_records_may_be_counted_without_their_continuations() -> None:
    reading = read("16,142,100,Z,,,one\n88,two/", records=3)
    assert reading.issues.is_empty()
    wrong = read("16,142,100,Z,,,one\n88,two/", records=9)
    assert (set(problems(wrong)), wrong.bookable) == ({(None, "record_count", None)}, True)


def test_a_trailer_that_is_wrong_sets_its_account_aside_with_the_difference() -> None:
    reading = read("16,142,100,Z,,,x/", stated=101)
    assert reading.statements[0].balance == "0.01"
    assert [p[1] for p in problems(reading)] == ["account_trailer"]
    assert "difference 1" in reading.issues["message"][0]
    assert split_payments(reading).accepted.is_empty()


@pytest.mark.parametrize(("kind", "rule"), [(b"98,", "group_trailer"), (b"99,", "file_trailer")])
def test_a_group_s_or_the_file_s_trailer_that_is_wrong_condemns_the_file(kind: bytes, rule: str) -> None:
    reading = read_bank("bai2", report("16,142,100,Z,,,x/").replace(kind + b"100,", kind + b"7,"))
    assert rule in reading.file_errors["rule"].to_list()


def test_another_count_of_groups_condemns_the_file() -> None:
    assert read("16,142,100,Z,,,x/", groups=2).file_errors["rule"].to_list() == ["file_trailer"]


def test_it_is_recognised_before_delimited_text() -> None:
    assert detect(report("16,142,100,Z,,,x/")) == "bai2"


@pytest.mark.parametrize("content", [b"", b"00,0004,1/2/", b"id,name\n1,2\n", b"\x00"])
def test_what_is_no_bai2_is_refused(content: bytes) -> None:
    with pytest.raises(FileRefused):
        read_bank("bai2", content)


def test_identities_survive_another_file_and_two_equal_payments_stay_two() -> None:
    same = "16,142,100,Z,,,x/"
    first, second = read(same, same).frame["identity"]
    assert first != second
    assert read("16,142,5,Z,,,y/", same, same).frame["identity"].to_list()[1:] == [first, second]


def test_a_file_cut_at_any_byte_is_never_bookable() -> None:
    content = report("16,142,100,Z,,,one\n88,two/", "16,451,40,Z,,,three/", stated=140).rstrip()
    for cut in range(len(content) - 1):  # without the last `/` alone nothing is missing
        try:
            assert not read_bank("bai2", content[:cut]).bookable or content[:cut].count(b"\n99,140,1,") == 1
        except FileRefused:
            continue


@given(
    st.lists(st.tuples(st.sampled_from(["142", "195", "451", "699"]), st.integers(0, 10**12)), min_size=1, max_size=8)
)
@settings(deadline=None, max_examples=60)
def test_what_is_written_is_read(written: list[tuple[str, int]]) -> None:
    reading = read(*(f"16,{code},{cents},Z,,,text {cents}/" for code, cents in written))
    expected = [Decimal(c).scaleb(-2) * (1 if code < "400" else -1) for code, c in written]
    assert reading.bookable
    assert reading.frame["amount"].to_list() == expected


@given(st.text(alphabet="0123456789,/\n 8SVDZ", max_size=300))
@settings(deadline=None, max_examples=200)
def test_whatever_stands_in_it_ends_in_a_reading_or_a_named_error(text: str) -> None:
    try:
        reading = read_bank("bai2", b"01,1,2,261120,0000,1,,,2/\n02,1,2,1,261119,,USD,/\n03,1,,/\n" + text.encode())
    except ImportProjectError:
        return
    assert reading.frame.height == sum(s.payments for s in reading.statements)


@given(size=st.integers(0, 400), repeat=st.integers(1, 6))
@settings(deadline=None, max_examples=40)
def test_parts_of_any_size_read_the_same(size: int, repeat: int) -> None:
    some = [
        "16,142,100,Z,B,C,one\n88,two/",
        "16,451,40,V,261118,,,,x/ 16,142,1,,,,y/\nmore words/",
        "16,890,0,,,,hello/",
    ]
    content = report(*some * repeat, stated=140 * repeat)
    whole, parted = read_bank("bai2", content), read_bank("bai2", content, part_size=size)
    assert parted.frame.equals(whole.frame)
    assert (parted.statements, problems(parted)) == (whole.statements, problems(whole))


@pytest.mark.parametrize("amount", ["999999999999999999", "92233720368547759", "10000000000000000"])
def test_an_amount_that_outgrows_its_digits_is_none(amount: str) -> None:
    reading = read(f"16,142,{amount},Z,,,x/", currency="JPY")
    assert [p[1] for p in problems(reading)] == ["amount"]
    assert split_payments(reading).accepted.is_empty()


def test_a_date_in_a_text_begins_no_record() -> None:
    reading = read("16,142,100,Z,B,C,INVOICE OF 03/16, 2026 AND 2026/03, 49/50/")
    assert reading.bookable
    assert only(reading)["remittance"] == "INVOICE OF 03/16, 2026 AND 2026/03, 49/50"


def test_thousands_of_continuations_before_the_text() -> None:
    reading = read("16,142,100,Z\n" + "\n".join(f"88,x{n}/" for n in range(4000)))
    assert only(reading)["bank_reference"] == "x0"
    assert only(reading)["remittance"].endswith("x3998 x3999")
