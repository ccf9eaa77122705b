"""Each rule: what it settles, and the nearest cases that it leaves alone."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from import_project.config.match import DEFAULT_RULES, OPTIONS
from import_project.matching.decide import Rules
from import_project.matching.rules import (
    RULES,
    discount,
    overpayment,
    partial,
    payer_and_amount,
    payer_and_sum,
    reference,
    several_payments,
    several_references,
    tolerance,
)
from import_project.matching.rules.payer_and_amount import one_slip
from import_project.records.payments import Invoice, Match, Payment, UnmatchedReason
from import_project_tests.matching.deciding import ALL, NOV_20, decisions, invoice, one, payment, rules, settled, text

CUSTOMER: dict[str, Any] = {
    "customer_id": "4711",
    "customer_name": "Björk Måleri AB",
    "payer_accounts": ("SE 12",),
    "due_on": NOV_20,
}
OTHER: dict[str, Any] = {
    "customer_id": "4712",
    "customer_name": "Dahl AS",
    "payer_accounts": ("SE34",),
    "due_on": NOV_20,
}


def reason(decision: Match) -> UnmatchedReason | None:
    return decision.reason


def test_options_of_rules_are_those_of_the_feed_file() -> None:
    assert list(OPTIONS) == list(RULES)
    for name, options in OPTIONS.items():
        made = RULES[name](**options().model_dump())
        assert (made.name, made.version >= 1) == (name, True)
    assert set(RULES) - set(DEFAULT_RULES) == {"tolerance", "overpayment"}


class TestReference:
    def test_reference_in_free_text_with_a_customer_number_in_either_order(self) -> None:
        for candidates in (("4711", "100234"), ("100234", "4711"), ("F100234", "4711"), ("100234/4711",)):
            pay = payment("50.00", payer_account=None)
            found = one(replaced(pay, *candidates), invoice("A", "100234", "50.00", **CUSTOMER))
            assert (found.rule, settled(found)[0][0]) == ("reference", "A"), candidates

    def test_text_is_read_only_where_the_feed_says_so(self) -> None:
        narrow = Rules(chosen=(reference.rule(),), widths=("given", "variants"))
        pay = replaced(payment("50.00"), "100234")
        assert reason(one(pay, invoice("A", "100234", "50.00"), chosen=narrow)) is UnmatchedReason.UNKNOWN_REFERENCE
        strict = Rules(chosen=(reference.rule(),), widths=("given",))
        assert not one(payment("50.00", "0100234"), invoice("A", "100234", "50.00"), chosen=strict).matched

    def test_text_that_says_otherwise_than_the_reference_is_no_guess(self) -> None:
        pay = replaced(payment("50.00", "100234"), "100235")
        found = one(pay, invoice("A", "100234", "80.00"), invoice("B", "100235", "50.00"))
        assert (found.reason, len(found.rivals)) == (UnmatchedReason.AMBIGUOUS, 2)

    def test_payer_tells_which_of_two_with_one_reference_is_meant(self) -> None:
        both = [invoice("A", "100234", "50.00", **CUSTOMER), invoice("B", "100234", "50.00", **OTHER)]
        assert settled(one(payment("50.00", "100234", payer_account="SE34"), *both))[0][0] == "B"
        assert settled(one(payment("50.00", "100234", payer_name="BJOERK MALERI AB"), *both))[0][0] == "A"
        tie = one(payment("50.00", "100234"), *both)
        assert (tie.reason, [r.invoice_ids for r in tie.rivals]) == (UnmatchedReason.AMBIGUOUS, [("A",), ("B",)])

    def test_another_customers_invoice_is_not_paid_from_a_known_account(self) -> None:
        items = [invoice("A", "100234", "50.00", **CUSTOMER), invoice("B", "100235", "50.00", **OTHER)]
        found = one(payment("50.00", "100235", payer_account="se12"), *items)
        assert (found.reason, found.rivals[0].invoice_ids) == (UnmatchedReason.AMBIGUOUS, ("B",))


def replaced(pay: Payment, *candidates: str) -> Payment:
    return replace(pay, references=pay.references + text(*candidates))


class TestSeveralReferences:
    def test_all_in_full_and_a_credit_note_off(self) -> None:
        items = [invoice("A", "1001", "100.00"), invoice("B", "1002", "50.00"), invoice("C", "1003", "-30.00")]
        found = one(payment("120.00", "1001", "1002", "1003"), *items)
        assert [(i, a) for i, a, _ in settled(found)] == [
            ("A", Decimal("100.00")),
            ("B", Decimal("50.00")),
            ("C", Decimal("-30.00")),
        ]

    def test_given_parts_are_obeyed(self) -> None:
        items = [invoice("A", "1", "100.00"), invoice("B", "2", "90.00", **CUSTOMER), invoice("C", "3", "-50.00")]
        pay = payment("130.00", ("1", "100.00"), ("2", "80.00"), ("3", "-50.00"))
        assert not one(pay, *items).matched  # nothing shows that a part of B is meant
        found = one(replace(pay, payer_account="SE12"), *items)
        assert [r for _, _, r in settled(found)] == [Decimal("0.00"), Decimal("10.00"), Decimal("0.00")]
        wrong = one(payment("130.00", ("1", "101.00"), ("2", "79.00"), ("3", "-50.00")), *items)
        assert wrong.reason is UnmatchedReason.AMOUNT_MISMATCH

    def test_only_set_of_those_named_in_text(self) -> None:
        items = [invoice(n, f"100{n}", a) for n, a in (("1", "10.00"), ("2", "20.00"), ("3", "35.00"))]
        found = one(replaced(payment("30.00"), "1001", "1002", "1003"), *items)
        assert [i for i, _, _ in settled(found)] == ["1", "2"]
        items[2] = invoice("3", "1003", "20.00")
        tie = one(replaced(payment("30.00"), "1001", "1002", "1003"), *items)
        assert (tie.reason, len(tie.rivals)) == (UnmatchedReason.AMBIGUOUS, 2)

    def test_one_that_is_the_amount_and_others_that_give_it_are_a_tie(self) -> None:
        items = [invoice(n, f"100{n}", a) for n, a in (("1", "100.00"), ("2", "60.00"), ("3", "40.00"))]
        found = one(replaced(payment("100.00"), "1001", "1002", "1003"), *items)
        assert (found.reason, found.rivals[0].invoice_ids) == (UnmatchedReason.AMBIGUOUS, ("2", "3"))

    def test_sets_of_different_customers_are_left_to_a_person(self) -> None:
        items = [invoice("A", "1001", "10.00", **CUSTOMER), invoice("B", "1002", "20.00", **OTHER)]
        assert one(replaced(payment("30.00"), "1001", "1002"), *items).reason is UnmatchedReason.AMBIGUOUS
        assert one(payment("30.00", "1001", "1002"), *items).matched
        assert one(payment("30.00", "1001", "1002", payer_account="SE12"), *items).reason is UnmatchedReason.AMBIGUOUS


class TestDiscount:
    terms: ClassVar[dict[str, Any]] = {"discount": Decimal("2.00"), "discount_until": NOV_20}

    @pytest.mark.parametrize(
        ("amount", "days", "grace", "fits"),
        [("98.00", 0, 0, True), ("98.00", 1, 0, False), ("98.00", 1, 2, True), ("97.99", 0, 0, False)],
    )
    def test_in_time_only(self, amount: str, days: int, grace: int, fits: bool) -> None:
        chosen = Rules(chosen=(reference.rule(), discount.rule(grace_days=grace)))
        pay = payment(amount, "1001", booking_date=NOV_20 + timedelta(days=days))
        found = one(pay, invoice("A", "1001", "100.00", **self.terms), chosen=chosen)
        assert found.matched is fits
        if fits:
            (part,) = found.allocations
            assert (part.amount, part.written_off, part.residual) == (Decimal(amount), Decimal(2), Decimal(0))

    def test_of_several_and_never_twice(self) -> None:
        items = [invoice("A", "1001", "100.00", **self.terms), invoice("B", "1002", "50.00")]
        chosen = rules("reference", "several_references", "discount")
        assert one(payment("148.00", "1001", "1002"), *items, chosen=chosen).rule == "discount"
        two = [invoice("A", "1001", "100.00", **CUSTOMER, **self.terms), invoice("B", "1002", "50.00", **OTHER)]
        assert not one(replaced(payment("148.00"), "1001", "1002"), *two).matched
        assert not one(replaced(payment("149.50"), "1001", "1002"), *two).matched
        endless = invoice("A", "1001", "100.00", discount=Decimal(2), discount_until=date.max)
        assert one(payment("98.00", "1001"), endless, chosen=Rules(chosen=(discount.rule(grace_days=3),))).matched
        pays = [payment("40.00", "1001", number=1), payment("58.00", "1001", number=2)]
        both = decisions(pays, items, Rules(chosen=(reference.rule(), discount.rule(), partial.rule(unproved=True))))
        assert [both[n].rule for n in ("p01", "p02")] == ["partial", "partial"]


class TestTolerance:
    @pytest.mark.parametrize(
        ("paid", "open_amount", "fits"),
        [
            ("99.00", "100.00", True),
            ("101.00", "100.00", True),
            ("98.99", "100.00", False),
            ("9.40", "10.00", False),  # six percent
            ("9.50", "10.00", True),
            ("-99.50", "-100.00", True),
            ("-0.50", "0.50", False),
        ],
    )
    def test_bounds(self, paid: str, open_amount: str, fits: bool) -> None:
        found = one(payment(paid, "1001"), invoice("A", "1001", open_amount), chosen=rules("reference", "tolerance"))
        assert found.matched is fits
        if fits:
            (part,) = found.allocations
            assert part.amount + part.written_off == Decimal(open_amount)
            assert part.residual == 0

    def test_several_share_one_difference(self) -> None:
        items = [invoice("A", "1001", "100.00"), invoice("B", "1002", "50.00")]
        found = one(payment("149.50", "1001", "1002"), *items)
        assert [(a.invoice_id, a.amount, a.written_off) for a in found.allocations] == [
            ("A", Decimal("99.50"), Decimal("0.50")),
            ("B", Decimal("50.00"), Decimal(0)),
        ]

    def test_budget_of_an_invoice(self) -> None:
        chosen = Rules(chosen=(tolerance.rule(amount=Decimal(1), percent=None, budget=Decimal("0.30")),))
        assert not one(payment("99.60", "1001"), invoice("A", "1001", "100.00"), chosen=chosen).matched
        assert one(payment("99.70", "1001"), invoice("A", "1001", "100.00"), chosen=chosen).matched


class TestPartialAndOver:
    @pytest.mark.parametrize(
        ("cells", "listed", "chosen", "fits"),
        [
            ({}, {}, rules("partial"), False),  # nothing shows that the number is no slip
            ({}, {}, Rules(chosen=(partial.rule(unproved=True),)), True),
            ({"payer_account": "SE12"}, CUSTOMER, rules("partial"), True),
            ({"payer_name": "Bjoerk Maaleri AB"}, CUSTOMER, rules("partial"), True),
            ({"payer_account": "SE34"}, CUSTOMER, rules("partial"), False),
        ],
    )
    def test_part_of_an_invoice_that_is_named_beyond_doubt(
        self, cells: dict[str, Any], listed: dict[str, Any], chosen: Rules, fits: bool
    ) -> None:
        found = one(payment("40.00", "100234", **cells), invoice("A", "100234", "100.00", **listed), chosen=chosen)
        assert found.matched is fits
        if fits:
            assert settled(found) == [("A", Decimal("40.00"), Decimal("60.00"))]

    def test_check_digits_that_the_feed_declares_prove_a_reference(self) -> None:
        chosen = Rules(chosen=(partial.rule(),), check_digits=frozenset({"luhn"}))
        assert one(payment("40.00", "12345674"), invoice("A", "12345674", "100.00"), chosen=chosen).matched
        assert not one(payment("40.00", "12345675"), invoice("A", "12345675", "100.00"), chosen=chosen).matched
        assert one(payment("40.00", "12345674"), invoice("A", "1234567", "100.00"), chosen=chosen).matched
        assert not one(payment("40.00", "1234567"), invoice("A", "12345674", "100.00"), chosen=chosen).matched
        assert not one(payment("40.00", "12345674"), invoice("A", "1234567", "100.00"), chosen=rules("partial")).matched
        by_chance = invoice("A", "91593483", "100.00")  # a length digit and Luhn, one number of a hundred
        assert not one(payment("40.00", "91593483"), by_chance, chosen=rules("partial")).matched
        belgian = invoice("A", "0909337554", "100.00")
        assert one(payment("40.00", "+++090/9337/55493+++"), belgian, chosen=rules("partial")).matched
        own = invoice("A", "4711", "100.00", customer_id="4711")
        assert not one(payment("40.00", "4711"), own, chosen=rules("partial")).matched
        assert one(payment("40.00", "RF18539007547034"), invoice("A", "RF18539007547034", "9e2"), chosen=chosen).matched

    def test_a_name_that_two_customers_have_proves_nothing(self) -> None:
        twin = invoice("B", "100999", "1.00", customer_id="9", customer_name="Bjork Maleri AB")
        pay = payment("40.00", "100234", payer_name="Björk Måleri AB")
        assert not one(pay, invoice("A", "100234", "100.00", **CUSTOMER), twin, chosen=rules("partial")).matched

    def test_overpayment_leaves_a_credit(self) -> None:
        found = one(payment("120.00", "100234", payer_account="SE12"), invoice("A", "100234", "100.00", **CUSTOMER))
        assert (found.rule, found.unapplied) == ("overpayment", Decimal("20.00"))
        doubt = Rules(chosen=(overpayment.rule(),))
        assert not one(payment("120.00", "100234"), invoice("A", "100234", "100.00"), chosen=doubt).matched
        items = [invoice("A", "1001", "100.00", **CUSTOMER), invoice("B", "1002", "50.00", **CUSTOMER)]
        both = one(payment("160.00", "1001", "1002", payer_account="SE12"), *items)
        assert (both.unapplied, len(both.allocations)) == (Decimal("10.00"), 2)


class TestPayer:
    def test_only_invoice_of_the_amount_near_its_day(self) -> None:
        near = Rules(chosen=(payer_and_amount.rule(days=30),))
        item = invoice("A", "100234", "50.00", **CUSTOMER)
        assert one(payment("50.00", payer_account="SE12"), item, chosen=near).matched
        late = payment("50.00", payer_account="SE12", booking_date=NOV_20 + timedelta(days=31))
        assert reason(one(late, item, chosen=near)) is UnmatchedReason.NO_REFERENCE
        tie = one(
            payment("50.00", payer_account="SE12"), item, invoice("B", "100235", "50.00", **CUSTOMER), chosen=near
        )
        assert (tie.reason, len(tie.rivals)) == (UnmatchedReason.AMBIGUOUS, 2)
        assert not one(payment("50.00", payer_account="DE9"), item, chosen=near).matched
        far = invoice("B", "100235", "50.00", **CUSTOMER | {"due_on": None})
        assert one(payment("50.00", payer_account="SE12"), item, far, chosen=near).reason is UnmatchedReason.AMBIGUOUS
        shared = invoice("C", "100236", "1.00", customer_id="9", payer_accounts=("SE12",))
        assert not one(payment("50.00", payer_account="SE12"), item, shared, chosen=near).matched

    def test_account_tells_the_payer_where_the_list_has_no_customers(self) -> None:
        item = invoice("A", "100234", "50.00", payer_accounts=("SE 12",), due_on=NOV_20)
        assert one(payment("50.00", payer_account="SE12"), item).rule == "payer_and_amount"

    def test_reference_with_one_slip(self) -> None:
        item = invoice("A", "100234", "50.00", **CUSTOMER)
        for slip in ("100235", "10234", "1009234", "102034"):
            assert one(payment("50.00", slip, payer_account="SE12"), item).rule == "payer_and_amount", slip
        assert reason(one(payment("50.00", "999999", payer_account="SE12"), item)) is UnmatchedReason.UNKNOWN_REFERENCE

    @pytest.mark.parametrize(
        ("a", "b", "slip"),
        [
            ("12", "12", False),
            ("12", "13", True),
            ("12", "21", True),
            ("123", "12", True),
            ("123", "31", False),
            ("", "1", False),
            ("1234", "1243", True),
            ("1234", "2143", False),
            ("123", "12345", False),
        ],
    )
    def test_slips(self, a: str, b: str, slip: bool) -> None:
        assert one_slip(a, b) is slip
        assert one_slip(b, a) is slip

    def test_only_set_of_the_payers_invoices(self) -> None:
        items = [invoice(n, f"90000{n}", a, **CUSTOMER) for n, a in (("1", "10.00"), ("2", "20.00"), ("3", "35.00"))]
        items.append(invoice("4", "900004", "-5.00", **CUSTOMER))
        found = one(payment("30.00", payer_account="SE12"), *items)
        assert found.reason is UnmatchedReason.AMBIGUOUS  # 10 + 20, and 35 - 5
        assert [i for i, _, _ in settled(one(payment("25.00", payer_account="SE12"), *items))] == ["1", "2", "4"]
        few = Rules(chosen=(payer_and_sum.rule(most_invoices=3),))
        assert not one(payment("25.00", payer_account="SE12"), *items, chosen=few).matched

    def test_several_payments_of_one_invoice(self) -> None:
        item = invoice("A", "100234", "100.00", **CUSTOMER)
        pays = [payment(a, number=n, payer_account="SE12") for n, a in ((1, "60.00"), (2, "25.00"), (3, "15.00"))]
        found = decisions(pays, [item])
        assert {m.rule for m in found.values()} == {"several_payments"}
        assert settled(found["p03"])[0][2] == Decimal("0.00")
        apart = [pays[0], payment("40.00", number=2, payer_account="SE12", booking_date=NOV_20 + timedelta(days=15))]
        assert not any(m.matched for m in decisions(apart, [item]).values())
        again = [*pays[:2], payment("40.00", number=4, payer_account="SE12", booking_date=NOV_20 + timedelta(days=1))]
        assert [m.matched for m in decisions(again, [item]).values()] == [True, False, True]

    def test_several_payments_of_several_invoices(self) -> None:
        items = [invoice("A", "100234", "70.00", **CUSTOMER), invoice("B", "100235", "30.00", **CUSTOMER)]
        pays = [payment("45.00", number=1, payer_account="SE12"), payment("55.00", number=2, payer_account="SE12")]
        found = decisions(pays, items)
        assert [(i, a) for m in found.values() for i, a, _ in settled(m)] == [
            ("A", Decimal("45.00")),
            ("A", Decimal("25.00")),
            ("B", Decimal("30.00")),
        ]

    def test_payment_that_fits_by_itself_is_not_taken_with_others(self) -> None:
        items = [
            invoice("A", "100234", "100.00", **CUSTOMER),
            invoice("D", "100235", "60.00", **CUSTOMER | {"due_on": None}),
        ]
        pays = [payment("60.00", number=1, payer_account="SE12"), payment("40.00", number=2, payer_account="SE12")]
        found = decisions(pays, items)
        assert [m.matched for m in found.values()] == [False, False]

    def test_two_ways_to_add_up_are_no_guess(self) -> None:
        items = [invoice("A", "100234", "100.00", **CUSTOMER), invoice("B", "100235", "100.00", **CUSTOMER)]
        pays = [payment("60.00", number=1, payer_account="SE12"), payment("40.00", number=2, payer_account="SE12")]
        assert decisions(pays, items)["p02"].reason is UnmatchedReason.AMBIGUOUS


class TestOtherCurrency:
    @pytest.mark.parametrize(
        ("amount", "rate", "fits"),
        [("92.00", "0.92", True), ("92.00", "1.0869565", True), ("92.01", "0.92", False), ("92.00", None, False)],
    )
    def test_rate_explains_the_amount_to_the_cent(self, amount: str, rate: str | None, fits: bool) -> None:
        cells: dict[str, Any] = {
            "original_currency": "USD",
            "original_amount": Decimal("100.00"),
            "exchange_rate": None if rate is None else Decimal(rate),
        }
        found = one(payment(amount, "1001", currency="EUR", **cells), invoice("A", "1001", "100.00", "USD"))
        assert found.matched is fits
        if fits:
            (part,) = found.allocations
            assert (part.amount, part.settles, part.residual) == (Decimal(amount), Decimal("100.00"), Decimal("0.00"))
        else:
            assert found.reason is UnmatchedReason.CURRENCY_MISMATCH


class TestSimilarName:
    def test_proposes_and_settles_nothing(self) -> None:
        item = invoice("A", "100234", "50.00", **CUSTOMER)
        found = one(payment("50.00", payer_name="Maleri Bjoerk"), item)
        assert (found.reason, found.rule) == (UnmatchedReason.NO_REFERENCE, "similar_name")
        assert found.rivals[0].invoice_ids == ("A",)
        assert one(payment("50.00", payer_name="Nobody Else"), item).rivals == ()


def test_only_what_a_feed_chooses_decides() -> None:
    item: Invoice = invoice("A", "100234", "50.00", **CUSTOMER)
    only = Rules(chosen=(several_payments.rule(), several_references.rule()))
    assert one(payment("50.00", "100234"), item, chosen=only).reason is UnmatchedReason.AMOUNT_MISMATCH
    assert one(payment("50.00", "100234"), item, chosen=ALL).rule == "reference"
