"""Kinds about how invoices are named: ways to write a reference, free text, and references that mislead.

A kind takes the parts from `Cases`, and draws its invoices, its payments and their truth.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any

from import_project.records.payments import Invoice
from import_project_tests.matching.labelled_cases import Cases, ref
from import_project_tests.matching.labelled_maker import SERIES
from import_project_tests.matching.labelled_numbers import body, mod97, viite

ONE = "{f}|Faktura {f}|Fakt.nr {f} tack|Faktnr: {f}|Betalning {f} {d}|Rechnung {f} vom {d}|Lasku {f}|Re.{f}|inv {f} {n}"
TWO = "KUNDNR {k} FAKTURA {f}|Faktnr {f}, kundnr {k}|{k} {f}|{f}+{k}|Kd-Nr. {k} Re-Nr. {f}|{f} kund {k} {d}"
TIGHT = "{f}/{k}|{k}/{f}|F-{f} kund {k}|K{k} f{f}|Faktura{f} kundnr:{k}"
DIGITS = ("plain", "year", "luhn", "length", "kid10", "viite")
Case = Callable[[Cases, str], object]


_MOST_SLIPS = 200


def spelled(series: Sequence[str], write: Callable[[random.Random, str], str]) -> Case:
    """A payment in full, whose payer writes the reference in another way."""

    def kind(m: Cases, kind: str) -> None:
        reference = written = ""
        while (written == reference and kind != "exact") or not m.safe((ref(written),), [reference]):
            reference = m.number(series)
            written = write(m.rng, reference)
        bill, refs = m.invoice(m.amount(), m.shared(), reference=reference), (ref(written),)
        more = m.text(f"{ONE}|{TWO}", [bill]) if m.rng.random() < 0.15 else ()
        m.case(kind, bill, references=refs + more)

    return kind


def blanks(r: random.Random, n: str) -> str:
    """In groups of digits, or in small letters."""
    size = r.choice((3, 4, 5))
    grouped = " ".join(n[i : i + size] for i in range(0, len(n), size))
    return r.choice((grouped, f"  {n} ", n.lower(), n.replace("-", " "), n.replace("/", " / ").lower()))


def separators(r: random.Random, n: str) -> str:
    """Another prefix and other separators."""
    year, serial, head = body(n)[:4], body(n)[4:], n[0] if n[0].isalpha() else r.choice(("INV", "F", "RE"))
    return r.choice(("{h}-{y}-{s}", "{h}{y}{s}", "{y}{s}", "{y}-{s}", "{y}/{s}", "{h}{y}/{s}", "{h} {y} {s}")).format(
        h=n.partition("-")[0] if n[:2].isalpha() else head, y=year, s=serial
    )


def letter_o(r: random.Random, n: str) -> str:
    """Some noughts as a letter."""
    return "".join(r.choice("0OOo") if c == "0" else c for c in n)


def finnish(r: random.Random, n: str) -> str:
    """With its check digit, plain, padded or as RF."""
    rf = mod97("RF", viite(n))
    return r.choice((viite(n), viite(n).zfill(20), rf, " ".join(rf[i : i + 4] for i in range(0, len(rf), 4))))


def named(m: Cases, kind: str, count: int, shape: str, **fields: Any) -> None:
    """Bills paid in full, named in free text."""
    bills = m.bills(m.shared(), [m.amount() for _ in range(count)], **fields)
    m.case(kind, *bills, references=m.text(shape, bills))


def blank_reference(m: Cases, kind: str) -> None:
    """Nothing in the reference field, and sometimes nothing in the bill's."""
    refs = (ref(m.rng.choice(("", "   "))),)
    bill = {"reference": m.rng.choice(("", "  ", None))}
    m.one(kind, m.amount(), never=True, stranger=True, references=refs, bill=bill)


def strange_reference(m: Cases, kind: str) -> None:
    """A reference that exists nowhere, from nobody we know."""
    while not m.unknown(text := m.draw(m.rng.choice(SERIES))[0]):
        pass
    bill = Invoice(invoice_id="", reference="", currency="SEK", open_amount=m.amount())
    refs = (ref(text, m.rng.choice(("reference", "free_text"))),)
    m.case(kind, bill, references=refs, settles=None, booking_date=m.when(), **m.stranger())


def wrong_digit(m: Cases, kind: str) -> None:
    """Nearly the reference of the one bill of that amount."""
    while True:
        bills = m.pool(m.pooled(1), series=[x for x in SERIES if x != "rf"])
        for _ in range(_MOST_SLIPS):  # all slips of a number may mean something already: then another bill
            text = m.mistyped(bills[0].reference)
            if m.unknown(text, [bills[0].reference]):
                m.case(kind, bills[0], references=(ref(text),))
                return


def wrong_digit_hits(m: Cases, kind: str) -> None:
    """A wrong digit that makes it another customer's bill, of another amount."""
    while True:
        right = m.number(("plain",))
        if m.claim(other := m.mistyped(right), other):
            break
    bill = m.invoice(m.amount(4), m.shared(), reference=right, currency="SEK")
    fields = {"reference": other, "currency": "SEK", "when": m.day[bill.invoice_id]}
    m.invoice(bill.open_amount + m.amount(4), m.shared(other_than=bill.customer_id), **fields)
    m.case(kind, bill, references=(ref(other),), settles=None)


def other_customers_reference(m: Cases, kind: str) -> None:
    """A customer names another's bill, and has one of the same amount."""
    mine = m.pool(m.pooled(1))[0]
    fields = {"when": m.day[mine.invoice_id], "currency": mine.currency}
    other = m.invoice(mine.open_amount, m.shared(other_than=mine.customer_id), **fields)
    m.case(kind, mine, references=(ref(other.reference),), settles=None)
