"""Statements against those of other files, as tables."""

from datetime import date
from decimal import Decimal

import pytest

from import_project.pipeline.continuity import Line
from import_project.records.statements import Filed, Statement


def statement(
    sequence: str | None, day: str, opening: str | None = None, closing: str | None = None, form: str = "mt940"
) -> Statement:
    return Statement(
        number=1,
        account="NL91ABNA0417164300",
        currency="EUR",
        identification=f"S{day}",
        booking_date=date.fromisoformat(day),
        payments=1,
        net=Decimal(1),
        opening=None if opening is None else Decimal(opening),
        closing=None if closing is None else Decimal(closing),
        sequence=sequence,
        form=form,
    )


def told(known: list[Statement], found: Statement) -> list[tuple[str, str]]:
    line = Line(Filed(file=f"file {n}", statement=s) for n, s in enumerate(known))
    issues = list(line.against(found))
    assert not [i for i in issues if i.is_error]
    return [(i.rule, i.message) for i in issues]


FIRST = statement("223", "2026-11-18", "10", "20")


@pytest.mark.parametrize(
    ("known", "found"),
    [
        ([], statement("7", "2026-11-19", "1", "2")),
        ([FIRST], statement("224", "2026-11-19", "20", "30")),
        ([FIRST], statement("00224/001", "2026-11-19", "20", "30")),
        ([statement("224/1", "2026-11-19", "20", "25")], statement("224/2", "2026-11-19", "25", "30")),
        ([statement("365", "2026-12-31", "10", "20")], statement("1", "2027-01-02", "20", "30")),
        ([statement("1", "2026-11-18", "10", "20")], statement("1", "2026-11-19", "20", "30")),
        (
            [statement("1", "2026-11-17", "5", "10"), statement("1", "2026-11-18", "10", "20")],
            statement("1", "2026-11-19", "20", "30"),
        ),
        (
            [statement("1", "2026-10-01", "1", "5"), statement("31", "2026-10-31", "5", "20")],
            statement("1", "2026-11-01", "20", "30"),
        ),
        ([statement("20261118", "2026-11-18", "10", "20")], statement("20261120", "2026-11-20", "20", "30")),
        ([FIRST], statement(None, "2026-11-19", "20", "30")),
        ([FIRST, statement("225", "2026-11-20", "30", "40")], statement("224", "2026-11-19", "20", "30")),
        ([statement("5", "2026-11-18", form="camt.052")], statement("5", "2026-11-18", form="camt.052")),
    ],
    ids=[
        "the first of an account",
        "the next number",
        "zeros and a page",
        "the next page",
        "a new year",
        "a bank that does not count",
        "a bank that does not count, third day",
        "a bank that counts anew each month",
        "a date for a number",
        "no number",
        "a late one fills its gap",
        "interim reports repeat themselves",
    ],
)
def test_what_follows_on_is_not_told(known: list[Statement], found: Statement) -> None:
    assert told(known, found) == []


@pytest.mark.parametrize(
    ("known", "found", "rule", "words"),
    [
        ([FIRST], statement("225", "2026-11-20", "20", "30"), "statement_missing", "statement 224 is missing"),
        ([FIRST], statement("230", "2026-11-20", "20", "30"), "statement_missing", "statements 224 to 229 are missing"),
        (
            [statement("224/1", "2026-11-19", "20", "25")],
            statement("224/4", "2026-11-19", "25", "30"),
            "statement_missing",
            "pages 2 to 3 are missing",
        ),
        (
            [statement("365", "2026-12-31", "10", "20")],
            statement("3", "2027-01-04", "20", "30"),
            "statement_missing",
            "statements 1 to 2 are missing",
        ),
        ([FIRST], statement("224", "2026-11-19", "19.50", "30"), "opening_balance", "difference -0.50"),
        (
            [statement("225", "2026-11-20", "30", "40")],
            statement("224", "2026-11-19", "20", "31"),
            "opening_balance",
            "difference -1.00",
        ),
        ([FIRST], FIRST, "statement_repeated", "with the same content"),
        ([FIRST], statement("223", "2026-11-18", "10", "21"), "statement_repeated", "with another content"),
        ([FIRST], statement("223", "2026-11-19", "7", "8"), "statement_repeated", "in file 0"),
        ([statement(None, "2026-11-18", "1", "2")], statement(None, "2026-11-18", "1", "2"), "statement_repeated", ""),
    ],
)
def test_what_does_not_follow_on_is_a_warning(known: list[Statement], found: Statement, rule: str, words: str) -> None:
    ((found_rule, message),) = told(known, found)
    assert found_rule == rule
    assert words in message


def test_gap_with_another_balance_is_two_findings() -> None:
    rules = [rule for rule, _ in told([FIRST], statement("226", "2026-11-21", "35", "40"))]
    assert rules == ["statement_missing", "opening_balance"]
