"""One entry (`Ntry`) as the payments it holds: a transaction each, or one when there are no details. No balances.

What stands where is said by the plans of its shape; here the values are read and held against each other.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from import_project.formats.iso20022.elements import Element
from import_project.formats.iso20022.plans import EntryPlan, TransactionPlan
from import_project.formats.iso20022.values import (
    Reference,
    Told,
    charges_of,
    day_of,
    given,
    original_of,
    references_of,
)
from import_project.formats.payment_rows import PaymentRows, minor_units
from import_project.records.issues import Issue, Severity

#: What an element's XML is found as: the parser's element, or the place or text it was taken from.
Written = Element | re.Match[str] | str
_SIGNS = {"DBIT": -1, "CRDT": 1}


@dataclass(slots=True, kw_only=True)
class Transaction:
    """A transaction's plan and values; `written` is what its XML was found as, where it is not a part of its
    entry's."""

    plan: TransactionPlan
    told: Told
    written: Written | None = None


@dataclass(slots=True, kw_only=True)
class Unit:
    """An entry as it was found: its plan and values, its transactions, how many of them each of its details holds, and
    its XML."""

    plan: EntryPlan
    told: Told
    transactions: list[Transaction]
    counts: Sequence[int]
    written: Written


@dataclass(slots=True, kw_only=True)
class Entry:
    """What an entry says as a whole. `amount` is signed, in minor units, None where it cannot be read."""

    amount: int | None
    currency: str
    sign: int
    status: str
    reference: str | None
    booking_date: date | None
    value_date: date | None
    issues: list[Issue] = field(default_factory=list)

    @property
    def booked(self) -> bool:
        """Whether it moved money."""
        return self.status == "BOOK"


@dataclass(slots=True, kw_only=True)
class Place:
    """Where an entry stands: its statement and number in it, and what the statement says for all."""

    kind: str
    statement: int
    account: str | None
    currency: str | None
    day: date | None
    entry: int = 0


def read_entry(unit: Unit, place: Place, rows: PaymentRows, before: int) -> Entry:
    """Add the payments of an entry to `rows`; `before` is how many the file held so far."""
    plan, told = unit.plan, unit.told
    currency = plan.currency or place.currency or "???"
    sign = -1 if plan.direction == "DBIT" else 1
    amount = minor_units(told[plan.amount])
    value_date, booking_date = day_of(told[plan.value_date]), day_of(told[plan.booking_date])
    entry = Entry(
        amount=None if amount is None or amount < 0 else sign * amount,
        currency=currency,
        sign=sign,
        status=plan.status,
        reference=given(told[plan.reference]),
        booking_date=booking_date or value_date or place.day,
        value_date=value_date,
    )
    alone = len(unit.transactions) == 1
    amounts = [_amount(t, entry, alone=alone) for t in unit.transactions]
    told_wrong = [] if _plainly_right(unit, entry, amounts) else list(_wrong(unit, entry, amounts))
    if not unit.transactions:
        amounts = [(entry.amount, currency)]
    of_entry = {
        "statement": place.statement,
        "account": place.account,
        "booking_date": entry.booking_date,
        "value_date": value_date,
        "status": entry.status,
        "entry": _known_by(entry),
    }
    key = _key(entry)
    position = f"{place.kind} {place.statement} / Ntry {place.entry}"
    row = before + len(rows)
    for number, (minor, its_currency) in enumerate(amounts, start=1):
        row += 1
        transaction = unit.transactions[number - 1] if unit.transactions else None
        if transaction is None:
            ids, references, cells = _of_entry(unit, entry)
        else:
            ids, references, cells = _of_transaction(unit, entry, transaction, minor or 0, its_currency)
        cells |= of_entry
        cells["row_number"], cells["currency"], cells["amount"] = row, its_currency, minor
        cells["position"] = position if len(amounts) == 1 else f"{position} / TxDtls {number}"
        if told_wrong or minor is None or its_currency != currency:
            issues = list(_issues(told_wrong, entry, row, minor, its_currency))
            entry.issues += issues
            if any(i.is_error for i in issues):
                written = transaction.written if transaction is not None else None
                cells["raw"] = _xml(written or unit.written)
        identity = f"iso20022|{place.account}|{its_currency}|{key}|{minor or 0}|{ids}"
        rows.put(identity, references, cells)
    return entry


def _issues(
    told_wrong: list[dict[str, Any]], entry: Entry, row: int, minor: int | None, currency: str
) -> Iterator[Issue]:
    """Yield what is wrong with a payment: what is wrong with its entry, and what with itself."""
    yield from (Issue(row_number=row, **wrong) for wrong in told_wrong)
    if minor is None and entry.amount is not None:
        told = "the transaction has no amount of its own that can be read"
        yield Issue(rule="amount", message=told, row_number=row, column="amount")
    elif currency != entry.currency:
        told = f"the transaction is in {currency}, its entry in {entry.currency}: the sum cannot be proved"
        yield Issue(rule="entry_total", message=told, row_number=row, column="currency")


def _amount(transaction: Transaction, entry: Entry, *, alone: bool) -> tuple[int | None, str]:
    """Return a transaction's signed amount and currency: its own, that of the details, or its entry's when alone."""
    told = transaction.told
    sign = _SIGNS.get(transaction.plan.direction or "", entry.sign)
    for place, currency in transaction.plan.amounts:
        if currency is None or currency == entry.currency:
            minor = minor_units(told[place])
            if minor is not None:
                return sign * minor, entry.currency
    if alone:
        return entry.amount, entry.currency
    for place, currency in transaction.plan.amounts[:2]:
        minor = minor_units(told[place])
        if minor is not None:
            return sign * minor, currency or entry.currency
    return None, entry.currency


