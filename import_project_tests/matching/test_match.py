"""Matching: what is proved is matched, the rest has a reason, and order changes nothing."""

import random
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from import_project.matching.match import match
from import_project.records.payments import Invoice, Match, Payment, Reference, UnmatchedReason

RULES = ("reference", "references")


def payment(amount: str, *references: str | tuple[str, str], number: int = 1, currency: str = "SEK") -> Payment:
    given_refs = tuple(
        Reference(text=r, source="reference")
        if isinstance(r, str)
        else Reference(text=r[0], source="extra_reference", amount=Decimal(r[1]))
        for r in references
    )
    return Payment(
        payment_id=f"p{number}",
        row_number=number,
        account="5841",
        currency=currency,
        amount=Decimal(amount),
        booking_date=date(2026, 11, 20),
        references=given_refs,
    )


def invoice(name: str, reference: str, amount: str, currency: str = "SEK") -> Invoice:
    return Invoice(invoice_id=name, reference=reference, currency=currency, open_amount=Decimal(amount))


def one(pay: Payment, *invoices: Invoice) -> Match:
    (decision,) = match([pay], invoices, RULES)
    return decision


def settled(decision: Match) -> list[tuple[str, Decimal, Decimal]]:
    return [(a.invoice_id, a.amount, a.residual) for a in decision.allocations]


def test_exact_reference_and_amount() -> None:
    decision = one(payment("100.00", "42"), invoice("A", "42", "100.00"))
    assert decision.matched
    assert settled(decision) == [("A", Decimal("100.00"), Decimal("0.00"))]
    assert (decision.rule, decision.rule_version) == ("reference", 1)


def test_partial_payment_leaves_a_rest() -> None:
    assert settled(one(payment("40.00", "42"), invoice("A", "42", "100.00"))) == [("A", Decimal(40), Decimal("60.00"))]


def test_blanks_and_case_do_not_part_references() -> None:
    assert one(payment("1.00", " rf 42 "), invoice("A", "RF42", "1.00")).matched


def test_several_invoices_in_full() -> None:
    decision = one(payment("30.00", "1", "2"), invoice("A", "1", "10.00"), invoice("B", "2", "20.00"))
    assert [(i, a) for i, a, _ in settled(decision)] == [("A", Decimal("10.00")), ("B", Decimal("20.00"))]


def test_part_amounts_are_obeyed_and_a_credit_note_is_taken_back() -> None:
    invoices = [invoice("A", "1", "100.00"), invoice("B", "2", "90.00"), invoice("C", "3", "-50.00")]
    decision = one(payment("130.00", ("1", "100.00"), ("2", "80.00"), ("3", "-50.00")), *invoices)
    assert settled(decision) == [
        ("A", Decimal("100.00"), Decimal("0.00")),
        ("B", Decimal("80.00"), Decimal("10.00")),
        ("C", Decimal("-50.00"), Decimal("0.00")),
    ]


def test_deduction_settles_a_credit_note() -> None:
    assert one(payment("-25.00", "7"), invoice("C", "7", "-25.00")).matched


@pytest.mark.parametrize(
    ("pay", "invoices", "reason"),
    [
        (payment("1.00"), [invoice("A", "", "1.00")], UnmatchedReason.NO_REFERENCE),
        (payment("1.00", "9"), [invoice("A", "1", "1.00")], UnmatchedReason.UNKNOWN_REFERENCE),
        (payment("1.00", " "), [invoice("A", "", "1.00")], UnmatchedReason.UNKNOWN_REFERENCE),
        (payment("2.00", "1"), [invoice("A", "1", "1.00")], UnmatchedReason.AMOUNT_MISMATCH),
        (payment("-1.00", "1"), [invoice("A", "1", "1.00")], UnmatchedReason.AMOUNT_MISMATCH),
        (payment("0.00", "1"), [invoice("A", "1", "1.00")], UnmatchedReason.AMOUNT_MISMATCH),
        (payment("1.00", "1"), [invoice("A", "1", "0.00")], UnmatchedReason.ALREADY_PAID),
        (payment("1.00", "1", currency="EUR"), [invoice("A", "1", "1.00")], UnmatchedReason.CURRENCY_MISMATCH),
        (payment("1.00", "1"), [invoice("A", "1", "1.00"), invoice("B", "1", "1.00")], UnmatchedReason.AMBIGUOUS),
        (payment("1.00", "1"), [invoice("A", "1", "1.00"), invoice("A", "1", "1.00")], UnmatchedReason.AMBIGUOUS),
        (
            payment("5.00", "1", "2"),
            [invoice("A", "1", "1.00"), invoice("B", "2", "2.00")],
            UnmatchedReason.AMOUNT_MISMATCH,
        ),
        (payment("1.00", "1", "2"), [invoice("A", "1", "1.00")], UnmatchedReason.UNKNOWN_REFERENCE),
    ],
)
def test_reasons(pay: Payment, invoices: list[Invoice], reason: UnmatchedReason) -> None:
    decision = one(pay, *invoices)
    assert decision.reason is reason
    assert decision.allocations == ()
    assert decision.evidence


