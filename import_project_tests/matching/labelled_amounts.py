"""Kinds about amounts and payers: parts, sums, discounts, other currencies, payments made twice or taken back.

A kind takes the parts from `Cases`, and draws its invoices, its payments and their truth.
"""

from datetime import timedelta
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from itertools import combinations, pairwise
from typing import Any

from import_project_tests.matching.labelled_cases import Cases, ref
from import_project_tests.matching.labelled_numbers import TOLERANCE, fits

CENT = Decimal("0.01")
UNSURE: dict[str, Any] = {"currency": "SEK", "series": ("plain", "inv", "slash", "dash", "year"), "checked": False}


def part(m: Cases, amount: Decimal) -> Decimal:
    """A fifth to four fifths of the amount, but not half."""
    share = Decimal(m.rng.choice((m.rng.randint(20, 46), m.rng.randint(54, 80)))) / 100
    return (amount * share).quantize(CENT)


def slight(m: Cases, low: int, high: int) -> Decimal:
    """Some cents more or less."""
    return Decimal(m.rng.choice((-1, 1)) * m.rng.randint(low, high)).scaleb(-2)


def part_amounts(m: Cases, kind: str) -> None:
    """The payer says how much is for which bill; sometimes a part is left open."""
    bills = m.bills(m.shared(known=True), [m.amount(4) for _ in range(m.rng.randint(2, 4))])
    paid = {x.invoice_id: x.open_amount for x in bills}
    if m.rng.random() < 0.3:
        paid[bills[0].invoice_id] = part(m, bills[0].open_amount)
    refs = tuple(ref(x.reference, "extra_reference", paid[x.invoice_id]) for x in bills)
    m.case(kind, *bills, references=refs, settles=paid, amount=sum(paid.values()))


def net_of_credit_note(m: Cases, kind: str) -> None:
    """A bill less a credit note."""
    amount = m.amount(4)
    bills = m.bills(m.shared(), [amount, -part(m, amount)])
    refs = {"references": m.text("{f}|{f} kredit", bills)} if m.rng.random() < 0.4 else {}
    m.case(kind, *bills, **refs)


def overpaid(m: Cases, kind: str) -> None:
    """A known payer pays too much."""
    amount = m.amount(often=False)
    more = TOLERANCE + m.amount(often=False)
    m.one(kind, amount, amount + more, known=True, keeps=more)


def partial(m: Cases, kind: str) -> None:
    """A part, by a known payer or with a check digit, and sometimes the rest later."""
    sure = {"series": ("luhn", "length", "viite", "rf")} if m.rng.random() < 0.5 else {}
    bill = m.invoice(m.amount(4.3), m.shared(known=not sure), **sure)
    paid = part(m, bill.open_amount)
    first = m.case(kind, bill, amount=paid, settles={bill.invoice_id: paid})
    if m.rng.random() < 0.85:
        later, rest = first.booking_date + timedelta(m.rng.randint(1, 30)), bill.open_amount - paid
        m.case("partial_rest", bill, amount=rest, settles={bill.invoice_id: rest}, booking_date=later)


def discount(m: Cases, kind: str) -> None:
    """The discount is taken: in time, or a day late by nobody we know."""
    amount, late, when = m.amount(4.3), kind == "late_discount", m.when()
    less = (amount * m.rng.choice((2, 3)) / 100).quantize(CENT) + TOLERANCE
    until = when + timedelta(-1 if late else m.rng.randint(0, 8))
    terms = {"discount": less, "discount_until": until, "when": when, "due_on": until + timedelta(20)}
    m.one(kind, amount, amount - less, bill={**terms, **(UNSURE if late else {})}, never=late, stranger=late)


def converted(m: Cases, kind: str) -> None:
    """Instructed in the bill's currency, booked in another at the rate given."""
    currency, rate = m.rng.choice((("EUR", "11.2"), ("NOK", "0.96"), ("USD", "10.4"), ("DKK", "1.5")))
    rate_drawn, amount = Decimal(f"{rate}{m.rng.randint(0, 999):03}"), m.amount()
    booked = (amount * rate_drawn).quantize(CENT, ROUND_HALF_UP)
    if booked != (amount * rate_drawn).quantize(CENT, ROUND_HALF_EVEN):
        return
    told = {"original_currency": currency, "original_amount": amount, "exchange_rate": rate_drawn}
    m.one(kind, amount, booked, bill={"currency": currency}, currency="SEK", **told)


