"""Entries that are taken out by their form read as those that the XML parser reads, and what only looks like one is left
to it."""

from io import BytesIO
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from import_project.errors import ImportProjectError, Unreadable
from import_project.formats.iso20022.documents import Document
from import_project.formats.iso20022.forms import as_written
from import_project.formats.iso20022.thinned import Thinned
from import_project.formats.iso20022.units import Units
from import_project.frames import Reading
from import_project_tests.formats.camt_files import document, element, entry, money, statement, way
from import_project_tests.formats.reading import problems, read_bank

OWN = ("row_number", "position", "statement", "raw")
TEXTS = st.text(st.sampled_from("abc Å&<>\"'ß漢.,-/ "), min_size=1, max_size=12).map(
    lambda t: t.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
)


@st.composite
def transactions(draw: st.DrawFn) -> str:
    """A transaction of 1.00 with some of what may stand in one."""
    side = draw(st.sampled_from(["Dbtr", "Cdtr"]))
    refs = [element(n, draw(TEXTS)) for n in ("AcctSvcrRef", "EndToEndId", "TxId") if draw(st.booleans())]
    party = element(side, element("Nm", draw(TEXTS)), element("PstlAdr", element("TwnNm", draw(TEXTS))))
    account = element(f"{side}Acct", element("Id", element("IBAN", "DE02120300000000202051")))
    told = [element("Ustrd", draw(TEXTS)) for _ in range(draw(st.integers(0, 2)))]
    strd = element("Strd", element("CdtrRefInf", element("Ref", draw(TEXTS))), element("AddtlRmtInf", draw(TEXTS)))
    return element(
        "TxDtls",
        element("Refs", *refs),
        money("1.00"),
        element("RltdPties", party, account),
        element("RmtInf", *told, *([strd] if draw(st.booleans()) else [])),
    )


@st.composite
def entries(draw: st.DrawFn) -> str:
    """An entry of one to three such transactions, or of none."""
    inside = draw(st.lists(transactions(), max_size=3))
    more = element("AddtlNtryInf", draw(TEXTS)) if draw(st.booleans()) else ""
    return entry(f"{len(inside) or 1}.00", *inside, ref=draw(st.sampled_from(["", "B1"])), more=more)


def cells(reading: Reading) -> list[dict[str, Any]]:
    told = reading.frame.drop(OWN).with_columns(pl.col("identity").str.replace(r"\|\d+$", ""))
    return told.to_dicts()


@settings(max_examples=40, deadline=None)
@given(st.lists(entries(), min_size=1, max_size=4), st.integers(4, 9))
def test_what_comes_often_reads_as_what_comes_once(kinds: list[str], times: int) -> None:
    together = read_bank("sepa", document(statement(kinds * times)))
    alone = [read_bank("sepa", document(statement([kind]))) for kind in kinds]
    assert cells(together) == [cell for reading in alone for cell in cells(reading)] * times
    assert together.bookable


@settings(max_examples=20, deadline=None)
@given(st.lists(transactions(), min_size=1, max_size=3), st.integers(1, 30))
def test_a_long_batch_reads_as_its_transactions(kinds: list[str], more: int) -> None:
    inside = kinds * (200 + more)
    batch = read_bank("sepa", document(statement([entry(f"{len(inside)}.00", *inside, ref="B1")])))
    alone = read_bank("sepa", document(statement([entry(f"{len(kinds)}.00", *kinds, ref="B1")])))
    fields = ["remittance", "payer_name", "payer_address", "references", "amount", "end_to_end_id"]
    assert batch.frame.select(fields).to_dicts() == alone.frame.select(fields).to_dicts() * (200 + more)
    assert batch.bookable
    assert batch.frame["position"][-1] == f"Stmt 1 / Ntry 1 / TxDtls {len(inside)}"


MANY = [entry("1.00", element("TxDtls", money("1.00")), ref=f"R{n}") for n in range(40)]


