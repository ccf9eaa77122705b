"""Labelled bank payments and open invoices, to judge a reconciler by. All is drawn anew from the seed.

`labelled` makes a set from the kinds in `labelled_kinds`; `labelled_contradictions` looks for labels that are wrong.
"""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from import_project.records.payments import Invoice, Payment
from import_project_tests.matching.labelled_cases import Cases
from import_project_tests.matching.labelled_kinds import ALONE, FREQUENT, KINDS
from import_project_tests.matching.labelled_maker import Truth

__all__ = ["Labelled", "Truth", "labelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Payments, the open invoices, and the truth by payment_id."""

    payments: tuple[Payment, ...]
    invoices: tuple[Invoice, ...]
    truth: Mapping[str, Truth]


def maker(rng: random.Random, size: int) -> Cases:
    """A maker with its customers and habits."""
    made = Cases(rng, date(rng.choice((2024, 2025, 2026)), rng.randint(1, 12), rng.randint(1, 28)))
    made.often, made.prefix = rng.uniform(0.15, 0.4), rng.choice(("INV", "INV", "FAKT", "RE"))
    made.lengths = tuple(rng.sample((5, 6, 7, 8, 9, 10), 3))
    made.ours = made.account(), made.account()
    made.customers = [made.customer(known=rng.random() < 0.57) for _ in range(20 + size // 5)]
    return made


def labelled(seed: int, *, payments: int = 2000) -> Labelled:
    """At least so many payments of every kind, in any order."""
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
