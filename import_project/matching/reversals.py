"""What takes an earlier payment back, which payment that is, and what it opens again."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from import_project.matching.memory import Earlier
from import_project.matching.open_items import OpenItems
from import_project.matching.references import normal
from import_project.matching.rule import refused
from import_project.records.payments import FREE_TEXT, Allocation, Match, Payment, UnmatchedReason

RULE = ("reversal", 1)


class Earliers:
    """Earlier payments, found by what a reversal says of them."""

    def __init__(self, known: Iterable[Earlier] = ()) -> None:
        self._by_mark: defaultdict[tuple[str, str], list[Earlier]] = defaultdict(list)
        self._taken_back: set[str] = set()
        for one in known:
            self.add(one)

    def add(self, one: Earlier) -> None:
        """Keep a payment for reversals to come."""
        for mark in marks(one.payment):
            self._by_mark[mark].append(one)

    def taken_back(self, payment_id: str) -> None:
        """Say that a payment was taken back: it is not again."""
        self._taken_back.add(payment_id)

    def of(self, reversal: Payment) -> list[Earlier]:
        """Return the payments that a reversal may take back: by the surest mark that leads to any."""
        for mark in marks(reversal):
            found = {
                e.payment.payment_id: e
                for e in self._by_mark.get(mark, ())
                if e.payment.amount == -reversal.amount
                and e.payment.currency == reversal.currency
                and e.payment.account == reversal.account
                and e.payment.booking_date <= reversal.booking_date
                and not e.payment.reversal
                and e.payment.booked
                and e.payment.payment_id not in self._taken_back
                and _may_be(e.payment, reversal)
            }
            if found:
                return [found[name] for name in sorted(found)]
        return []


def take_back(payment: Payment, earliers: Earliers, items: OpenItems) -> tuple[Match, Match | None]:
    """Return the decision about a reversal, which opens again what it takes back; and a new one about the payment that
    it takes back, when that settled nothing."""
    found = earliers.of(payment)
    if not found:
        told = "it takes a payment back that is not known here"
        return refused(payment, RULE, UnmatchedReason.REVERSED, told), None
    if len(found) > 1:
        some = ", ".join(e.payment.payment_id[:12] for e in found[:5])
        told = f"it may take back any of {len(found)} payments: {some}"
        return refused(payment, RULE, UnmatchedReason.AMBIGUOUS, told), None
    earlier = found[0].payment
    if not found[0].allocations and not found[0].unapplied:
        earliers.taken_back(earlier.payment_id)
        told = f"taken back by payment {payment.payment_id[:12]}"
        again = refused(earlier, RULE, UnmatchedReason.REVERSED, told)
        told = f"it takes back payment {earlier.payment_id[:12]}, which settled nothing"
        mine = refused(payment, RULE, UnmatchedReason.REVERSED, told)
        return replace(mine, reverses=earlier.payment_id), again
    before = sum((a.amount for a in found[0].allocations), found[0].unapplied)
    if before != earlier.amount:
        told = f"of payment {earlier.payment_id[:12]}, {before} stands; the rest was rejected or taken back"
        return refused(payment, RULE, UnmatchedReason.AMBIGUOUS, told), None
    earliers.taken_back(earlier.payment_id)
    allocations = tuple(_opened(a, payment, items) for a in found[0].allocations)
    name, version = RULE
    match = Match(
        payment=payment,
        rule=name,
        rule_version=version,
        allocations=allocations,
        unapplied=-found[0].unapplied,
        evidence=f"it takes back payment {earlier.payment_id[:12]}, and opens again what that settled",
        reverses=earlier.payment_id,
    )
    return match, None


def _opened(one: Allocation, payment: Payment, items: OpenItems) -> Allocation:
    """The opposite of an allocation; of an invoice that is no longer listed, nothing else is known to be open."""
    back = Allocation(
        invoice_id=one.invoice_id,
        amount=-one.amount,
        settles=-one.settles,
        written_off=-one.written_off,
        residual=one.settles + one.written_off,
    )
    item = items.item_of(one.invoice_id)
    if item is None:
        return back
    again = replace(back, residual=items.open(item) + one.settles + one.written_off)
    items.use(item, again, payment)
    return again


def marks(payment: Payment) -> list[tuple[str, str]]:
    """Return what names a payment to its reversal, the surest first: the payer's id, the bank's, its references."""
    found = [
        (kind, text.strip())
        for kind, text in (("end_to_end_id", payment.end_to_end_id), ("bank_reference", payment.bank_reference))
        if text and text.strip().upper() not in {"", "NOTPROVIDED"}
    ]
    formal = (normal(r.text) for r in payment.references if r.source != FREE_TEXT)
    return [*found, *(("reference", text) for text in formal if text)]


def _may_be(payment: Payment, reversal: Payment) -> bool:
    """Whether nothing speaks against it: another payer's account, or another id of the payer's."""
    accounts = {normal(a) for a in (payment.payer_account, reversal.payer_account) if a and normal(a)}
    ids = {text for kind, text in (*marks(payment), *marks(reversal)) if kind == "end_to_end_id"}
    return len(accounts) <= 1 and len(ids) <= 1
