"""The self-check of `labelled`: looks by brute force for labels that are not right.

It trusts nothing that was drawn: sums, what references name, and which amounts fit are all found anew.
"""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

from import_project.records.payments import Payment
from import_project_tests.matching.labelled import Labelled
from import_project_tests.matching.labelled_maker import UMLAUTS
from import_project_tests.matching.labelled_numbers import (
    body,
    checks,
    core,
    fits,
    length_luhn,
    names,
    neighbours,
    readings,
)

LONE = {"amount_of_payer", "old_amount_of_payer", "sum_of_payer", "together", "wrong_digit"}
STRANGE = {
    "beyond_tolerance",
    "late_discount",
    "partial_stranger",
    "strange_reference",
    "amount_only",
    "blank_reference",
}
OTHERS = {"wrong_digit_hits", "other_customers_reference"}


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


def plain(name: str | None) -> str:
    """As much of a name as every way to print it keeps."""
    return (name or "").lower().translate(UMLAUTS)[:24]


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
    owners = {x.invoice_id: plain(x.customer_name) for x in made.invoices}
    for pay in made.payments:
        truth = made.truth[pay.payment_id]
        found = {x for r in pay.references for n in readings(r.text) for x in named.get(n, ())}
        bare = not pay.references or found == set()
        near = {n for r in pay.references for n in neighbours(core(r.text))}
        if truth.kind in OTHERS and (not found or plain(pay.payer_name) in {owners[x] for x in found}):
            yield f"{truth.kind}: {pay.references} names no bill of another customer"
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
