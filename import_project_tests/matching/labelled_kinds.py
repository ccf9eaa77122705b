"""The cases of `labelled`: each draws its invoices, its payments and their truth."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from hashlib import sha256
from itertools import combinations, pairwise
from typing import Any

from import_project.records.payments import Invoice, Payment, Reference
from import_project_tests.matching import labelled as base
from import_project_tests.matching.labelled import SERIES, TOLERANCE, Customer, Maker, Truth, body, fits, luhn, mod11

CENT = Decimal("0.01")
UNSURE: dict[str, Any] = {"currency": "SEK", "series": ("plain", "inv", "slash", "dash", "year"), "checked": False}
DIGITS = ("plain", "year", "luhn", "length", "kid10", "viite")
ONE = "{f}|Faktura {f}|Fakt.nr {f} tack|Faktnr: {f}|Betalning {f} {d}|Rechnung {f} vom {d}|Lasku {f}|Re.{f}|inv {f} {n}"
TWO = "KUNDNR {k} FAKTURA {f}|Faktnr {f}, kundnr {k}|{k} {f}|{f}+{k}|Kd-Nr. {k} Re-Nr. {f}|{f} kund {k} {d}"
TIGHT = "{f}/{k}|{k}/{f}|F-{f} kund {k}|K{k} f{f}|Faktura{f} kundnr:{k}"
MANY = (
    ("Fakt ", ", ", " och "),
    ("", " ", " "),
    ("Rechnungen ", ", ", " u. "),
    ("Laskut ", "; ", " ja "),
    ("", "+", "+"),
)


def ref(text: str, source: str = "reference", amount: Decimal | None = None) -> Reference:
    """A reference."""
    return Reference(text=text, source=source, amount=amount)


class Cases(Maker):
    """Makes the parts that cases are put together from."""

    def invoice(self, amount: Decimal, customer: Customer, **fields: Any) -> Invoice:
        """An open invoice, due about `when`, the day of its payment."""
        when = fields.pop("when", None) or self.when()
        series, checked = fields.pop("series", SERIES), fields.pop("checked", None)
        due = when - timedelta(self.rng.randint(-20, 40))
        given = {"reference": None, "currency": self.rng.choice(("SEK",) * 7 + ("EUR", "NOK")), "due_on": due, **fields}
        given["reference"] = self.number(series, checked=checked) if given["reference"] is None else given["reference"]
        who = {"customer_id": customer.number, "customer_name": customer.name, "payer_accounts": customer.accounts}
        name = f"{self.rng.getrandbits(48):012x}"
        self.invoices.append(Invoice(invoice_id=name, open_amount=amount, **{**who, **given}))
        self.day[name] = when
        return self.invoices[-1]

    def bills(self, customer: Customer, amounts: Iterable[Decimal], **fields: Any) -> list[Invoice]:
        """Invoices in one currency, about one day."""
        fields = {"when": self.when(), "currency": self.rng.choice(("SEK", "SEK", "EUR")), **fields}
        return [self.invoice(x, customer, **fields) for x in amounts]

    def pool(self, amounts: Iterable[Decimal], **fields: Any) -> list[Invoice]:
        """All invoices of a new customer, each due within 30 days of the payment."""
        customer, made = self.customer(known=True), list[Invoice]()
        fields = {"when": self.when(), "currency": self.rng.choice(("SEK", "SEK", "EUR")), **fields}
        for amount in amounts:
            due = fields["when"] - timedelta(self.rng.randint(-20, 25))
            made.append(self.invoice(amount, customer, **{"due_on": due, **fields}))
        return made

    def stranger(self) -> dict[str, Any]:
        """A payer who is nobody's customer."""
        return {"payer_name": self.printed(self.name()), "payer_account": self.rng.choice((None, self.account()))}

    def payer(self, invoice: Invoice) -> dict[str, Any]:
        """The customer as the bank names it."""
        accounts = invoice.payer_accounts or (None, self.account())
        return {"payer_name": self.printed(invoice.customer_name or ""), "payer_account": self.rng.choice(accounts)}

    def printed(self, name: str) -> str:
        """The name as a bank writes it."""
        name = name.translate(base.UMLAUTS) if self.rng.random() < 0.3 else name
        return (name.upper() if self.rng.random() < 0.4 else name)[: self.rng.choice((35, 70))]

    def case(self, kind: str, *bills: Invoice, **fields: Any) -> Payment:
        """A payment of the bills by their customer with a reference to each, unless fields say otherwise.

        `settles` None says that nothing may be matched; `hard` that it need not be.
        """
        refs = [ref(x.reference, "extra_reference" if i else "reference") for i, x in enumerate(bills)]
        settles = fields.pop("settles", {x.invoice_id: x.open_amount for x in bills})
        automatic = not fields.pop("hard", False) and settles is not None
        digest, end = (f"{self.rng.getrandbits(64):016x}" for _ in range(2))
        made = Payment(
            **{
                "payment_id": sha256(f"{digest} {len(self.payments)}".encode()).hexdigest(),
                "row_number": 0,
                "account": self.rng.choice(self.ours),
                "currency": bills[0].currency,
                "amount": sum(x.open_amount for x in bills),
                "booking_date": self.day.get(bills[0].invoice_id, self.start),
                "references": tuple(refs),
                "end_to_end_id": self.rng.choice((None, end)),
                "bank_reference": self.rng.choice((None, digest.upper())),
                **self.payer(bills[0]),
                **fields,
            }
        )
        self.payments.append(made)
        self.truth[made.payment_id] = Truth(kind=kind, settles=settles, automatic=automatic)
        return made

    def one(self, kind: str, amount: Decimal, paid: Decimal | None = None, **fields: Any) -> Invoice:
        """A bill of the amount, and its payment; what `keeps` says is a credit of the payer."""
        bill = self.invoice(amount, self.shared(known=fields.pop("known", False)), **fields.pop("bill", {}))
        paid, keeps = amount if paid is None else paid, fields.pop("keeps", Decimal(0))
        settles = None if fields.pop("never", False) else {bill.invoice_id: paid - keeps}
        payer = self.stranger() if fields.pop("stranger", False) else {}
        self.case(kind, bill, amount=paid, settles=settles, **payer, **fields)
        return bill

    def safe(self, refs: Sequence[Reference], listed: Sequence[str] = ()) -> bool:
        """Whether the references name all that is listed and nothing else; nor will they name a later invoice."""
        seen = {x for r in refs for x in base.readings(r.text)}
        found = {self.owner[x] for x in seen if x in self.owner}
        if safe := found == set(listed) and not any(x in self.parts for x in seen):
            self.blocked |= {x for x in seen if x not in self.owner}
        return safe

    def text(self, shape: str, bills: Sequence[Invoice]) -> tuple[Reference, ...]:
        """What the reader finds in a remittance text."""
        r, (head, sep, last) = self.rng, self.rng.choice(MANY)
        while True:
            numbers = [x.reference for x in bills]
            joined = last.join([sep.join(numbers[:-1]), numbers[-1]]) if len(bills) > 1 else numbers[0]
            paid = (self.start - timedelta(r.randint(0, 40))).strftime(r.choice(("%Y-%m-%d", "%Y%m%d", "%d.%m.%Y")))
            said = head * (len(bills) > 1) + r.choice(shape.split("|")).format(
                f=joined, d=paid, k=bills[0].customer_id, n=bills[0].customer_name
            )
            refs = tuple(ref(x, "free_text") for x in dict.fromkeys(base.CANDIDATE.findall(said)))
            if self.safe(refs, numbers):
                return refs

    def noise(self) -> tuple[Reference, ...]:
        """Mostly no reference, sometimes a date."""
        day = f"{self.start - timedelta(self.rng.randint(0, 40))}"
        refs = (ref(day, "free_text"),)
        return refs if self.rng.random() < 0.1 and self.safe(refs) else ()

    def unknown(self, text: str, near: Sequence[str] = ()) -> bool:
        """Whether a reference means nothing, and is nearly right for none but those near. It stays so."""
        n = base.core(text)
        around = base.neighbours(n) | {n[:-1], n[:-2]}
        seen = base.readings(text) | base.names(n or "0")
        free = len(n) > 4 and not any(x in y for x in seen for y in (self.owner, self.parts, self.blocked))
        if free := free and {self.owner[x] for x in around if x in self.owner} == set(near):
            self.blocked |= {x for x in (*seen, *around) if x not in self.owner}
        return free

    def mistyped(self, reference: str) -> str:
        """The reference with one wrong digit, or two neighbours swapped."""
        places = [i for i, c in enumerate(reference) if c.isdigit() and i and reference[i - 1].isdigit()]
        i, new = self.rng.choice(places), list(reference)
        if self.rng.random() < 0.4:
            new[i - 1 : i + 1] = reversed(new[i - 1 : i + 1])
        else:
            new[i] = self.rng.choice("0123456789".replace(new[i], ""))
        return "".join(new)