def no_rate(m: Cases, kind: str) -> None:
    """Another currency, and nothing says at which rate."""
    amount, currency = m.amount(often=False), m.rng.choice(("EUR", "NOK", "USD"))
    paid = m.rng.choice((amount, (amount * 11).quantize(CENT)))
    told = m.rng.choice(({}, {"original_currency": currency}))
    m.one(kind, amount, paid, never=True, bill={"currency": currency}, currency="SEK", **told)


def of_payer(m: Cases, kind: str, k: int = 1, **fields: Any) -> None:
    """No reference; the amount of k bills of a known payer, and of no other choice."""
    m.case(kind, *m.pool(m.pooled(k))[:k], references=m.noise(), **fields)


def old_amount_of_payer(m: Cases, kind: str) -> None:
    """The same long after, or before, it was due."""
    when = m.when()
    bills = m.pool(m.pooled(1), when=when, due_on=when - timedelta(m.rng.choice((1, 1, -1)) * m.rng.randint(121, 300)))
    m.case(kind, bills[0], references=m.noise(), hard=True)


def tie(m: Cases, kind: str) -> None:
    """Two bills of the amount."""
    some = m.pooled(1)
    m.case(kind, m.pool([some[0], *some])[0], references=m.noise(), settles=None)


def ambiguous_sum(m: Cases, kind: str) -> None:
    """Two choices of bills, none of them a single one, make up the amount."""
    while True:
        a, b, c = (m.amount(4) for _ in range(3))
        some = m.rng.choice(([a, b, c, a + b - c], [a, b, b], [a, b, c, a + b - c - 7, Decimal(7)]))
        hits = fits(some, a + b)
        if min(some) > 1 and len(hits) > 1 and all(len(x) > 1 for x in hits):
            break
    m.case(kind, *m.pool(some)[:2], references=m.noise(), settles=None)


def together(m: Cases, kind: str) -> None:
    """Two or three payments that only together make up one bill."""
    while True:
        some = [m.amount(5), *m.pooled(1)[1:]]
        cuts = sorted({Decimal(0), *(part(m, some[0]) for _ in range(m.rng.randint(1, 2))), some[0]})
        paid = [b - a for a, b in pairwise(cuts)]
        sums = {sum(c, Decimal(0)) for k in range(1, len(paid)) for c in combinations(paid, k)}
        if len(set(paid)) == len(paid) and fits(some, some[0]) == [(0,)] and not any(fits(some, x) for x in sums):
            break
    bill, payer = m.pool(some)[0], None
    for x in paid:
        payer = payer or m.payer(bill)
        day = m.day[bill.invoice_id] + timedelta(m.rng.randint(0, 4))
        m.case(kind, bill, amount=x, references=(), settles={bill.invoice_id: x}, booking_date=day, **payer)


def duplicate(m: Cases, kind: str) -> None:
    """A payment, and the same once more."""
    bill = m.invoice(m.amount(often=False), m.shared())
    first = m.case("duplicated", bill)
    same = {"payer_name": first.payer_name, "payer_account": first.payer_account, "account": first.account}
    if m.rng.random() < 0.5:
        same["end_to_end_id"] = first.end_to_end_id
    m.case(kind, bill, settles=None, booking_date=first.booking_date + timedelta(m.rng.randint(1, 14)), **same)


def reversal(m: Cases, kind: str) -> None:
    """A payment, and the bank takes it back."""
    bill = m.invoice(m.amount(), m.shared())
    first = m.case("reversed", bill, end_to_end_id=f"E{m.rng.getrandbits(60):x}")
    same = {k: getattr(first, k) for k in ("payer_name", "payer_account", "account", "end_to_end_id")}
    day = first.booking_date + timedelta(m.rng.randint(1, 10))
    refs = m.rng.choice((first.references, ()))
    back = {"amount": -first.amount, "settles": {bill.invoice_id: -first.amount}, "booking_date": day}
    m.case(kind, bill, reversal=True, references=refs, **back, **same)