@pytest.mark.parametrize(
    "stranger",
    [
        "<!-- <Ntry> -->",
        "<?pi <Ntry> ?>",
        entry("1.00", ref="<![CDATA[R]]>"),
        entry("1.00", ref="R&#65;"),
        entry("1.00", ref="R1").replace("<Ntry>", '<Ntry a="1">'),
        entry("1.00", ref="R1").replace("</Ntry>", "</Ntry >"),
        entry("1.00", element("TxDtls", money("1.00")), ref="  R1\n"),
        entry("1.00", ref="R1").replace("><", ">\r\n<"),
    ],
    ids=[
        "comment",
        "instruction",
        "CDATA",
        "entity",
        "attribute",
        "blank in a tag",
        "blanks around a text",
        "line ends",
    ],
)
def test_what_is_written_otherwise_is_left_to_the_parser(stranger: str) -> None:
    """No entry may be lost, and none read twice."""
    reading = read_bank("sepa", document(statement([*MANY, stranger, *MANY])))
    held = 80 + stranger.startswith("<Ntry")
    assert reading.frame.height == held
    assert reading.bookable
    assert reading.frame["bank_reference"].to_list()[:40] == reading.frame["bank_reference"].to_list()[-40:]


@pytest.mark.parametrize("text", ["\x01", "\ufffe", "]<b>", "&unknown;", "a<"])
def test_what_no_xml_may_hold_is_refused_in_a_known_form_too(text: str) -> None:
    with pytest.raises(Unreadable):
        read_bank("sepa", document(statement([*MANY, entry("1.00", element("TxDtls", money("1.00")), ref=text)])))


def test_bytes_that_are_no_utf8_are_refused_wherever_they_stand() -> None:
    content = document(statement([*MANY, *MANY])).replace(b"R39", b"R\xff9")
    with pytest.raises(Unreadable):
        read_bank("sepa", content)


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "utf-16"])
def test_other_encodings_are_read(encoding: str) -> None:
    content = document(statement([entry("1.00", ref="Ä1")] * 20)).decode().replace('"UTF-8"', f'"{encoding}"')
    reading = read_bank("sepa", content.encode(encoding))
    assert set(reading.frame["bank_reference"]) == {"Ä1"}
    assert reading.frame.height == 20


def test_an_entry_in_another_is_not_counted_twice() -> None:
    nested = entry("1.00", ref="R1").replace("</Ntry>", entry("1.00", ref="R2") + "</Ntry>")
    reading = read_bank("sepa", document(statement([*MANY, nested, *MANY])))
    assert reading.frame.height == 81


def test_what_is_wrong_in_a_known_form_is_found_with_its_text() -> None:
    wrong = entry("9.00", element("TxDtls", money("8.00")), ref="R7")
    reading = read_bank("sepa", document(statement([*MANY, wrong])))
    assert problems(reading) == [(41, "entry_total", "amount")]
    assert reading.frame["raw"].drop_nulls().to_list() == [wrong]
    assert "difference 1.00" in reading.issues["message"][0]


def test_a_wrong_transaction_of_a_long_batch_is_found_with_its_text() -> None:
    inside = [element("TxDtls", money("1.00"), element("RmtInf", element("Ustrd", "x" * 60)))] * 900
    wrong = element("TxDtls", element("Amt", "one", Ccy="EUR"), element("RmtInf", element("Ustrd", "x" * 60)))
    reading = read_bank("sepa", document(statement([entry("901.00", *inside, wrong)])))
    assert problems(reading) == [(901, "amount", "amount")]
    assert reading.frame["raw"].drop_nulls().to_list() == [wrong]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_form_never_takes_what_the_parser_would_refuse(data: st.DataObject) -> None:
    content = document(statement(MANY))
    place = data.draw(st.integers(content.index(b"R20") - 200, content.index(b"R20") + 200))
    byte = data.draw(st.sampled_from([b"<", b">", b"&", b'"', b"/", b"\x00", b"\xff", b""]))
    broken = content[:place] + byte + content[place + 1 :]
    alone = content[: content.index(b"<Ntry>")] + broken[broken.index(b"<Ntry>") :]
    try:
        etree.fromstring(alone)
    except etree.XMLSyntaxError:
        with pytest.raises(ImportProjectError):
            read_bank("sepa", broken)
    else:
        assert read_bank("sepa", broken).frame.height >= 39


def test_a_known_form_does_not_reach_the_parser() -> None:
    units, content = Units(), document(statement(MANY))
    for xml in MANY[:3]:
        units.of(etree.fromstring(xml), xml)
    thinned = Thinned(Document(BytesIO(content), b""), units)
    parsed = b"".join(iter(thinned.read, b""))
    runs = [found for found in thinned.found if isinstance(found, list)]
    assert sum(len(run) for run in runs) == len(MANY)
    assert len(parsed) < len(content) / 5


