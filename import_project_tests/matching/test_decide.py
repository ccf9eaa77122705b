"""What is proved is matched, the rest has a reason, and neither order nor runs change anything."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from import_project.matching.decide import order_of
from import_project.records.payments import Invoice, Match, Payment, UnmatchedReason
from import_project_tests.matching.deciding import (
    ALL,
    NOV_20,
    Remembered,
    decisions,
    invoice,
    one,
    payment,
    rules,
    settled,
    text,
)


@pytest.mark.parametrize(
    ("pay", "invoices", "reason"),
    [
        (payment("1.00"), [invoice("A", "", "1.00")], UnmatchedReason.NO_REFERENCE),
        (payment("1.00", " "), [invoice("A", "", "1.00")], UnmatchedReason.NO_REFERENCE),
        (payment("1.00", "0"), [invoice("A", "00", "1.00")], UnmatchedReason.UNKNOWN_REFERENCE),
        (payment("1.00", "9"), [invoice("A", "1", "1.00")], UnmatchedReason.UNKNOWN_REFERENCE),
        (payment("2.00", "1"), [invoice("A", "1", "1.00")], UnmatchedReason.AMOUNT_MISMATCH),
        (payment("-1.00", "1"), [invoice("A", "1", "1.00")], UnmatchedReason.AMOUNT_MISMATCH),
        (payment("0.00", "1"), [invoice("A", "1", "1.00")], UnmatchedReason.AMOUNT_MISMATCH),
        (payment("0.00", "1"), [invoice("A", "1", "0.00")], UnmatchedReason.AMOUNT_MISMATCH),
        (payment("1.00", "1"), [invoice("A", "1", "0.00")], UnmatchedReason.ALREADY_PAID),
        (payment("1.00", "1"), [invoice("A", "1", "1.00", closed=True)], UnmatchedReason.ALREADY_PAID),
        (payment("1.00", "1", currency="EUR"), [invoice("A", "1", "1.00")], UnmatchedReason.CURRENCY_MISMATCH),
        (payment("1.00", "1"), [invoice("A", "1", "1.00"), invoice("B", "1", "1.00")], UnmatchedReason.AMBIGUOUS),
        (payment("1.00", "1"), [invoice("A", "1", "1.00"), invoice("A", "1", "2.00")], UnmatchedReason.AMBIGUOUS),
        (
            payment("5.00", "1", "2"),
            [invoice("A", "1", "1.00"), invoice("B", "2", "2.00")],
            UnmatchedReason.AMOUNT_MISMATCH,
        ),
        (payment("1.00", "1", "2"), [invoice("A", "1", "1.00")], UnmatchedReason.UNKNOWN_REFERENCE),
        (payment("1.00", "1", booked=False), [invoice("A", "1", "1.00")], UnmatchedReason.NOT_BOOKED),
        (payment("1.00", "1", booked=False, reversal=True), [invoice("A", "1", "1.00")], UnmatchedReason.NOT_BOOKED),
        (payment("-1.00", "1", reversal=True), [invoice("A", "1", "-1.00")], UnmatchedReason.REVERSED),
    ],
)
def test_reasons(pay: Payment, invoices: list[Invoice], reason: UnmatchedReason) -> None:
    decision = one(pay, *invoices)
    assert decision.reason is reason
    assert decision.allocations == ()
    assert decision.evidence


def test_invoice_listed_twice_alike_counts_once() -> None:
    twice = [invoice("A", "1", "1.00"), invoice("A", "1", "1.00")]
    assert settled(one(payment("1.00", "1"), *twice)) == [("A", Decimal("1.00"), Decimal("0.00"))]


def test_amounts_beyond_a_million_billions_are_exact() -> None:
    huge = "12345678901234567890123456789012345.67"
    items = [invoice("A", "1", huge), invoice("B", "2", "0.01"), invoice("C", "3", huge[:-1] + "8")]
    assert settled(one(payment(huge, "1"), *items)) == [("A", Decimal(huge), Decimal("0.00"))]
    both = one(payment("12345678901234567890123456789012345.68", "1", "2"), *items)
    assert [a for _, a, _ in settled(both)] == [Decimal(huge), Decimal("0.01")]


def test_second_payment_of_an_invoice_is_told_as_paid_twice() -> None:
    pays = [payment("100.00", "1", number=n) for n in (1, 2)] + [payment("40.00", "1", number=3)]
    found = decisions(pays, [invoice("A", "1", "100.00")])
    assert [found[p.payment_id].reason for p in pays] == [
        None,
        UnmatchedReason.DUPLICATE_PAYMENT,
        UnmatchedReason.ALREADY_PAID,
    ]
    assert "p01" in found["p02"].evidence


def test_payment_of_an_invoice_that_an_earlier_run_paid_is_told_though_the_list_has_it_no_more() -> None:
    paid = decisions([payment("100.00", "1", number=0)], [invoice("A", "1", "100.00")])
    known = Remembered(found=paid, invoices={"A": invoice("A", "1", "100.00")})
    assert one(payment("100.00", "1"), memory=known).reason is UnmatchedReason.DUPLICATE_PAYMENT
    assert one(payment("99.00", "1"), memory=known).reason is UnmatchedReason.ALREADY_PAID
    assert one(payment("100.00", "2"), memory=known).reason is UnmatchedReason.UNKNOWN_REFERENCE


def test_earlier_payment_without_reference_comes_before_a_plain_case_of_a_later_day() -> None:
    item = invoice("A", "4711", "50.00", customer_id="c", payer_accounts=("SE1",), due_on=NOV_20)
    early = payment("50.00", number=2, payer_account="SE1", booking_date=NOV_20 - timedelta(days=1))
    late = payment("50.00", "4711", number=1, payer_account="SE1")
    found = decisions([late, early], [item])
    assert (found["p02"].rule, found["p01"].reason) == ("payer_and_amount", UnmatchedReason.DUPLICATE_PAYMENT)
    same_day = decisions([late, replace(early, booking_date=NOV_20)], [item])
    assert (same_day["p01"].rule, same_day["p02"].reason) == ("reference", UnmatchedReason.NO_REFERENCE)


def test_reversal_opens_again_what_it_takes_back() -> None:
    paid = payment("100.00", "1", number=1, end_to_end_id="E1")
    back = payment("-100.00", "1", number=2, end_to_end_id="E1", reversal=True)
    again = payment("100.00", "1", number=3, booking_date=NOV_20 + timedelta(days=1))
    found = decisions([again, back, paid], [invoice("A", "1", "100.00")])
    assert settled(found["p02"]) == [("A", Decimal("-100.00"), Decimal("100.00"))]
    assert found["p02"].reverses == "p01"
    assert settled(found["p03"]) == [("A", Decimal("100.00"), Decimal("0.00"))]


def test_reversal_of_a_payment_that_settled_nothing_ends_its_wait() -> None:
    paid = payment("100.00", "9", number=1, end_to_end_id="E1")
    back = payment("-100.00", number=2, end_to_end_id="E1", reversal=True)
    found = decisions([paid, back], [])
    assert [found[n].reason for n in ("p01", "p02")] == [UnmatchedReason.REVERSED] * 2
    later = decisions([back], [], memory=Remembered(found=decisions([paid], []), invoices={}))
    assert later["p01"].reason is UnmatchedReason.REVERSED


def test_reversal_that_may_be_of_two_payments_is_no_guess() -> None:
    pays = [payment("100.00", "1", number=n, bank_reference="B") for n in (1, 2)]
    back = payment("-100.00", "1", number=3, bank_reference="B", reversal=True)
    found = decisions([*pays, back], [invoice("A", "1", "200.00")])
    assert found["p03"].reason is UnmatchedReason.AMBIGUOUS


@pytest.mark.parametrize(
    "cells",
    [
        {"payer_account": "DE9", "end_to_end_id": "E1"},  # another payer
        {"end_to_end_id": "E2"},  # another id, the same reference
        {"references": text("1")},  # free text is no mark
    ],
)
def test_reversal_takes_nobody_elses_payment_back(cells: dict[str, object]) -> None:
    paid = payment("100.00", "1", number=1, payer_account="SE1", end_to_end_id="E1")
    back = replace(payment("-100.00", "1", number=2, reversal=True), **cells)  # type: ignore[arg-type]
    assert decisions([paid, back], [invoice("A", "1", "100.00")])["p02"].reason is UnmatchedReason.REVERSED


def test_invoice_that_a_reversal_opened_is_found_by_its_amount_again() -> None:
    item = invoice("A", "1001", "100.00", customer_id="c", payer_accounts=("SE1",), due_on=NOV_20)
    paid = payment("100.00", "1001", number=1, end_to_end_id="E1")
    back = payment("-100.00", number=2, end_to_end_id="E1", reversal=True)
    again = payment("100.00", number=3, payer_account="SE1", booking_date=NOV_20 + timedelta(days=1))
    assert decisions([paid, back, again], [item])["p03"].rule == "payer_and_amount"


def test_money_back_that_is_no_reversal_is_never_a_payment() -> None:
    refund = payment("-100.00", "1")
    assert one(refund, invoice("A", "1", "100.00")).reason is UnmatchedReason.AMOUNT_MISMATCH
    assert settled(one(refund, invoice("A", "1", "-100.00"))) == [("A", Decimal("-100.00"), Decimal("0.00"))]


CUSTOMERS = ("c1", "c2", "c3")
DRAWN = st.tuples(
    st.integers(-3, 9),
    st.lists(st.sampled_from(["1001", "1002", "1003", "x77777", "INV-1001", "01002"]), max_size=3, unique=True),
    st.lists(st.sampled_from(["1001", "1003", "F1004", "c1", "2026"]), max_size=2, unique=True),
    st.sampled_from(["SEK", "SEK", "EUR"]),
    st.integers(0, 4),
    st.sampled_from([None, "SE1", "SE2", "SE3", "DE9"]),
    st.sampled_from([None, None, "E1", "E2"]),
    st.booleans(),
)
LISTED = st.tuples(
    st.sampled_from(["1001", "1002", "1003", "1004", "INV-1001", ""]),
    st.integers(-2, 9),
    st.sampled_from(CUSTOMERS),
    st.integers(0, 3),
)


def made(drawn: Sequence[tuple]) -> list[Payment]:  # type: ignore[type-arg]
    pays = []
    for number, (amount, refs, texts, currency, day, account, end_to_end, back) in enumerate(drawn, start=1):
        plain = payment(
            str(amount),
            *refs,
            number=number,
            currency=currency,
            payer_account=account,
            end_to_end_id=end_to_end,
            booking_date=NOV_20 + timedelta(days=day),
            reversal=back and amount < 0,
        )
        pays.append(replace(plain, references=plain.references + text(*texts)))
    return pays


def items(drawn: Sequence[tuple]) -> list[Invoice]:  # type: ignore[type-arg]
    return [
        invoice(
            f"I{n}",
            reference,
            str(amount),
            customer_id=customer,
            payer_accounts=(f"SE{customer[1]}",),
            due_on=NOV_20 + timedelta(days=due),
            discount=Decimal(1) if amount > 4 else None,
            discount_until=NOV_20 + timedelta(days=2),
        )
        for n, (reference, amount, customer, due) in enumerate(drawn)
    ]


def account_of(customer: str) -> Invoice:
    """An invoice that says nothing but whose an account is: that is known by the invoices that are listed."""
    return invoice(f"of {customer}", "", "0.00", customer_id=customer, payer_accounts=(f"SE{customer[1]}",))


def less(invoices: Sequence[Invoice], found: dict[str, Match]) -> list[Invoice]:
    """What a list shows after a run."""
    for match in found.values():
        for a in match.allocations:
            invoices = [
                replace(i, open_amount=i.open_amount - a.settles - a.written_off) if i.invoice_id == a.invoice_id else i
                for i in invoices
            ]
    return list(invoices)


def plain_decisions(found: dict[str, Match]) -> dict[str, tuple[object, ...]]:
    return {
        name: (m.rule, m.reason, m.reverses, tuple((a.invoice_id, a.amount, a.written_off) for a in m.allocations))
        for name, m in found.items()
    }


@settings(max_examples=250, deadline=None)
@given(st.lists(DRAWN, max_size=9), st.lists(LISTED, max_size=7), st.randoms(use_true_random=False))
def test_order_changes_nothing_and_money_is_conserved(
    drawn: list[tuple],  # type: ignore[type-arg]
    listed: list[tuple],  # type: ignore[type-arg]
    shuffle: random.Random,
) -> None:
    pays, invoices = made(drawn), items(listed)
    expected = decisions(pays, invoices)
    assert set(expected) == {p.payment_id for p in pays}
    mixed_payments, mixed_invoices = list(pays), list(invoices)
    shuffle.shuffle(mixed_payments)
    shuffle.shuffle(mixed_invoices)
    assert decisions(mixed_payments, mixed_invoices) == expected
    for decision in expected.values():
        if decision.matched:
            assert sum(a.amount for a in decision.allocations) + decision.unapplied == decision.payment.amount
        else:
            assert decision.evidence
    for item in less(invoices, expected):
        listed_amount = next(i.open_amount for i in invoices if i.invoice_id == item.invoice_id)
        assert abs(item.open_amount) <= abs(listed_amount)
        assert item.open_amount * listed_amount >= 0


@settings(max_examples=250, deadline=None)
@given(st.lists(DRAWN, max_size=9), st.lists(LISTED, max_size=7))
def test_plain_cases_are_what_the_rules_say_one_by_one(drawn: list[tuple], listed: list[tuple]) -> None:  # type: ignore[type-arg]
    pays, invoices = made(drawn), items(listed)
    one_by_one = replace(ALL, chosen=(*rules("similar_name").chosen, *ALL.chosen))  # then nothing is taken out at once
    assert plain_decisions(decisions(pays, invoices)) == plain_decisions(decisions(pays, invoices, one_by_one))


@settings(max_examples=250, deadline=None)
@given(
    drawn=st.lists(DRAWN, max_size=9),
    listed=st.lists(LISTED, max_size=7),
    cuts=st.lists(st.integers(0, 9), max_size=6),
    lists_the_open_only=st.booleans(),
)
@example(
    drawn=[(1, ["1001"], [], "SEK", 0, None, None, False), (1, ["1001", "1002"], [], "SEK", 0, None, None, False)],
    listed=[("1001", 1, "c1", 0), ("1001", -1, "c1", 0)],
    cuts=[1],
    lists_the_open_only=False,
)
def test_any_number_of_runs_in_order_decides_the_same(
    drawn: list[tuple],  # type: ignore[type-arg]
    listed: list[tuple],  # type: ignore[type-arg]
    cuts: list[int],
    *,
    lists_the_open_only: bool,
) -> None:
    pays = sorted(made(drawn), key=order_of)
    invoices = [i for i in items(listed) if i.open_amount or not lists_the_open_only]
    invoices += [account_of(c) for c in CUSTOMERS if all(i.customer_id != c for i in invoices)]
    whole = decisions(pays, invoices)
    runs, start = [], 0
    for cut in [*sorted(set(cuts)), len(pays)]:
        runs.append(pays[start:cut])
        start = cut
    found: dict[str, Match] = {}
    for run in runs:
        memory = Remembered(found=found, invoices={i.invoice_id: i for i in invoices})
        left = less(invoices, found)
        unpaid = [i for i in left if i.open_amount] if lists_the_open_only else left
        unpaid += [account_of(c) for c in CUSTOMERS if all(i.customer_id != c for i in unpaid)]
        found = found | decisions(run, unpaid, ALL, memory)
    assert plain_decisions(found) == plain_decisions(whole)
