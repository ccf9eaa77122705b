"""A bank's file of more statements than may be is refused before each of them costs what a statement costs."""

import io

import pytest

from import_project.errors import NotAllowed
from import_project.formats.caps import MOST_STATEMENTS
from import_project.formats.registry import bank_format
from import_project_tests.formats import fuzz
from import_project_tests.formats.hostile import HOSTILE

_CASES = [
    ("camt", "empty statements", b"<Stmt/>"),
    ("mt940", "empty messages", b":20:"),
    ("bai2", "empty accounts", b"03,"),
]


@pytest.mark.parametrize(("name", "what", "begins"), _CASES)
def test_statements_are_capped(name: str, what: str, begins: bytes) -> None:
    kind, _ = fuzz.SEEDS[name]
    content = HOSTILE[name][what](2_000_000)
    assert content.count(begins) > MOST_STATEMENTS
    with pytest.raises(NotAllowed, match="more than 100,000 statements"):
        list(bank_format(kind).pieces(io.BytesIO(content)))