def test_two_payments_that_want_the_same_invoice_are_both_left_to_a_person() -> None:
    pays = [payment("100.00", "1", number=1), payment("100.00", "1", number=2), payment("5.00", "2", number=3)]
    decisions = match(pays, [invoice("A", "1", "100.00"), invoice("B", "2", "5.00")], RULES)
    assert [d.reason for d in decisions] == [UnmatchedReason.AMBIGUOUS, UnmatchedReason.AMBIGUOUS, None]


def test_two_partial_payments_that_fit_are_both_taken() -> None:
    pays = [payment("60.00", "1", number=1), payment("40.00", "1", number=2)]
    decisions = match(pays, [invoice("A", "1", "100.00")], RULES)
    assert [settled(d)[0][2] for d in decisions] == [Decimal("0.00"), Decimal("0.00")]


payments = st.lists(
    st.tuples(
        st.integers(-3, 6), st.lists(st.sampled_from(["1", "2", "3", "x"]), max_size=3), st.sampled_from(["SEK", "EUR"])
    ),
    max_size=7,
)
invoices_made = st.lists(st.tuples(st.sampled_from(["1", "2", "3", ""]), st.integers(-2, 6)), max_size=5)


@settings(max_examples=150)
@given(payments, invoices_made, st.randoms(use_true_random=False))
def test_order_changes_nothing_and_money_is_conserved(
    pays: list[tuple[int, list[str], str]], items: list[tuple[str, int]], shuffle: random.Random
) -> None:
    made = [payment(str(a), *refs, number=n, currency=c) for n, (a, refs, c) in enumerate(pays, start=1)]
    invoices = [invoice(f"I{n}", reference, str(amount)) for n, (reference, amount) in enumerate(items)]
    expected = match(made, invoices, RULES)
    mixed_payments, mixed_invoices = list(made), list(invoices)
    shuffle.shuffle(mixed_payments)
    shuffle.shuffle(mixed_invoices)
    assert match(mixed_payments, mixed_invoices, RULES) == expected
    assert len(expected) == len(made)
    for decision in expected:
        if decision.matched:
            assert sum(a.amount for a in decision.allocations) == decision.payment.amount
    for item in invoices:
        used = sum((a.amount for d in expected for a in d.allocations if a.invoice_id == item.invoice_id), Decimal(0))
        assert abs(used) <= abs(item.open_amount)


@pytest.mark.parametrize(
    ("booked", "reversal", "reason"),
    [
        (False, False, UnmatchedReason.NOT_BOOKED),
        (True, True, UnmatchedReason.REVERSED),
        (False, True, UnmatchedReason.NOT_BOOKED),
    ],
)
def test_what_moved_no_money_or_moved_it_back_settles_nothing(
    booked: bool, reversal: bool, reason: UnmatchedReason
) -> None:
    moved = replace(payment("100.00", "42"), booked=booked, reversal=reversal)
    decision = one(moved, invoice("A", "42", "100.00"))
    assert (decision.reason, decision.rule, decision.allocations) == (reason, "moved", ())


def test_a_pending_payment_takes_nothing_from_the_booked_one() -> None:
    pending = replace(payment("100.00", "42", number=1), booked=False)
    booked = payment("100.00", "42", number=2)
    first, second = match([pending, booked], [invoice("A", "42", "100.00")], RULES)
    assert (first.reason, second.matched) == (UnmatchedReason.NOT_BOOKED, True)
