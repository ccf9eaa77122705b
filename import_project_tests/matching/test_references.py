"""References in the forms in which two are compared, and their check digits, held against python-stdnum."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iso11649, luhn
from stdnum.ch import esr

from import_project.matching import check_digits
from import_project.matching.people import bare, same_name
from import_project.matching.references import (
    CHECKED,
    GIVEN,
    UNCHECKED,
    WRITTEN,
    digits,
    digits_form,
    keys,
    loose,
    loose_form,
    normal,
    normal_form,
    normals,
    pieces,
)

DIGITS = st.text("0123456789", min_size=1, max_size=24)


@given(DIGITS)
def test_check_digits_are_those_of_a_library(text: str) -> None:
    assert check_digits.luhn(text) == luhn.calc_check_digit(text)
    assert check_digits.swiss(text) == esr.calc_check_digit(text)


@given(st.text("0123456789ABCXYZ", min_size=1, max_size=21))
def test_creditor_references_are_those_of_a_library(text: str) -> None:
    made = check_digits.creditor_reference(text)
    assert iso11649.is_valid(made)
    assert check_digits.is_creditor_reference(made)


@given(st.text("RF0123456789A", max_size=25))
def test_what_is_no_creditor_reference_is_told(text: str) -> None:
    assert not check_digits.is_creditor_reference(text) or iso11649.is_valid(text)


@pytest.mark.parametrize(
    ("function", "body", "check"),
    [
        (check_digits.luhn, "1234567", "4"),
        (check_digits.eleven, "1234567", "4"),  # 7*2+6*3+5*4+4*5+3*6+2*7+1*2 = 106; 11 - 106 % 11 = 4
        (check_digits.eleven, "1", "9"),
        (check_digits.eleven, "6", "-"),
        (check_digits.seven_three_one, "123", "2"),
        (check_digits.swiss, "21000000000313947143000901", "7"),  # SIX's own sample
    ],
)
def test_check_digits_by_hand(function: Any, body: str, check: str) -> None:
    assert function(body) == check


@pytest.mark.parametrize(
    ("written", "listed", "how"),
    [
        ("10023", "10023", GIVEN),
        (" inv-10023 ", "INV-10023", GIVEN),
        ("INV10023", "INV-10023", WRITTEN),
        ("0010023", "10023", WRITTEN),
        ("10023", "INV-10023", WRITTEN),
        ("F10023", "10023", WRITTEN),
        ("1OO23", "10023", WRITTEN),
        ("2026/00123", "INV-2026-00123", WRITTEN),
        ("12345674", "1234567", CHECKED),  # Luhn
        ("1234567897", "12345678", CHECKED),  # length digit 0, Luhn
        ("1234567", "12345674", UNCHECKED),
        ("RF18539007547034", "539007547034", CHECKED),
        ("539007547034", "RF18 5390 0754 7034", UNCHECKED),
        ("12344", "1234", CHECKED),
        ("210000000003139471430009017", "21000000000313947143000901", CHECKED),
        ("+++090/9337/55493+++", "0909337554", CHECKED),
    ],
)
def test_one_reference_is_known_in_another_form(written: str, listed: str, how: str) -> None:
    if written == "1234567897":  # the length digit counts itself and the check digit
        body = "12345678" + str((8 + 2) % 10)
        written = body + check_digits.luhn(body)
    elif written == "12344":
        written = "1234" + check_digits.seven_three_one("1234")
    forms = {normal(listed), loose(normal(listed)), digits(loose(normal(listed)))}
    found = [by for by, key in keys(written) if key in forms and (by != GIVEN or key == normal(listed))]
    assert found[:1] == [how]


@pytest.mark.parametrize("nothing", ["", "  ", "0", "000", "0 0"])
def test_empty_references_have_no_form(nothing: str) -> None:
    assert list(keys(nothing)) == []


@given(st.lists(st.text("aB1O0IL -/.xÅß\u00a0", max_size=12), max_size=20))
def test_columns_and_texts_have_the_same_forms(texts: list[str]) -> None:
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    normally = normal_form("text")
    made = frame.select(
        n=normally, l=loose_form(normally), d=digits_form(loose_form(normally)), m=normals(frame["text"])
    )
    for text, (as_normal, as_loose, as_digits, quickly) in zip(texts, made.iter_rows(), strict=True):
        assert (as_normal, quickly) == (normal(text), normal(text))
        assert as_loose == loose(normal(text))
        assert as_digits == digits(loose(normal(text)))


def test_pieces_of_free_text_are_numbers_between_strokes() -> None:
    assert pieces("100234/4711/12") == ["100234", "4711"]
    assert pieces("2026-11-20") == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Björk Måleri AB", "BJOERK MAALERI AB", True),
        ("Bøe & Sønner", "BOE OG SONNER", False),
        ("Bøe & Sønner", "BOEE & SOENNER", True),
        ("Müller Straßenbau und Söhne GmbH", "MUELLER STRASSENBAU UND SO", True),
        ("Andersson Bygg AB", "Andersson", False),
        ("Ann", "Anna", False),
        ("", "Anna", False),
        (None, None, False),
    ],
)
def test_names_as_banks_write_them(one: str | None, other: str | None, same: bool) -> None:
    assert same_name(one, other) is same
    assert same_name(other, one) is same


def test_bare_names() -> None:
    assert bare("Åke Ærø") == "AKEARO"
