"""The BgMax reader against the manual: every record, every control total, and files that lie."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from import_project.errors import ImportProjectError, NotRecognised
from import_project.formats.bgmax import recognise
from import_project.frames import Reading
from import_project_tests.formats.bgmax_files import BgMaxFile, Section, money, one, record
from import_project_tests.formats.reading import problems, read_bank


def rules(reading: Reading, severity: str = "error") -> list[str]:
    return [i["rule"] for i in reading.issues.iter_rows(named=True) if i["severity"] == severity]


def row(reading: Reading, index: int = 0) -> dict[str, Any]:
    return reading.frame.row(index, named=True)


def references(reading: Reading, index: int = 0) -> list[tuple[str, str, Decimal | None]]:
    return [(r["text"], r["source"], r["amount"]) for r in row(reading, index)["references"]]


def test_payment_has_every_field_of_its_group() -> None:
    reading = read_bank(
        "bgmax",
        one(
            money("20", "1900.00", sender="0097012333", reference="524967", serial="000120000018"),
            record("25Betalning med extra"),
            record("25refnr 665869"),
            record("26Olles Färg AB".ljust(37) + "c/o Berit"),
            record("27Lillagatan 3".ljust(37) + "12345"),
            record("28Storåker".ljust(37) + "Norge".ljust(35) + "NO"),
            record("29005500004321"),
        ),
    )
    assert reading.bookable
    found = row(reading)
    assert found["row_number"] == 3
    assert (found["amount"], found["currency"], found["direction"]) == (Decimal("1900.00"), "SEK", "credit")
    assert found["booking_date"] == found["value_date"] == date(2026, 11, 20)
    assert (found["account"], found["payer_account"]) == ("5841000001009823", "97012333")
    assert (found["bank_reference"], found["transaction_code"]) == ("000120000018", "20/1")
    assert found["remittance"] == "Betalning med extra\nrefnr 665869"
    assert found["payer_name"] == "Olles Färg AB c/o Berit"
    assert found["payer_address"] == "Lillagatan 3 12345, Storåker Norge NO"
    assert found["payer_id"] == "5500004321"
    assert references(reading) == [("524967", "reference", None), ("665869", "free_text", None)]
    assert found["raw"].splitlines()[0].startswith("200097012333")


def test_autogiro_payment_without_serial_and_image() -> None:
    reading = read_bank("bgmax", one(money("20", "10.00", reference="7", channel="4", serial=" " * 12, image=" ")))
    assert reading.bookable
    assert row(reading)["bank_reference"] is None


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        pytest.param(
            [money("20", "10.00", reference="111", code="2"), money("22", "0.00", reference="222")],
            [("111", "reference", None), ("222", "extra_reference", None)],
            id="a proved reference counts beside the extra ones",
        ),
        pytest.param(
            [money("20", "10.00", reference="111,222", code="3"), money("22", "0.00", reference="222")],
            [("222", "extra_reference", None)],
            id="free text gives way to the references Bankgirot found in it",
        ),
        pytest.param(
            [money("20", "10.00", reference="FAKTURA 12", code="3")],
            [("FAKTURA 12", "reference", None)],
            id="free text alone is a candidate",
        ),
        pytest.param(
            [money("20", "10.00", reference="111"), money("22", "0.00", reference="111")],
            [("111", "extra_reference", None)],
            id="the same reference twice counts once",
        ),
        pytest.param(
            [
                money("20", "1400.00", code="0"),
                money("22", "1000.00", reference="1"),
                money("22", "900.00", reference="2"),
                money("23", "500.00", reference="3"),
            ],
            [
                ("1", "extra_reference", Decimal("1000.00")),
                ("2", "extra_reference", Decimal("900.00")),
                ("3", "extra_reference", Decimal("-500.00")),
            ],
            id="part amounts, a negative one in a 23",
        ),
        pytest.param([money("20", "10.00", code="1")], [], id="no reference at all"),
    ],
)
def test_references(records: list[str], expected: list[tuple[str, str, Decimal | None]]) -> None:
    reading = read_bank("bgmax", one(*records))
    assert reading.bookable
    assert rules(reading, "warning") == []
    assert references(reading) == expected


def test_part_amounts_that_do_not_add_up_are_a_warning_and_not_used() -> None:
    reading = read_bank("bgmax", one(money("20", "100.00", code="0"), money("22", "60.00", reference="1")))
    assert reading.bookable
    assert rules(reading, "warning") == ["C8"]
    assert references(reading) == [("1", "extra_reference", None)]


def test_deduction_is_a_debit_and_lowers_the_deposit() -> None:
    reading = read_bank(
        "bgmax", one(money("20", "500.00", reference="1"), money("21", "200.00", reference="2", deduction="1"))
    )
    assert reading.bookable
    assert [r["amount"] for r in reading.frame.iter_rows(named=True)] == [Decimal("500.00"), Decimal("-200.00")]
    assert row(reading, 1)["direction"] == "debit"
    assert row(reading, 1)["transaction_code"] == "21/1/1"
    assert reading.statements[0].net == Decimal("300.00")


def test_section_in_another_currency() -> None:
    reading = read_bank("bgmax", one(money("20", "1.00"), currency="EUR"))
    assert reading.bookable
    assert row(reading)["currency"] == "EUR"


def test_plusgiro_as_receiver() -> None:
    lines = BgMaxFile([Section([money("20", "1.00")])]).lines()
    lines[1] = record("05" + "0" * 10 + "0004455667SEK")
    reading = read_bank("bgmax", "\n".join(lines).encode())
    assert reading.bookable
    assert reading.statements[0].receiver == "4455667"


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (one(money("20", "10.00"), declared="11.00"), "C3"),
        (one(money("20", "10.00"), money("20", "5.00"), count=1), "C4"),
        (one(money("20", "10.00"), closing_currency="EUR"), "C5"),
        (one(money("20", "10.00"), date="20260231"), "deposit_date"),
        (one(money("20", "10.00"), date="202611 2"), "deposit_date"),
        (one(money("20", "10.00"), date="00261120"), "deposit_date"),
        (one(money("20", "10.00"), deposit="     "), "deposit_number"),
        (one(money("20", "10.00"), bankgiro=" " * 10), "receiver"),
        (one(money("20", "10.00"), currency="sek"), "C5"),
        (one(money("20", "10.00"), currency="   "), "C5"),
        (BgMaxFile([Section([money("20", "1.00")])], mark=" ").content(), "C9"),
        (BgMaxFile([Section([money("20", "1.00")])]).content().replace(b"SEK00000001", b"SEK+0000001"), "C4"),
        (one(money("20", "5.00", reference="7"), money("20", "5.00", reference="7")), "C10"),
        (one(record("22" + "0" * 10), money("20", "10.00")), "orphan"),
        (one(money("20", "10.00").replace("000000000000001000", "00000000000000100O"), declared="10.00"), "amount"),
        (one(money("20", "10.00").replace("000000000000001000", "             10.00"), declared="10.00"), "amount"),
        (BgMaxFile([Section([money("20", "1.00")])], ends={"20": 2}).content(), "C6"),
        (BgMaxFile([Section([money("20", "1.00")])], ends={"21": 1}).content(), "C6"),
        (BgMaxFile([Section([money("20", "1.00")])], ends={"15": 2}).content(), "C6"),
        (BgMaxFile([Section([money("20", "1.00")])], mark="T").content(), "C9"),
        (BgMaxFile([Section([money("20", "1.00")]), Section([money("20", "2.00")])]).content(), "C10"),
    ],
)
def test_control_totals(content: bytes, rule: str) -> None:
    reading = read_bank("bgmax", content)
    assert rule in rules(reading)
    assert not reading.bookable


@pytest.mark.parametrize(
    ("remove", "expected"),
    [("01", {"C1"}), ("70", {"C1"}), ("05", {"C2"}), ("15", {"C2", "C6"}), ("20", {"C3", "C4", "C6"})],
)
def test_missing_record(remove: str, expected: set[str]) -> None:
    lines = [x for x in BgMaxFile([Section([money("20", "1.00")])]).lines() if not x.startswith(remove)]
    assert set(rules(read_bank("bgmax", "\n".join(lines).encode()))) == expected


def test_difference_is_exact_and_names_the_section() -> None:
    good, bad = Section([money("20", "1.00")]), Section([money("20", "10.00")], deposit="00057", declared="12.34")
    reading = read_bank("bgmax", BgMaxFile([good, bad]).content())
    assert [s.balance for s in reading.statements] == ["ok", "2.34"]
    (issue,) = reading.issues.iter_rows(named=True)
    assert issue["statement"] == 2
    assert "difference 2.34" in issue["message"]
    assert reading.file_errors.is_empty()


def test_wrong_count_of_extra_references_is_a_warning() -> None:
    reading = read_bank("bgmax", BgMaxFile([Section([money("20", "1.00")])], ends={"22": 10}).content())
    assert reading.bookable
    assert rules(reading, "warning") == ["C7"]


def test_unknown_record_is_a_warning() -> None:
    reading = read_bank("bgmax", one(money("20", "1.00"), record("45something new")))
    assert reading.bookable
    assert rules(reading, "warning") == ["unknown_record"]


@pytest.mark.parametrize("stranger", ["99", "24x", "45something new"])
def test_unknown_record_opens_no_section_and_owns_no_payment(stranger: str) -> None:
    lines = BgMaxFile([Section([money("20", "1.00")]), Section([money("20", "2.00")], deposit="00057")]).lines()
    for place in range(1, len(lines)):
        spoiled = [*lines[:place], record(stranger), *lines[place:]]
        reading = read_bank("bgmax", "\n".join(spoiled).encode())
        assert reading.bookable, place
        assert [s.payments for s in reading.statements] == [1, 1]


def test_deposit_without_its_payments_refuses_the_file() -> None:
    empty = Section([], deposit="00057", declared="9000.00")
    reading = read_bank("bgmax", BgMaxFile([Section([money("20", "1.00")]), empty]).content())
    assert reading.file_errors["rule"].to_list() == ["C3"]


def test_part_amounts_of_a_deduction_have_its_sign() -> None:
    deduction = [money("21", "10.00", code="0", deduction="0"), money("22", "6.00", reference="1")]
    reading = read_bank("bgmax", one(money("20", "50.00"), *deduction, money("22", "4.00", reference="2")))
    assert rules(reading, "warning") == []
    assert [amount for _, _, amount in references(reading, 1)] == [Decimal("-6.00"), Decimal("-4.00")]


def test_words_of_the_payer_are_kept_beside_extra_references() -> None:
    reading = read_bank(
        "bgmax", one(money("20", "1.00", reference="MIN TEXT 77", code="5"), money("22", "0.00", reference="8"))
    )
    assert row(reading)["remittance"] == "MIN TEXT 77"


def test_same_deposit_number_on_another_day_makes_another_identity() -> None:
    autogiro = money("20", "5.00", serial=" " * 12, channel="4")
    days = [read_bank("bgmax", one(autogiro, date=day)).frame["identity"][0] for day in ("20261120", "20261121")]
    assert days[0] != days[1]


def test_extra_reference_of_another_serial_is_a_warning() -> None:
    reading = read_bank("bgmax", one(money("20", "1.00"), money("22", "0.00", reference="5", serial="000000000099")))
    assert rules(reading, "warning") == ["C8"]


def test_test_file_can_be_accepted() -> None:
    content = BgMaxFile([Section([money("20", "1.00")])], mark="T").content()
    assert read_bank("bgmax", content, accept_test=True).bookable


def test_file_without_sections_is_zero_payments_with_a_warning() -> None:
    reading = read_bank("bgmax", BgMaxFile([]).content())
    assert reading.bookable
    assert reading.frame.height == 0
    assert rules(reading, "warning") == ["no_section"]


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-8", "utf-8-sig"])
@pytest.mark.parametrize("eol", ["\r\n", "\n", "\r"])
def test_encodings_and_line_ends_read_the_same(encoding: str, eol: str) -> None:
    file = BgMaxFile([Section([money("20", "1900.00", reference="Åsa 1", code="3"), record("26Görans Åkeri")])])
    reading = read_bank("bgmax", file.content(encoding, eol) + b"\r\n\r\n")
    assert reading.bookable
    assert (row(reading)["payer_name"], row(reading)["remittance"]) == ("Görans Åkeri", "Åsa 1")
    assert row(reading)["amount"] == Decimal("1900.00")


def test_tabs_stand_for_blanks_to_the_next_eighth_column() -> None:
    payment = money("20", "7.00", reference="657965")
    tabbed = payment[:12] + "\t" + payment[16:]
    assert tabbed.expandtabs(8) == payment
    reading = read_bank("bgmax", one(tabbed, declared="7.00"))
    assert reading.bookable
    assert references(reading) == [("657965", "reference", None)]


def test_stripped_trailing_blanks_and_missing_last_line_end() -> None:
    lines = [line.rstrip() for line in BgMaxFile([Section([money("20", "1.00"), record("26X")])]).lines()]
    assert read_bank("bgmax", "\r\n".join(lines).encode()).bookable


def test_details_in_any_order_belong_to_their_payment() -> None:
    details = [record("29005500004321"), record("26Namn"), record("25text"), money("22", "0.00", reference="9")]
    forwards = read_bank("bgmax", one(money("20", "1.00"), *details)).frame
    backwards = read_bank("bgmax", one(money("20", "1.00"), *reversed(details))).frame
    assert forwards.drop("raw").equals(backwards.drop("raw"))


def test_equal_payments_stay_two_and_keep_their_identity() -> None:
    same = money("20", "5.00", serial=" " * 12, channel="4")  # Autogiro has no serial numbers that would tell
    reading = read_bank("bgmax", one(same, same))
    first, second = reading.frame["identity"]
    assert first != second
    assert read_bank("bgmax", one(same, same, deposit="00056")).frame["identity"].to_list() == [first, second]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"hello", b"id;name\n1;x\n", b"\x00\x01", "01BGMÄX".encode()])
def test_what_is_not_bgmax_is_refused(content: bytes) -> None:
    assert not recognise(content)
    with pytest.raises(NotRecognised):
        read_bank("bgmax", content)


def _sample() -> bytes:
    first = [money("20", "1900.00", reference="524967"), record("26Görans"), money("22", "0.00", reference="1")]
    second = [money("20", "10.00"), money("21", "4.00", deduction="0"), record("25text")]
    return BgMaxFile([Section(first), Section(second, deposit="00057")]).content()


def test_truncated_it_is_never_bookable() -> None:
    content = BgMaxFile([Section([money("20", "10.00", reference="1"), record("26Görans")])]).content()
    whole = len(content.rstrip())  # the end record's last 46 characters are blank by agreement
    for cut in [*range(0, whole - 100, 9), *range(whole - 100, whole)]:
        try:
            reading = read_bank("bgmax", content[:cut])
        except ImportProjectError:
            continue
        assert not reading.bookable, cut


@settings(max_examples=30)
@given(st.data())
def test_one_changed_digit_of_money_is_found(data: st.DataObject) -> None:
    lines = _sample().decode("iso-8859-1").split("\r\n")
    index = data.draw(st.sampled_from([i for i, x in enumerate(lines) if x[:2] in {"20", "21", "15"}]))
    start = 50 if lines[index].startswith("15") else 37
    place = data.draw(st.integers(start, start + 17))
    old = lines[index][place]
    new = data.draw(st.sampled_from([d for d in "0123456789" if d != old]))
    lines[index] = lines[index][:place] + new + lines[index][place + 1 :]
    assert "C3" in rules(read_bank("bgmax", "\r\n".join(lines).encode("iso-8859-1")))


@settings(max_examples=30)
@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(1, 10**12), st.booleans(), st.text("0123456789", max_size=25)), min_size=1, max_size=5
        ),
        min_size=1,
        max_size=4,
    )
)
def test_what_is_written_is_what_is_read(sections: list[list[tuple[int, bool, str]]]) -> None:
    written = [
        Section(
            [
                money(
                    "21" if debit else "20",
                    str(Decimal(oere) / 100),
                    reference=reference,
                    serial=f"{n}{m:011}",
                    **({"deduction": "0"} if debit else {}),
                )
                for m, (oere, debit, reference) in enumerate(rows)
            ],
            deposit=f"{n:05}",
        )
        for n, rows in enumerate(sections)
    ]
    if any(section.net < 0 for section in written):
        return
    reading = read_bank("bgmax", BgMaxFile(written).content())
    assert reading.bookable, reading.issues
    expected = [Decimal(o if not d else -o) / 100 for rows in sections for o, d, _ in rows]
    assert reading.frame["amount"].to_list() == expected
    assert [[x["text"] for x in r] for r in reading.frame["references"]] == [
        [r] if r else [] for rows in sections for _, _, r in rows
    ]


@settings(max_examples=30)
@given(
    size=st.integers(1, 3000), cut=st.integers(0, 2), lost=st.integers(3, 45), eol=st.sampled_from(["\r\n", "\n", "\r"])
)
def test_blocks_of_any_size_read_the_same(size: int, cut: int, lost: int, eol: str) -> None:
    group = [money("20", "10.00"), record("26Müller AB"), money("22", "4.00", reference="7"), money("22", "6.00")]
    sections = [Section([*group, money("20", "10.00")] * n, deposit=f"{n:05}") for n in (1, 5, 2)]
    lines = BgMaxFile(sections).lines()
    content = eol.join([*lines[cut:lost], *lines[lost + 1 :]]).encode("iso-8859-1")
    whole = read_bank("bgmax", content)
    parted = read_bank("bgmax", content, block_bytes=size)
    assert parted.frame.equals(whole.frame)
    assert parted.statements == whole.statements
    assert sorted(problems(parted), key=str) == sorted(problems(whole), key=str)


def test_blank_details_are_none_whatever_other_payments_say() -> None:
    blank = [money("20", "1.00", reference="REF", code="0"), record("25"), record("26"), record("27"), record("28")]
    full = [
        money("20", "2.00", serial="000000000002"),
        *(record(f"{k}text") for k in ("25", "25", "26", "26", "27", "28")),
    ]
    together = row(read_bank("bgmax", one(*blank, *full)))
    alone = row(read_bank("bgmax", one(*blank)))
    assert {k: together[k] for k in alone} == alone
    assert (alone["remittance"], alone["payer_name"], alone["payer_address"]) == ("REF", None, None)
