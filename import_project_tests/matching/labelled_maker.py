"""Draws what a set of labelled payments is made from: customers, accounts, numbers, amounts and days.

It sees to it that no number can mean two invoices. `Truth`, the label of a payment, stands here too.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from import_project.records.payments import Invoice, Payment
from import_project_tests.matching.labelled_numbers import (
    body,
    checks,
    core,
    length_luhn,
    luhn,
    mod11,
    mod97,
    names,
    readings,
    viite,
)

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
UMLAUTS = str.maketrans(
    dict(zip("åäöøüæÅÄÖØÜßé", ("a", "ae", "oe", "o", "ue", "ae", "A", "AE", "OE", "O", "UE", "ss", "e"), strict=True))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What a payment settles, in its own money; None: nothing may be matched. `automatic` ones count in recall."""

    kind: str
    settles: Mapping[str, Decimal] | None
    automatic: bool


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

    def shared(self, *, known: bool = False, other_than: str | None = None) -> Customer:
        """One of the customers with many invoices, but not the one with that number."""
        possible = [c for c in self.customers if (c.accounts or not known) and c.number != other_than]
        return self.rng.choice(possible)

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