Case = Callable[[Cases, str], object]


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
    rf = base.mod97("RF", base.viite(n))
    return r.choice((base.viite(n), base.viite(n).zfill(20), rf, " ".join(rf[i : i + 4] for i in range(0, len(rf), 4))))


def part(m: Cases, amount: Decimal) -> Decimal:
    """A fifth to four fifths of the amount, but not half."""
    share = Decimal(m.rng.choice((m.rng.randint(20, 46), m.rng.randint(54, 80)))) / 100
    return (amount * share).quantize(CENT)


def slight(m: Cases, low: int, high: int) -> Decimal:
    """Some cents more or less."""
    return Decimal(m.rng.choice((-1, 1)) * m.rng.randint(low, high)).scaleb(-2)


def named(m: Cases, kind: str, count: int, shape: str, **fields: Any) -> None:
    """Bills paid in full, named in free text."""
    bills = m.bills(m.shared(), [m.amount() for _ in range(count)], **fields)
    m.case(kind, *bills, references=m.text(shape, bills))


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


def no_rate(m: Cases, kind: str) -> None:
    """Another currency, and nothing says at which rate."""
    amount, currency = m.amount(often=False), m.rng.choice(("EUR", "NOK", "USD"))
    paid = m.rng.choice((amount, (amount * 11).quantize(CENT)))
    told = m.rng.choice(({}, {"original_currency": currency}))
    m.one(kind, amount, paid, never=True, bill={"currency": currency}, currency="SEK", **told)


