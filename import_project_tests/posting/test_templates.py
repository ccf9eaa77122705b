"""Templates of paths and bodies, and what is held against what was posted."""

from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from import_project.posting.look_ups import differences
from import_project.posting.templates import fields_of, filled, filled_path

VALUES = {"id": "A/1", "n": 3, "amount": Decimal("10.50"), "empty": None}


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        ("{n}", 3),
        ("{amount}", Decimal("10.50")),
        ("{empty}", None),
        ("no. {n} of {id}{empty}!", "no. 3 of A/1!"),
        ({"a": {"b": ["{n}", "x", 7, None, True]}}, {"a": {"b": [3, "x", 7, None, True]}}),
        ("{not one}", "{not one}"),
    ],
)
def test_body_templates(template: Any, wanted: Any) -> None:
    assert filled(template, VALUES) == wanted


def test_names_in_braces_are_found_everywhere() -> None:
    assert fields_of({"a": ["{x}", {"b": "{y}-{z}"}], "c": 3}) == {"x", "y", "z"}


def test_path_is_quoted_so_that_no_value_adds_a_step() -> None:
    assert filled_path("/orders/{id}/lines/{n}", VALUES) == "/orders/A%2F1/lines/3"


@pytest.mark.parametrize("value", [None, "", ".", ".."])
def test_path_needs_a_value(value: str | None) -> None:
    with pytest.raises(KeyError, match="id"):
        filled_path("/orders/{id}", {"id": value})


@given(st.text(min_size=1).filter(lambda text: text.strip(".")))
def test_any_text_is_one_step_and_comes_back(text: str) -> None:
    try:
        path = filled_path("/o/{id}/end", {"id": text})
    except UnicodeEncodeError:  # a lone surrogate is no text
        return
    assert path.count("/") == 3
    assert unquote(path.split("/")[2]) == text


@pytest.mark.parametrize(
    ("posted", "item", "wanted"),
    [
        ({"amount": "10.00"}, {"amount": 10}, []),
        ({"amount": "10.00"}, {"amount": "10.0"}, []),
        ({"amount": "10.00"}, {"amount": "10.01"}, ["amount"]),
        ({"amount": "10.00"}, {}, ["amount"]),
        ({"amount": "x"}, {"amount": "x"}, []),
        ({"amount": "1"}, {"amount": True}, ["amount"]),
        ({"amount": None}, {"amount": None}, []),
    ],
)
def test_what_must_be_the_same(posted: dict[str, Any], item: dict[str, Any], wanted: list[str]) -> None:
    assert differences(["amount"], posted, item) == wanted