def _plainly_right(unit: Unit, entry: Entry, amounts: list[tuple[int | None, str]]) -> bool:
    """Whether there is nothing to look into: as it is with nearly all entries."""
    if entry.amount is None or unit.plan.direction is None or any(unit.plan.announced):
        return False
    return len(amounts) == 1 and amounts[0] == (entry.amount, entry.currency) and unit.plan.direction in _SIGNS


def _wrong(unit: Unit, entry: Entry, amounts: list[tuple[int | None, str]]) -> Iterator[dict[str, Any]]:
    """Yield what is wrong with the entry as a whole, as the beginnings of issues."""
    if entry.amount is None:
        told = "the entry's amount is no amount with up to two decimals"
        yield {"rule": "amount", "message": told, "column": "amount", "value": unit.told[unit.plan.amount]}
        return
    if unit.plan.direction not in _SIGNS:
        yield {"rule": "direction", "message": "the entry says neither CRDT nor DBIT", "column": "direction"}
    own = [minor for minor, currency in amounts if currency == entry.currency]
    if amounts and len(own) == len(amounts) and None not in own:
        total = sum(m for m in own if m is not None)
        if (apart := entry.amount - total) and -apart not in _charged(unit, entry):
            told = f"the entry is {entry.amount / 100:.2f}, its transactions give {total / 100:.2f}"
            yield {"rule": "entry_total", "message": f"{told}: difference {apart / 100:.2f}", "column": "amount"}
    for announced, stand in zip(unit.plan.announced, unit.counts, strict=True):
        if announced is not None and announced.isascii() and announced.isdecimal() and int(announced[:18]) != stand:
            told = f"a batch of {announced[:18]} payments is announced, {stand} stand here"
            yield {"rule": "batch", "message": told, "severity": Severity.WARNING}  # they may come in another message


def _charged(unit: Unit, entry: Entry) -> set[int]:
    """Return the sums of charges that may lie between an entry and its transactions."""
    of_entry = charges_of(unit.plan.charges, unit.told, entry.currency) or 0
    of_each = sum(charges_of(t.plan.charges or (), t.told, entry.currency) or 0 for t in unit.transactions)
    return {of_entry, of_each, of_entry + of_each}


#: What tells a payment apart, its references, and its cells.
Payment = tuple[str, Sequence[Reference], dict[str, Any]]


def _of_entry(unit: Unit, entry: Entry) -> Payment:
    """Return an entry that stands for itself."""
    information = unit.told[unit.plan.information]
    ids = "||||"
    if not entry.reference:  # nothing of the bank's own: what it says tells it apart
        ids = f"{ids}|{information or ''}||||"
    cells = {
        "reversal": unit.plan.reversal,
        "transaction_code": unit.plan.code,
        "bank_reference": entry.reference,
        "lump": True,
        "remittance": information,
        "charges": charges_of(unit.plan.charges, unit.told, entry.currency) if unit.plan.charges else None,
    }
    return ids, (), cells | original_of(unit.plan.originals, unit.told, entry.currency)


def _of_transaction(unit: Unit, entry: Entry, transaction: Transaction, minor: int, currency: str) -> Payment:
    """Return a transaction, with its entry's words where it is silent."""
    plan, told = transaction.plan, transaction.told
    bank, end_to_end = given(told[plan.reference]), given(told[plan.end_to_end_id])
    sign = -1 if minor < 0 else 1
    references = references_of(plan.documents, told, currency, sign) if plan.documents else ()
    texts = [told[t] or "" for t in plan.texts]
    remitted = "\n".join(texts) if texts else told[plan.information] or unit.told[unit.plan.information]
    party = plan.debtor if sign > 0 else plan.creditor
    name, account, identification = told[party.name], told[party.account], told[party.identification]
    address = ", ".join([told[line] or "" for line in party.address]) if party.address else None
    first, second, third = plan.other_ids
    ids = f"{bank or ''}|{end_to_end or ''}|{told[first] or ''}|{told[second] or ''}|{told[third] or ''}"
    if not (entry.reference or bank):  # nothing of the bank's own: what was said tells two payments apart
        said = (remitted, name, account, identification, address, *(r[0] for r in references))
        ids = "|".join([ids, *(s or "" for s in said)])
    charges, holder = (unit.plan.charges, unit.told) if plan.charges is None else (plan.charges, told)
    cells: dict[str, Any] = {
        "reversal": unit.plan.reversal or plan.returned,
        "transaction_code": plan.code or unit.plan.code,
        "bank_reference": bank or entry.reference,
        "lump": False,
        "end_to_end_id": end_to_end,
        "remittance": remitted,
        "payer_name": name,
        "payer_account": account,
        "payer_id": identification,
        "payer_address": address,
        "charges": charges_of(charges, holder, entry.currency) if charges else None,
    }
    if plan.originals or unit.plan.originals:
        original = original_of(plan.originals, told, entry.currency)
        cells |= original or original_of(unit.plan.originals, unit.told, entry.currency)
    return ids, references, cells


def _key(entry: Entry) -> str:
    amount = "" if entry.amount is None else entry.amount
    return f"{entry.booking_date or ''}|{entry.status}|{entry.reference or ''}|{amount}"


def _known_by(entry: Entry) -> str | None:
    """Return what a booked entry is known by in camt.053 and camt.054 alike; without a reference of the bank, nothing.

    One that is only pending must not stand for the money that is booked later.
    """
    if entry.reference is None or entry.amount is None or not entry.booked:
        return None
    return f"{entry.reference}|{entry.booking_date}|{entry.currency}|{entry.amount}"


def _xml(written: Written) -> str:
    from lxml import etree

    if isinstance(written, re.Match):
        return str(written[0]).lstrip()
    return written if isinstance(written, str) else str(etree.tostring(written, encoding="unicode", with_tail=False))