def blank_reference(m: Cases, kind: str) -> None:
    """Nothing in the reference field, and sometimes nothing in the bill's."""
    refs = (ref(m.rng.choice(("", "   "))),)
    bill = {"reference": m.rng.choice(("", "  ", None))}
    m.one(kind, m.amount(), never=True, stranger=True, references=refs, bill=bill)


def pooled(m: Cases, k: int, least: int = 0) -> list[Decimal]:
    """Amounts of which the first k, and no others, make up their sum; sometimes with a credit note among the others."""
    while True:
        some = [m.amount(3.5) for _ in range(m.rng.randint(k + least, 7))]
        some += [-m.amount(3.5)] * (m.rng.random() < 0.25)
        if fits(some, sum(some[:k], Decimal(0))) == [tuple(range(k))]:
            return some


def of_payer(m: Cases, kind: str, k: int = 1, **fields: Any) -> None:
    """No reference; the amount of k bills of a known payer, and of no other choice."""
    m.case(kind, *m.pool(pooled(m, k))[:k], references=m.noise(), **fields)


def old_amount_of_payer(m: Cases, kind: str) -> None:
    """The same long after, or before, it was due."""
    when = m.when()
    bills = m.pool(pooled(m, 1), when=when, due_on=when - timedelta(m.rng.choice((1, 1, -1)) * m.rng.randint(121, 300)))
    m.case(kind, bills[0], references=m.noise(), hard=True)


