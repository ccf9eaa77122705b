"""MT940 and MT942: lines and signs, dates, dialects of the details, balances and sums, and files that must be refused."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from import_project.errors import FileRefused, ImportProjectError
from import_project.formats.mt940.details import Details, details
from import_project.formats.mt940.lines import balance, entry_day
from import_project.formats.registry import detect
from import_project.frames import Reading
from import_project.validation.payments import split_payments
from import_project_tests.formats.reading import problems, read_bank


def comma(amount: str | Decimal) -> str:
    return f"{abs(Decimal(amount)):.2f}".replace(".", ",")


def mark(amount: str | Decimal) -> str:
    return "D" if Decimal(amount) < 0 else "C"


def line(amount: str, details: str = "", *, day: str = "2611201120", code: str = "NTRF", rest: str = "NONREF") -> str:
    told = f"\n:86:{details}" if details else ""
    return f":61:{day}{mark(amount)}{comma(amount)}{code}{rest}{told}"


def message(*lines: str, net: str = "0", opening: str = "100.00", end: str = "-", number: str = "1/1") -> str:
    closing = Decimal(opening) + Decimal(net)
    head = f":20:REF\n:25:NL91ABNA0417164300\n:28C:{number}\n:60F:{mark(opening)}261119EUR{comma(opening)}"
    return "\n".join([head, *lines, f":62F:{mark(closing)}261120EUR{comma(closing)}", *([end] if end else [])]) + "\n"


def read(*messages: str) -> Reading:
    return read_bank("mt940", "".join(messages).encode())


def only(reading: Reading) -> dict[str, Any]:
    assert reading.frame.height == 1
    return reading.frame.row(0, named=True)


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        ("261120C10,5", "10.50"),
        ("261120D,02", "-0.02"),
        ("2611201120CR15,", "15.00"),
        ("261120    DD7,00", "-7.00"),
        ("261120RC3,00", "-3.00"),
        ("2611201120RDR3,00", "3.00"),
        ("261120D000000001213,28", "-1213.28"),
    ],
)
def test_amounts_and_signs(value: str, amount: str) -> None:
    payment = only(read(message(f":61:{value}NTRFNONREF", net=amount)))
    assert payment["amount"] == Decimal(amount)
    assert payment["direction"] == ("debit" if amount.startswith("-") else "credit")
    assert payment["reversal"] == ("R" in value[6:-4] and "CR" not in value)


@pytest.mark.parametrize("before", ["C260101SEK", "C260101"])
def test_long_balance_that_is_none_is_refused_at_once(before: str) -> None:
    """It took three quarters of an hour, in which nobody else in the process got a turn."""
    assert balance(f"{before}{'1' * 400_000}x").amount is None
    assert balance(f"{before}{' ' * 400_000}x").amount is None


@pytest.mark.parametrize(
    ("entry", "value", "expected"),
    [
        ("0102", "261231", date(2027, 1, 2)),
        ("1230", "270102", date(2026, 12, 30)),
        ("0301", "160230", date(2016, 3, 1)),
        ("0230", "260220", None),
        ("0105", "991230", date(2000, 1, 5)),
    ],
)
def test_the_entry_date_takes_the_year_nearest_to_the_value_date(entry: str, value: str, expected: date | None) -> None:
    assert entry_day(entry, value) == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            "166?00GUTSCHRIFT?20EREF+E 1?21SVWZ+invoice ?2212345?30BIC?31DE89\n370400440532013000?32ANN?33 SMITH",
            Details(
                remittance="invoice 12345", name="ANN SMITH", account="DE89370400440532013000", end_to_end_id="E 1"
            ),
        ),
        ("171?00X?20EREF+NOTPROVIDED?21SVWZ+rent", Details(remittance="rent")),
        ("805?00ENTGELT?20Fees\n of May?601 more", Details(remittance="Fees of May1 more")),
        (
            "/TRTP/SEPA OVERBOEKING/IBAN/NL1/BIC/X/NAME/J JANSEN/REMI/Factuur\n 7/EREF/NOTPROVIDED",
            Details(remittance="Factuur 7", name="J JANSEN", account="NL1"),
        ),
        (
            "/EREF/E2//CNTP/NL2/INGBNL2A/P PIET///REMI/USTD//invoice 9/",
            Details(remittance="invoice 9", name="P PIET", account="NL2", end_to_end_id="E2"),
        ),
        ("/REMI/STRD/CUR/RF18539/", Details(remittance="STRD/CUR/RF18539", reference="RF18539")),
        (
            "NL47INGB9999999999 hr paulissen\n\nBetaling",
            Details(remittance="Betaling", name="hr paulissen", account="NL47INGB9999999999"),
        ),
        ("BEA   NR:XXX1234\nPAS999", Details(remittance="BEA NR:XXX1234 PAS999")),
    ],
)
def test_dialects(told: str, expected: Details) -> None:
    assert details(told) == expected


def test_what_follows_the_closing_balance_is_the_statement_s() -> None:
    text = message(line("5.00", "own"), net="5.00", end="") + ":64:C261120EUR105,00\n:86:of the statement\n-\n"
    reading = read(text)
    assert (only(reading)["remittance"], reading.bookable) == ("own", True)


def test_several_informations_of_one_line_are_one() -> None:
    assert only(read(message(line("5.00", "one\n:86:two"), net="5.00")))["remittance"] == "one two"


def test_references_and_the_supplement_of_a_line() -> None:
    payment = only(read(message(line("5.00", rest="INV-7//BANK1\nSUPPLEMENT"), net="5.00")))
    assert payment["references"] == [{"text": "INV-7", "source": "customer_reference", "amount": None}]
    assert (payment["bank_reference"], payment["remittance"]) == ("BANK1", "SUPPLEMENT")


@pytest.mark.parametrize(
    "envelope",
    ["{1:F01ASNBNL21XXXX0000000000}{2:O940ASNBNL21XXXXN}{3:}{4:\n", "ABNANL2A\n940\nABNANL2A\n", "\x01\n", ""],
)
def test_envelopes(envelope: str) -> None:
    text = envelope + message(line("5.00"), net="5.00", end="-}{5:}" if "{" in envelope else "-")
    assert detect((text * 2).encode()) == "mt940"
    reading = read(text * 2)
    assert (reading.frame.height, reading.bookable) == (2, True)


def test_a_balance_that_does_not_add_up_condemns_its_statement_with_the_difference() -> None:
    reading = read(message(line("5.00"), net="5.00"), message(line("6.00"), net="6.01", number="2/1"))
    assert [s.balance for s in reading.statements] == ["ok", "0.01"]
    split = split_payments(reading)
    assert split.accepted["amount"].to_list() == [Decimal("5.00")]
    assert "difference 0.01" in split.issues["message"][0]


def test_a_page_is_proved_by_its_own_balances() -> None:
    text = message(line("5.00"), net="5.00").replace(":60F:", ":60M:").replace(":62F:", ":62M:")
    assert read(text).bookable


@pytest.mark.parametrize(
    ("sums", "expected"),
    [
        (":90D:1EUR0,42\n:90C:2EUR3,00", []),
        (":90D:1EUR0,42", []),
        (":90D:1EUR2,30", ["sums"]),
        (":90D:2EUR0,42\n:90C:2EUR3,00", ["sums"]),
        (":90C:2EUR3,01", ["sums"]),
        (":90D:xEUR0,42", ["sums"]),
        ("", ["sums"]),
    ],
)
def test_the_sums_of_an_interim_report(sums: str, expected: list[str]) -> None:
    lines = [line("-0.42"), line("1.00"), line("2.00")]
    head = ":20:R\n:25:A1\n:28C:1/1\n:34F:EURD0,00\n:13D:2611201730+0000"
    reading = read("\n".join([head, *lines, *([sums] if sums else []), "-"]) + "\n")
    assert [p[1] for p in problems(reading)] == expected
    assert (reading.statements[0].currency, reading.statements[0].balance) == ("EUR", "untestable")


@pytest.mark.parametrize("bad", ["nothing", "261120C", "261120X5,00NTRF", "261120C5,001NTRFNONREF"])
def test_a_line_that_cannot_be_read_is_kept_and_its_statement_set_aside(bad: str) -> None:
    reading = read(message(f":61:{bad}", line("5.00"), net="5.00"))
    assert reading.frame.height == 2
    assert "line" in [p[1] for p in problems(reading)]
    assert split_payments(reading).accepted.is_empty()


def test_a_message_without_its_end_is_not_bookable_where_others_have_theirs() -> None:
    reading = read(message(line("5.00"), net="5.00"), message(line("6.00"), net="6.00", end=""))
    assert [p[1] for p in problems(reading)] == ["torn"]


def test_identities_are_the_same_in_an_overlapping_statement_and_two_equal_payments_stay_two() -> None:
    same = line("5.00", "coffee")
    first, second = read(message(same, same, net="10.00")).frame["identity"]
    assert first != second
    again = read(message(line("1.00"), same, same, net="11.00", number="9/1")).frame["identity"].to_list()
    assert again[1:] == [first, second]


@pytest.mark.parametrize("content", [b"", b"\n", b"1\n2\n3\n", b":99:x\n", b"id;name\n1;2\n"])
def test_what_is_no_mt940_is_refused(content: bytes) -> None:
    with pytest.raises(FileRefused):
        read_bank("mt940", content)


def test_a_file_cut_at_any_byte_never_books_less_than_it_held() -> None:
    whole = message(line("5.00", "one"), line("-2.00", "two"), net="3.00", end="-}").encode()
    for cut in range(len(whole) - 1):
        try:
            reading = read_bank("mt940", whole[:cut])
        except ImportProjectError:
            continue
        if reading.bookable:
            assert reading.frame.height == 2
            assert whole[:cut].endswith((b"103,00\n", b"103,00\n-"))


_AMOUNTS = st.integers(-(10**11), 10**11).map(lambda cents: f"{Decimal(cents).scaleb(-2):.2f}")


@given(st.lists(st.lists(_AMOUNTS, max_size=5), min_size=1, max_size=4))
@settings(deadline=None, max_examples=60)
def test_what_is_written_is_read(statements: list[list[str]]) -> None:
    text = ""
    for number, amounts in enumerate(statements, start=1):
        net = f"{sum(map(Decimal, amounts), Decimal(0)):.2f}"
        text += message(*(line(a, f"told {a}") for a in amounts), net=net, number=f"{number}/1")
    reading = read(text)
    assert reading.bookable
    assert reading.frame["amount"].to_list() == [Decimal(a) for amounts in statements for a in amounts]
    assert len(reading.statements) == len(statements)


@given(st.text(alphabet="0123456789:CDR,\n-{}NTRFEUR6186?/ ", max_size=300))
@settings(deadline=None, max_examples=200)
def test_whatever_stands_in_it_ends_in_a_reading_or_a_named_error(text: str) -> None:
    try:
        reading = read_bank("mt940", b":20:X\n" + text.encode())
    except ImportProjectError:
        return
    assert reading.frame.height == sum(s.payments for s in reading.statements)


def test_a_file_cut_in_the_envelope_of_its_next_message_is_not_bookable() -> None:
    envelope = "{1:F01BANKNL2AXXXX0000000000}{2:O940BANKNL2AXXXXN}{4:\n"
    one = envelope + message(line("5.00"), net="5.00", end="-}{5:}")
    assert read(one, one.replace(":28C:1/1", ":28C:2/1")).bookable
    for cut in range(1, len(envelope)):
        assert problems(read(one, envelope[:cut])) == [(None, "torn", None)]
    assert not read(one, envelope, ":20:REF\n").bookable


@pytest.mark.parametrize("before", [b"\x01", b" ", b"\n\n "])
def test_what_stands_before_the_first_field_takes_nothing_of_it(before: bytes) -> None:
    reading = read_bank("mt940", before + message(line("5.00"), net="5.00").encode())
    assert (reading.statements[0].identification, reading.bookable) == ("REF", True)
    assert only(reading)["row_number"] == 5 + before.count(b"\n")
    with pytest.raises(FileRefused):
        read_bank("mt940", b"{1:F01}\n :20:X\n")
