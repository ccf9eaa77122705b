"""A statement, report or notification: its head, its balances, and the proof that its entries add up to them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from import_project.formats.iso20022.elements import Element, at, day, each, parts, text
from import_project.formats.iso20022.entries import Entry
from import_project.formats.payment_rows import minor_units, money
from import_project.records.issues import Issue
from import_project.records.statements import UNKNOWN_CURRENCY, Statement, Total


@dataclass(slots=True, kw_only=True)
class Balance:
    """A balance as stated; `amount` is signed, None where it cannot be read."""

    code: str
    amount: int | None
    currency: str | None
    day: date | None


@dataclass(slots=True, kw_only=True)
class Head:
    """What stands before the entries of a statement."""

    identification: str | None
    sequence: str | None
    account: str | None
    currency: str | None
    day: date | None
    balances: list[Balance]
    summary: Element | None


def read_head(statement: Element) -> Head:
    """Read what a statement says about itself. Elements that are missing are None."""
    found = parts(statement)
    account = at(found.get("Acct"), "Id")
    balances = [_balance(b) for b in each(statement, "Bal")]
    currency = text(found.get("Acct"), "Ccy") or next((b.currency for b in balances if b.currency), None)
    until = day(at(found.get("FrToDt"), "ToDtTm")) or day(at(found.get("FrToDt"), "ToDt"))
    closing = next((b.day for b in balances if b.code == "CLBD"), None)
    return Head(
        identification=text(found.get("Id")),
        sequence=text(found.get("ElctrncSeqNb")) or text(found.get("LglSeqNb")),
        account=text(account, "IBAN")
        or text(account, "Othr", "Id")
        or text(account, "PrtryAcct", "Id")
        or text(account, "BBAN"),
        currency=currency,
        day=closing or until or day(found.get("CreDtTm")),
        balances=balances,
        summary=found.get("TxsSummry"),
    )


def _balance(element: Element) -> Balance:
    found = parts(element)
    amount = found.get("Amt")
    minor = minor_units(text(amount))
    sign = -1 if text(found.get("CdtDbtInd")) == "DBIT" else 1
    kind = found.get("Tp")
    return Balance(
        code=text(kind, "CdOrPrtry", "Cd") or text(kind, "Cd") or text(kind, "CdOrPrtry", "Prtry") or "",
        amount=None if minor is None else sign * minor,
        currency=amount.get("Ccy") if amount is not None else None,
        day=day(found.get("Dt")),
    )


@dataclass(slots=True, kw_only=True)
class Sums:
    """What the entries of a statement come to, in minor units."""

    payments: int = 0
    booked: int = 0
    unreadable: int = 0
    by_currency: dict[str, list[int]] = field(default_factory=dict)

    def add(self, entry: Entry, payments: int) -> None:
        """Count an entry."""
        self.payments += payments
        if entry.amount is None:
            self.unreadable += 1
            return
        sums = self.by_currency.setdefault(entry.currency, [0, 0, 0])
        sums[0] += 1
        sums[1 if entry.amount >= 0 and entry.sign > 0 else 2] += abs(entry.amount)
        if entry.booked:
            self.booked += entry.amount


def prove(number: int, message: str, head: Head, sums: Sums) -> tuple[Statement, list[Issue]]:
    """Return the statement, and what of its totals does not hold."""
    opening = _first(head.balances, "OPBD") or _first(head.balances, "PRCD")
    closing = _first(head.balances, "CLBD")
    difference: int | None = None
    told: list[tuple[str, str]] = []
    if opening and closing:
        if opening.amount is None or closing.amount is None or sums.unreadable:
            told.append(("balance", "the balances cannot be proved: an amount is unreadable"))
        else:
            difference = closing.amount - opening.amount - sums.booked
            if difference:
                said = [f"{m / 100:.2f}" for m in (opening.amount, sums.booked, closing.amount, difference)]
                text_ = f"opening {said[0]} and booked {said[1]} do not give closing {said[2]}: difference {said[3]}"
                told.append(("balance", text_))
            currencies = {c for c in (opening.currency, closing.currency, *sums.by_currency) if c}
            if len(currencies) > 1:
                mixed = f"balances and entries are in {', '.join(sorted(currencies))}: they cannot be added up"
                told.append(("balance_currency", mixed))
    told += _summary(head.summary, sums)
    whose = number if sums.payments else None  # without payments to condemn, it is the file that is wrong
    currency = head.currency or next(iter(sums.by_currency), None) or UNKNOWN_CURRENCY
    statement = Statement(
        number=number,
        form=message,
        account=head.account,
        currency=currency,
        identification=head.identification,
        booking_date=head.day,
        payments=sums.payments,
        net=money(sums.booked),
        opening=money(opening.amount) if opening and opening.amount is not None else None,
        closing=money(closing.amount) if closing and closing.amount is not None else None,
        difference=None if difference is None else money(difference),
        totals=tuple(
            Total(currency=c, entries=n, credit=money(credit), debit=money(debit))
            for c, (n, credit, debit) in sums.by_currency.items()
        ),
        sequence=head.sequence,
    )
    where = f"statement {head.identification or number}"
    return statement, [Issue(rule=rule, message=f"{where}: {message}", statement=whose) for rule, message in told]


def _first(balances: list[Balance], code: str) -> Balance | None:
    return next((b for b in balances if b.code == code), None)


def _summary(summary: Element | None, sums: Sums) -> Iterator[tuple[str, str]]:
    """Hold the transaction summary (`TxsSummry`) against the entries: counts, and sums where there is one currency."""
    if summary is None:
        return
    entries = sum(n for n, _, _ in sums.by_currency.values()) + sums.unreadable
    credit, debit = (sum(s[side] for s in sums.by_currency.values()) for side in (1, 2))
    for name, count, total in (
        ("TtlNtries", entries, credit + debit),
        ("TtlCdtNtries", None, credit),
        ("TtlDbtNtries", None, debit),
    ):
        group = at(summary, name)
        stated, amount = text(group, "NbOfNtries"), text(group, "Sum")
        if count is not None and stated is not None and stated.lstrip("0") != str(count).lstrip("0"):
            yield "summary", f"{stated} entries are announced, {count} stand here"
        if amount is not None and len(sums.by_currency) <= 1 and minor_units(amount.lstrip("+-")) != total:
            yield "summary", f"{name} announces {amount}, the entries give {total / 100:.2f}"
