"""What takes an earlier payment back, and which payment that is. Nothing else is decided here."""

from collections import defaultdict
from collections.abc import Iterable

from import_project.matching.memory import Earlier
from import_project.matching.references import normal
from import_project.records.payments import Payment


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
            }
            if found:
                return [found[name] for name in sorted(found)]
        return []


def marks(payment: Payment) -> list[tuple[str, str]]:
    """Return what names a payment to its reversal, the surest first: the payer's id, the bank's, its references."""
    found = [
        (kind, text.strip())
        for kind, text in (("end_to_end_id", payment.end_to_end_id), ("bank_reference", payment.bank_reference))
        if text and text.strip().upper() not in {"", "NOTPROVIDED"}
    ]
    return [*found, *(("reference", normal(r.text)) for r in payment.references if normal(r.text))]
