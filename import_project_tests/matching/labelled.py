"""Labelled bank payments and open invoices, to judge a reconciler by. All is drawn anew from the seed.

`labelled` makes a set, its cases stand in `labelled_kinds`; `contradictions` looks for labels that are not right.
"""

import math
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import combinations
from typing import Any

from import_project.records.payments import Invoice, Payment

TOLERANCE = Decimal("1.00")
CANDIDATE = re.compile(r"\b(?:RF[0-9]{2}[0-9A-Z]{1,21}|(?:[A-Za-z]{1,8}[-/]?)?[0-9][0-9/-]{2,23}[0-9])\b")
SERIES = ("plain", "inv", "slash", "dash", "year", "luhn", "length", "kid10", "kid11", "viite", "rf")
OFTEN = [Decimal(f"{x}.00") for x in (49, 99, 199, 250, 399, 500, 1000, 1250, 2500, 10000)] + [Decimal("149.50")]
FIRST = ("Åsa", "Björn", "Käthe", "Jörg", "Søren", "Mia", "Päivi", "Lars", "Ingrid", "Ole", "Jürgen", "Eeva")
LAST = ("Öberg", "Åkesson", "Müller", "Sjöström", "Sørensen", "Hämäläinen", "Bøe", "Groß", "Virtanen", "Dahl", "Krüger")
TRADE = (
    "Rör & Värme",
    "Bygg",
    "Måleri",
    "Städservice",
    "Großhandel",
    "Metallbau",
    "Sähkö",
    "Fiskeri",
    "Trælast",
    "Åkeri",
)
FORM = ("AB", "Handelsbolag", "GmbH", "GmbH & Co. KG", "Oy", "AS", "A/S", "i Västra Götaland AB", "Norge Eiendom AS")
LONE = {"amount_of_payer", "old_amount_of_payer", "sum_of_payer", "together", "wrong_digit"}
STRANGE = {
    "beyond_tolerance",
    "late_discount",
    "partial_stranger",
    "strange_reference",
    "amount_only",
    "blank_reference",
}
UMLAUTS = str.maketrans(
    dict(zip("åäöøüæÅÄÖØÜßé", ("a", "ae", "oe", "o", "ue", "ae", "A", "AE", "OE", "O", "UE", "ss", "e"), strict=True))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What a payment settles, in its own money; None: nothing may be matched. `automatic` ones count in recall."""

    kind: str
    settles: Mapping[str, Decimal] | None
    automatic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Payments, the open invoices, and the truth by payment_id."""

    payments: tuple[Payment, ...]
    invoices: tuple[Invoice, ...]
    truth: Mapping[str, Truth]


def luhn(n: str) -> str:
    """The number with its Luhn digit, which is KID mod 10 as well."""
    return n + str(-sum(sum(divmod(int(d) * (2 - i % 2), 10)) for i, d in enumerate(reversed(n))) % 10)


def length_luhn(n: str) -> str:
    """With the length of the whole, then Luhn."""
    return luhn(n + str((len(n) + 2) % 10))


def mod11(n: str) -> str:
    """KID mod 11; ten is written as a hyphen."""
    return n + "0123456789-"[-sum(int(d) * (2 + i % 6) for i, d in enumerate(reversed(n))) % 11]


def viite(n: str) -> str:
    """The Finnish reference."""
    return n + str(-sum(int(d) * (7, 3, 1)[i % 3] for i, d in enumerate(reversed(n))) % 10)


def mod97(head: str, body: str) -> str:
    """ISO 11649 and IBAN: two check digits between head and body."""
    letters = "".join(str(int(c, 36)) for c in head)
    return f"{head}{98 - int(body + letters + '00') % 97:02}{body}"


def core(text: str) -> str:
    """The digits alone, without leading zeros."""
    return re.sub(r"\D", "", text).lstrip("0")


def body(text: str) -> str:
    """The digits of a reference, without those that check an RF one."""
    text = text.upper().replace(" ", "")
    return re.sub(r"\D", "", text[4:] if text.startswith("RF") else text)


def names(n: str) -> set[str]:
    """All that may be written for a number."""
    rf = [mod97("RF", x) for x in (n, viite(n))]
    return {core(x) for x in (n, luhn(n), length_luhn(n), mod11(n), viite(n), *rf)}


def checks(text: str) -> bool:
    """Whether the last digit could be a check digit."""
    n = body(text)
    return n in {luhn(n[:-1]), mod11(n[:-1]), viite(n[:-1])}


def readings(text: str) -> set[str]:
    """The numbers that somebody may see in a reference: all its digits, a letter O as zero, each of its pieces."""
    seen = {core(text), core(body(text)), core(re.sub("[oO]", "0", text))}
    seen |= {core(x) for x in re.split(r"\D+", text)}
    return {x for x in seen if len(x) > 3 and x not in {"2023", "2024", "2025", "2026", "2027"}}


def neighbours(n: str) -> set[str]:
    """The numbers one digit or one swap away."""
    near = {n[:i] + d + n[i + 1 :] for i in range(len(n)) for d in "0123456789"}
    return {core(x) for x in near | {n[:i] + n[i + 1] + n[i] + n[i + 2 :] for i in range(len(n) - 1)}} - {n}


def fits(amounts: Sequence[Decimal], total: Decimal, slack: Decimal = TOLERANCE) -> list[tuple[int, ...]]:
    """Every choice of amounts that makes up the total."""
    chosen = (c for k in range(1, len(amounts) + 1) for c in combinations(range(len(amounts)), k))
    return [c for c in chosen if abs(sum(amounts[i] for i in c) - total) <= slack]


@dataclass(frozen=True, slots=True)
class Customer:
    """Who owes."""

    number: str
    name: str
    accounts: tuple[str, ...]


@dataclass(slots=True)
class Maker:
    """Draws customers, numbers, invoices and payments, and sees to it that no number can mean two invoices."""

    rng: random.Random
    start: date
    invoices: list[Invoice] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    truth: dict[str, Truth] = field(default_factory=dict)
    customers: list[Customer] = field(default_factory=list)
    day: dict[str, date] = field(default_factory=dict)
    owner: dict[str, str] = field(default_factory=dict)  # what may be written: the invoice's reference
    parts: set[str] = field(default_factory=set)  # parts of references, which no other reference may be
    blocked: set[str] = field(default_factory=set)  # numbers that stand for no invoice
    used: set[str] = field(default_factory=set)  # names and accounts
    often: float = 0.0
    lengths: tuple[int, ...] = ()
    prefix: str = "INV"
    ours: tuple[str, ...] = ()

    def name(self) -> str:
        """A new name, which differs from every other even when it is cut short."""
        r = self.rng
        while True:
            person = f"{r.choice(FIRST)} {r.choice(LAST)}"
            firm = f"{r.choice((*LAST, person))}{r.choice(('s ', ' ', ' & Söhne '))}{r.choice(TRADE)} {r.choice(FORM)}"
            name = r.choice((person, f"{r.choice(FIRST)} {person}", firm, firm, firm))
            if (key := name.translate(UMLAUTS).upper()[:24]) not in self.used:
                self.used.add(key)
                return name

    def account(self) -> str:
        """A new account number."""
        head, size = self.rng.choice((("SE", 20), ("DE", 18), ("FI", 14), ("NO", 11), ("DK", 14), ("", 11), ("", 8)))
        digits = "".join(self.rng.choices("0123456789", k=size))
        account = mod97(head, digits) if head else digits
        if account in self.used:
            return self.account()
        self.used.add(account)
        return account

    def customer(self, *, known: bool) -> Customer:
        """A new customer, whose number is no invoice's."""
        while (n := str(self.rng.randrange(10 ** (k := self.rng.randint(3, 7)), 10 ** (k + 1)))) in self.blocked or (
            n in self.owner or n in self.parts or not readings(n)
        ):
            pass
        self.blocked.add(n)
        accounts = tuple(self.account() for _ in range(self.rng.choice((1, 1, 2)))) if known else ()
        return Customer(n, self.name(), accounts)

    def shared(self, *, known: bool = False) -> Customer:
        """One of the customers with many invoices."""
        return self.rng.choice([c for c in self.customers if c.accounts or not known])

    def amount(self, low: float = 2, *, often: bool = True) -> Decimal:
        """Up to 100,000.00, in cents from 10 to the power `low`."""
        if often and low <= 2 and self.rng.random() < self.often:
            return self.rng.choice(OFTEN)
        return Decimal(int(10 ** self.rng.uniform(low, 7))).scaleb(-2)

    def when(self) -> date:
        """A booking day."""
        return self.start + timedelta(self.rng.randint(0, 60))

    def draw(self, series: str) -> tuple[str, str]:
        """A reference of the series, and the number within it."""
        r, year = self.rng, str(self.start.year - (self.rng.random() < 0.1))
        k = r.choice(self.lengths) if series == "plain" else r.randint(5, 12)
        n, serial = str(r.randrange(10 ** (k - 1), 10**k)), f"{int(10 ** r.uniform(0, 4.99)):05}"
        dated = {"inv": f"{self.prefix}-{year}-{serial}", "slash": f"F{year}/{serial}", "dash": f"{year}-{serial}"}
        if series in {"inv", "slash", "dash", "year"}:
            return dated.get(series, year + serial), year + serial
        forms = {"luhn": luhn, "kid10": luhn, "length": length_luhn, "kid11": mod11, "viite": viite}
        if series in forms:
            return forms[series](n), n
        return {"rf": mod97("RF", n), "zeros": "0" * r.randint(1, 4) + n}.get(series, n), n

    def claim(self, reference: str, n: str) -> bool:
        """Takes the reference, if nothing that may be written for it is taken."""
        taken = {core(x) for b in {n, body(reference)} for x in names(b)} | {core(reference)}
        parts = {core(b[:-k]) for b in {n, body(reference)} for k in (1, 2)}
        pieces = readings(reference) - taken
        parts = {p for p in parts if len(p) > 3} - taken
        if any(x in self.owner or x in self.blocked for x in taken | parts | pieces) or (
            any(x in self.parts for x in taken | pieces)
        ):
            return False
        self.parts |= parts
        self.blocked |= pieces
        self.owner |= dict.fromkeys(taken, reference)
        return True

    def number(self, series: Sequence[str] = SERIES, *, checked: bool | None = None) -> str:
        """A new reference."""
        while True:
            reference, n = self.draw(self.rng.choice(series))
            if checked in {None, checks(reference)} and self.claim(reference, n):
                return reference


def maker(rng: random.Random, size: int) -> Any:
    """A maker with its customers and habits."""
    from import_project_tests.matching.labelled_kinds import Cases

    made = Cases(rng, date(rng.choice((2024, 2025, 2026)), rng.randint(1, 12), rng.randint(1, 28)))
    made.often, made.prefix = rng.uniform(0.15, 0.4), rng.choice(("INV", "INV", "FAKT", "RE"))
    made.lengths = tuple(rng.sample((5, 6, 7, 8, 9, 10), 3))
    made.ours = made.account(), made.account()
    made.customers = [made.customer(known=rng.random() < 0.57) for _ in range(20 + size // 5)]
    return made


def labelled(seed: int, *, payments: int = 2000) -> Labelled:
    """At least so many payments of every kind, in any order."""
    from import_project_tests.matching.labelled_kinds import ALONE, FREQUENT, KINDS

    rng = random.Random(seed)
    m = maker(rng, payments)
    weights = {k: rng.gammavariate(2, 1) * (0.1 if k in ALONE else 3 if k in FREQUENT else 1) for k in KINDS}
    more = payments * 0.5 / sum(weights.values())
    jobs = [k for k, w in weights.items() for _ in range(math.ceil(payments * 0.009 + w * more))]
    rng.shuffle(jobs)
    for kind in jobs:
        KINDS[kind](m, kind)
    while len(m.payments) < payments:
        KINDS["exact"](m, "exact")
    for _ in range(payments // 10):
        m.invoice(m.amount(), m.shared(), closed=rng.random() < 0.3)
    rng.shuffle(m.payments)
    rng.shuffle(m.invoices)
    numbered = tuple(replace(x, row_number=i) for i, x in enumerate(m.payments, 1))
    return Labelled(payments=numbered, invoices=tuple(m.invoices), truth=m.truth)


def contradictions(made: Labelled) -> list[str]:
    """What is wrong with the labels, looked for by brute force."""
    return [*sums(made), *proofs(made), *pools(made)]


def sums(made: Labelled) -> Iterator[str]:
    """Ids, and amounts against what is open."""
    bills, spent = {x.invoice_id: x for x in made.invoices}, Counter[str]()
    twice = Counter(x.invoice_id for x in set(made.invoices))
    ids = [x.payment_id for x in made.payments]
    if len(set(ids)) != len(ids) or set(ids) != made.truth.keys():
        yield "payments and truth differ, or an id comes twice"
    for pay in made.payments:
        truth, settles = made.truth[pay.payment_id], made.truth[pay.payment_id].settles or {}
        if not settles.keys() <= bills.keys() or truth.automatic > bool(settles) or any(twice[x] > 1 for x in settles):
            yield f"{truth.kind}: what it settles is not there"
        if settles and sum(settles.values()) != pay.amount and truth.kind != "overpaid":
            yield f"{truth.kind}: parts do not make up the payment"
        for name, money in settles.items():
            spent[name] += int(money * 100) if pay.original_amount is None else int(pay.original_amount * 100)
            if bills[name].closed or (pay.currency != bills[name].currency and pay.original_amount is None):
                yield f"{truth.kind}: {name} is closed or in another currency"
    for name, cents in spent.items():
        over = cents - int(bills[name].open_amount * 100)
        if over > 100 or (bills[name].open_amount < 0 and over < 0):
            yield f"{name}: {over} cents too much"


def proofs(made: Labelled) -> Iterator[str]:
    """Whether references name what is settled, and nothing else."""
    named: dict[str, set[str]] = {}
    listed: dict[str, set[str]] = {}
    for bill in made.invoices:
        listed.setdefault(core(bill.reference), set()).add(bill.invoice_id)
        n, also = body(bill.reference), [body(bill.reference)[:-1]] * checks(bill.reference)
        also += [n[:-2]] * (length_luhn(n[:-2]) == n)
        for x in {core(bill.reference), *names(n or "0"), *map(core, also)} if core(n) else ():
            named.setdefault(x, set()).add(bill.invoice_id)
    for pay in made.payments:
        truth = made.truth[pay.payment_id]
        found = {x for r in pay.references for n in readings(r.text) for x in named.get(n, ())}
        bare = not pay.references or found == set()
        near = {n for r in pay.references for n in neighbours(core(r.text))}
        if truth.kind == "wrong_digit" and set(truth.settles or ()) != {i for n in near for i in listed.get(n, ())}:
            yield f"{truth.kind}: {pay.references} is not nearly right for one bill"
        if truth.kind in ("strange_reference", "wrong_digit") and found:
            yield f"{truth.kind}: {pay.references} names {found}"
        if truth.settles and not bare and found != set(truth.settles):
            yield f"{truth.kind}: {[r.text for r in pay.references]} names {found}, not {set(truth.settles)}"
        if truth.automatic and bare and truth.kind not in LONE | {"reversal"}:
            yield f"{truth.kind}: nothing proves it"


def pools(made: Labelled) -> Iterator[str]:
    """Whether amounts prove what no reference does."""
    open_by: dict[str, dict[str, Decimal]] = {}
    paid_by: dict[str, list[Payment]] = {}
    for bill in made.invoices:
        for account in bill.payer_accounts:
            open_by.setdefault(account, {})[bill.invoice_id] = bill.open_amount
    for pay in made.payments:
        paid_by.setdefault(pay.payer_account or "", []).append(pay)
    for pay in made.payments:
        kind, settles = made.truth[pay.payment_id].kind, made.truth[pay.payment_id].settles or {}
        bills = open_by.get(pay.payer_account or "", {})
        if kind in LONE | {"tie", "ambiguous_sum"}:
            group = paid_by[pay.payer_account or ""]
            hits = [
                {[*bills][i] for i in c} for c in fits([*bills.values()], sum((x.amount for x in group), Decimal(0)))
            ]
            if (len(hits) < 2) if not settles else hits != [set(settles)]:
                yield f"{kind}: {len(hits)} choices make up {pay.amount}"
        if kind in STRANGE and bills:
            yield f"{kind}: the payer is known"
