"""The table of kinds, by name: each draws its invoices and payments, and says what is true of them.

Short kinds are written out here; which kinds stand alone, and which come often, too.
"""

from dataclasses import replace
from decimal import Decimal

from import_project_tests.matching.labelled_amounts import (
    UNSURE,
    ambiguous_sum,
    converted,
    discount,
    duplicate,
    net_of_credit_note,
    no_rate,
    of_payer,
    old_amount_of_payer,
    overpaid,
    part,
    part_amounts,
    partial,
    reversal,
    slight,
    tie,
    together,
)
from import_project_tests.matching.labelled_maker import SERIES
from import_project_tests.matching.labelled_numbers import body, length_luhn, luhn, mod11, mod97
from import_project_tests.matching.labelled_references import (
    DIGITS,
    ONE,
    TIGHT,
    TWO,
    Case,
    blank_reference,
    blanks,
    finnish,
    letter_o,
    named,
    other_customers_reference,
    separators,
    spelled,
    strange_reference,
    wrong_digit,
    wrong_digit_hits,
)

KINDS: dict[str, Case] = {
    "exact": spelled(SERIES, lambda _, n: n),
    "blanks_or_case": spelled(("inv", "slash", "dash", "rf", "viite", "luhn"), blanks),
    "leading_zeros": spelled(
        ("plain", "zeros", "luhn"), lambda r, n: r.choice(("0" * r.randint(1, 9) + n, n.lstrip("0")))
    ),
    "separators": spelled(("inv", "slash", "dash", "year"), separators),
    "letter_o": spelled([x for x in SERIES if x != "rf"], letter_o),
    "ocr": spelled(("plain", "year"), lambda _, n: luhn(n)),
    "ocr_length": spelled(("plain", "year"), lambda _, n: length_luhn(n)),
    "kid": spelled(("plain", "year"), lambda r, n: r.choice((luhn, mod11))(n)),
    "finnish": spelled(("plain", "year"), finnish),
    "iso_11649": spelled(("plain", "year", "rf"), lambda _, n: body(n) if n[0] == "R" else mod97("RF", n)),
    "free_text": lambda m, k: named(m, k, 1, ONE),
    "with_customer_number": lambda m, k: named(m, k, 1, TWO),
    "with_customer_number_tight": lambda m, k: named(m, k, 1, TIGHT, series=DIGITS),
    "several_in_text": lambda m, k: named(m, k, m.rng.randint(2, 5), "{f}|{f}|{f} kund {k}"),
    "several_structured": lambda m, k: m.case(
        k, *m.bills(m.shared(), [m.amount() for _ in range(m.rng.randint(2, 5))])
    ),
    "part_amounts": part_amounts,
    "net_of_credit_note": net_of_credit_note,
    "deduction": lambda m, k: m.one(k, -m.amount()),
    "tolerance": lambda m, k: m.one(k, x := m.amount(4), x + slight(m, 1, 100), bill={"currency": "SEK"}),
    "beyond_tolerance": lambda m, k: m.one(
        k,
        x := m.amount(4.3),
        x + m.rng.choice((slight(m, 101, 900), m.amount(2.5))),
        never=True,
        stranger=True,
        bill=UNSURE,
    ),
    "discount": discount,
    "late_discount": discount,
    "partial": partial,
    "partial_stranger": lambda m, k: m.one(k, x := m.amount(4.3), part(m, x), hard=True, stranger=True, bill=UNSURE),
    "overpaid": overpaid,
    "duplicate": duplicate,
    "strange_reference": strange_reference,
    "amount_only": lambda m, k: m.one(k, m.amount(), never=True, stranger=True, references=m.noise()),
    "tie": tie,
    "amount_of_payer": of_payer,
    "old_amount_of_payer": old_amount_of_payer,
    "sum_of_payer": lambda m, k: of_payer(m, k, m.rng.randint(2, 5)),
    "ambiguous_sum": ambiguous_sum,
    "together": together,
    "wrong_digit": wrong_digit,
    "wrong_digit_hits": wrong_digit_hits,
    "other_customers_reference": other_customers_reference,
    "converted": converted,
    "no_rate": no_rate,
    "reversal": reversal,
    "unknown_reversal": lambda m, k: m.one(k, x := m.amount(often=False), -x, never=True, reversal=True),
    "not_booked": lambda m, k: m.one(k, m.amount(often=False), never=True, booked=False),
    "zero": lambda m, k: m.one(k, m.amount(often=False), Decimal("0.00"), never=True),
    "closed": lambda m, k: m.one(k, m.amount(often=False), never=True, bill={"closed": True}),
    "blank_reference": blank_reference,
    "listed_twice_differently": lambda m, k: m.invoices.append(
        replace(x := m.one(k, m.amount(often=False), never=True), open_amount=x.open_amount + m.amount())
    ),
    "listed_twice": lambda m, k: m.invoices.append(m.one(k, m.amount())),
    "huge": lambda m, k: m.one(k, Decimal(m.rng.randrange(10**17, 10**18)).scaleb(-2)),
}
# Kinds whose customers have no other payments, so that no sum can occur by accident.
ALONE = {
    "tie",
    "amount_of_payer",
    "old_amount_of_payer",
    "sum_of_payer",
    "ambiguous_sum",
    "together",
    "wrong_digit",
    "other_customers_reference",
}
FREQUENT = {"exact", "free_text", "with_customer_number", "ocr", "ocr_length", "kid"}