def tie(m: Cases, kind: str) -> None:
    """Two bills of the amount."""
    some = pooled(m, 1)
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
        some = [m.amount(5), *pooled(m, 1)[1:]]
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


def wrong_digit(m: Cases, kind: str) -> None:
    """Nearly the reference of the one bill of that amount."""
    bills = m.pool(pooled(m, 1), series=[x for x in SERIES if x != "rf"])
    while not m.unknown(text := m.mistyped(bills[0].reference), [bills[0].reference]):
        pass
    m.case(kind, bills[0], references=(ref(text),))


def wrong_digit_hits(m: Cases, kind: str) -> None:
    """A wrong digit that makes it another customer's bill, of another amount."""
    while True:
        right = m.number(("plain",))
        if m.claim(other := m.mistyped(right), other):
            break
    bill = m.invoice(m.amount(4), m.shared(), reference=right, currency="SEK")
    m.invoice(bill.open_amount + m.amount(4), m.shared(), reference=other, currency="SEK", when=m.day[bill.invoice_id])
    m.case(kind, bill, references=(ref(other),), settles=None)


def other_customers_reference(m: Cases, kind: str) -> None:
    """A customer names another's bill, and has one of the same amount."""
    mine = m.pool(pooled(m, 1))[0]
    fields = {"when": m.day[mine.invoice_id], "currency": mine.currency}
    other = m.invoice(mine.open_amount, m.shared(), **fields)
    m.case(kind, mine, references=(ref(other.reference),), settles=None)


def strange_reference(m: Cases, kind: str) -> None:
    """A reference that exists nowhere, from nobody we know."""
    while not m.unknown(text := m.draw(m.rng.choice(SERIES))[0]):
        pass
    bill = Invoice(invoice_id="", reference="", currency="SEK", open_amount=m.amount())
    refs = (ref(text, m.rng.choice(("reference", "free_text"))),)
    m.case(kind, bill, references=refs, settles=None, booking_date=m.when(), **m.stranger())


def partial(m: Cases, kind: str) -> None:
    """A part, by a known payer or with a check digit, and sometimes the rest later."""
    sure = {"series": ("luhn", "length", "viite", "rf")} if m.rng.random() < 0.5 else {}
    bill = m.invoice(m.amount(4.3), m.shared(known=not sure), **sure)
    paid = part(m, bill.open_amount)
    first = m.case(kind, bill, amount=paid, settles={bill.invoice_id: paid})
    if m.rng.random() < 0.85:
        later, rest = first.booking_date + timedelta(m.rng.randint(1, 30)), bill.open_amount - paid
        m.case("partial_rest", bill, amount=rest, settles={bill.invoice_id: rest}, booking_date=later)


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


KINDS: dict[str, Case] = {
    "exact": spelled(SERIES, lambda _, n: n),
    "blanks_or_case": spelled(("inv", "slash", "dash", "rf", "viite", "luhn"), blanks),
    "leading_zeros": spelled(
        ("plain", "zeros", "luhn"), lambda r, n: r.choice(("0" * r.randint(1, 9) + n, n.lstrip("0")))
    ),
    "separators": spelled(("inv", "slash", "dash", "year"), separators),
    "letter_o": spelled([x for x in SERIES if x != "rf"], letter_o),
    "ocr": spelled(("plain", "year"), lambda _, n: luhn(n)),
    "ocr_length": spelled(("plain", "year"), lambda _, n: base.length_luhn(n)),
    "kid": spelled(("plain", "year"), lambda r, n: r.choice((luhn, mod11))(n)),
    "finnish": spelled(("plain", "year"), finnish),
    "iso_11649": spelled(("plain", "year", "rf"), lambda _, n: body(n) if n[0] == "R" else base.mod97("RF", n)),
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
} | {"other_customers_reference"}
FREQUENT = {"exact", "free_text", "with_customer_number", "ocr", "ocr_length", "kid"}