@pytest.mark.parametrize("xml", ["<a>", "<a></b>", "<a/>x", "x<a/>", "<a><b></a></b>", "<a>&amp;</a>", "<a b='>'/>"])
def test_what_cannot_be_taken_apart_makes_no_form(xml: str) -> None:
    assert as_written(xml) is None


def test_signs_and_directions_are_of_the_form() -> None:
    kinds = [entry("1.00", element("TxDtls", money("1.00"), way(a)), ref="A") for a in ("1.00", "1.00")]
    kinds += [entry("-2.00", element("TxDtls", money("2.00"), way("-2.00")), ref="A")]
    reading = read_bank("sepa", document(statement(kinds * 10)))
    assert [str(a) for a in reading.frame["amount"]] == ["1.00", "1.00", "-2.00"] * 10


PADDED = [
    element("TxDtls", money("1.00"), element("RmtInf", element("Ustrd", f"no {n:04} {'x' * 60}"))) for n in range(900)
]


def test_an_entry_inside_a_long_one_takes_nothing_of_it() -> None:
    inner = element("SplmtryData", element("Ntry", money("5.00")))
    long = entry("900.00", *PADDED, ref="B2").replace("</Ntry>", inner + "</Ntry>")
    reading = read_bank("sepa", document(statement([entry("900.00", *PADDED, ref="B1"), " " * 3_000_000, long])))
    assert reading.frame.height == 1800
    assert reading.frame["remittance"].to_list()[900:] == reading.frame["remittance"].to_list()[:900]


@pytest.mark.parametrize("place", [4096, 12288, 28672])
def test_an_instruction_at_the_edge_of_a_window_is_none_of_our_entries(place: int) -> None:
    real = [entry("1.00", element("TxDtls", money("1.00")), ref=f"R{n}") for n in range(300)]
    whole = document(statement(real)).decode()
    for shift in (-2, -1, 0, 1):
        start = whole.rindex("<Ntry>", 0, place + shift)
        hidden = f"<?x {entry('1.00', element('TxDtls', money('1.00')), ref='FAKE')} ?>"
        content = whole[:start] + " " * (place + shift - start) + hidden + whole[start:]
        reading = read_bank("sepa", content.encode())
        assert reading.frame["bank_reference"].to_list() == [f"R{n}" for n in range(300)]


@pytest.mark.parametrize(
    "inside",
    [
        element("TxDtls", money("1.00")),
        element("NtryDtls", element("TxDtls", money("1.00"), element("SplmtryData", element("NtryDtls", "x")))),
        element("NtryDtls", element("TxDtls", money("1.00"))) + element("NtryDtls"),
    ],
    ids=["without NtryDtls", "NtryDtls below a transaction", "NtryDtls without transactions"],
)
def test_transactions_stand_where_they_stand_in_a_known_form_too(inside: str) -> None:
    one = entry("1.00", ref="R").replace("</Ntry>", inside + "</Ntry>")
    assert read_bank("sepa", document(statement([one] * 40))).frame.height == 40


def test_half_a_character_at_the_edge_of_a_window_is_not_lost() -> None:
    for blanks in (0, 1):
        told = element("RmtInf", element("Ustrd", "å" * 3000))
        entries = [entry("1.00", element("TxDtls", money("1.00"), told), ref="R1")]
        content = document(statement(entries, more="<!-- a comment -->" + " " * blanks))
        assert read_bank("sepa", content).frame["remittance"].to_list() == ["å" * 3000]


def test_a_prefix_that_is_bound_elsewhere_only_is_refused() -> None:
    strange = entry("1.00", "<x:y/>", ref="R")
    bound = statement([strange] * 300).replace("<Stmt>", '<Stmt xmlns:x="urn:x">')
    assert read_bank("sepa", document(bound)).frame.height == 300
    with pytest.raises(Unreadable, match="prefix x"):
        read_bank("sepa", document(bound, statement([strange] * 300)))


def test_a_blank_that_is_none_in_xml_is_refused_between_known_entries() -> None:
    with pytest.raises(Unreadable):
        read_bank("sepa", document(statement([*MANY, "\x1c", *MANY])))


def test_many_small_documents_are_read_each() -> None:
    one = document(statement([entry("1.00", ref="R")]))
    assert read_bank("sepa", one * 3000).frame.height == 3000


def test_a_tag_without_an_end_is_left_to_the_parser() -> None:
    with pytest.raises(Unreadable):
        read_bank("sepa", document(statement([*MANY, '<a b="' + "x" * 12_000_000 + '"/>'])))
