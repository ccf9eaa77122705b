"""One entry (`Ntry`) as the payments it holds: a transaction each, or one when there are no details. No balances."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from import_project.formats.iso20022.elements import Element, at, day, each, local, parts, text
from import_project.formats.iso20022.remittance import remittance
from import_project.formats.payment_rows import PaymentRows, minor_units
from import_project.records.issues import Issue, Severity

_NOTHING = frozenset({"NOTPROVIDED", "NOT PROVIDED", "NONREF"})


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


def read_entry(element: Element, place: Place, rows: PaymentRows, before: int) -> Entry:
    """Add the payments of an entry to `rows`; `before` is how many the file held so far."""
    found = parts(element)
    told = found.get("Amt")
    currency = (told.get("Ccy") if told is not None else None) or place.currency or "???"
    sign = -1 if text(found.get("CdtDbtInd")) == "DBIT" else 1
    amount = minor_units(text(told))
    status = found.get("Sts")
    value_date, booking_date = day(found.get("ValDt")), day(found.get("BookgDt"))
    entry = Entry(
        amount=None if amount is None or amount < 0 else sign * amount,
        currency=currency,
        sign=sign,
        status=(text(status, "Cd") or text(status, "Prtry") or text(status) or "BOOK")
        if status is not None
        else "BOOK",
        reference=_given(text(found.get("AcctSvcrRef"))),
        booking_date=booking_date or value_date or place.day,
        value_date=value_date,
    )
    details = list(each(element, "NtryDtls"))
    transactions = [t for d in details for t in each(d, "TxDtls")]
    amounts = [_amount(t, entry, alone=len(transactions) == 1) for t in transactions]
    told_wrong = list(_wrong(found, details, entry, amounts))
    for number, transaction in enumerate(transactions or [None], start=1):
        row = before + len(rows) + 1
        minor, its_currency = amounts[number - 1] if transactions else (entry.amount, currency)
        issues = [Issue(row_number=row, **w) for w in told_wrong]
        if minor is None and entry.amount is not None:
            told_amount = "the transaction has no amount of its own that can be read"
            issues.append(Issue(rule="amount", message=told_amount, row_number=row, column="amount"))
        elif its_currency != currency:
            other = f"the transaction is in {its_currency}, its entry in {currency}: the sum cannot be proved"
            issues.append(Issue(rule="entry_total", message=other, row_number=row, column="currency"))
        where = f"{place.kind} {place.statement} / Ntry {place.entry}"
        where += f" / TxDtls {number}" if len(transactions) > 1 else ""
        wrong = any(i.is_error for i in issues)
        cells = _cells(found, transaction, entry, minor or 0, its_currency)
        key, references = cells.pop("key"), cells.pop("references")
        rows.add(
            f"iso20022|{place.account}|{key}",
            references,
            row_number=row,
            statement=place.statement,
            account=place.account,
            currency=its_currency,
            amount=minor,
            position=where,
            raw=_written(element) if wrong else None,
            **cells,
        )
        entry.issues += issues
    return entry


def _written(element: Element) -> str:
    from lxml import etree

    return str(etree.tostring(element, encoding="unicode", with_tail=False))


def _amount(transaction: Element, entry: Entry, *, alone: bool) -> tuple[int | None, str]:
    """Return a transaction's signed amount and currency: its own, that of the details, or its entry's when alone."""
    found = parts(transaction)
    sign = {"DBIT": -1, "CRDT": 1}.get(text(found.get("CdtDbtInd")) or "", entry.sign)
    details = found.get("AmtDtls")
    candidates = [found.get("Amt"), at(details, "TxAmt", "Amt"), at(details, "InstdAmt", "Amt")]
    told = [(a, a.get("Ccy") or entry.currency) for a in candidates if a is not None]
    for element, currency in told:
        if currency == entry.currency and (minor := minor_units(text(element))) is not None:
            return sign * minor, currency
    if alone:
        return entry.amount, entry.currency
    for element, currency in told[:2]:
        if (minor := minor_units(text(element))) is not None:
            return sign * minor, currency
    return None, entry.currency


def _wrong(
    found: dict[str, Element], details: list[Element], entry: Entry, amounts: list[tuple[int | None, str]]
) -> Iterator[dict[str, Any]]:
    """Yield what is wrong with the entry as a whole, as the beginnings of issues."""
    transactions = [t for d in details for t in each(d, "TxDtls")]
    if entry.amount is None:
        value = text(found.get("Amt"))
        told = "the entry's amount is no amount with up to two decimals"
        yield {"rule": "amount", "message": told, "column": "amount", "value": value}
        return
    if text(found.get("CdtDbtInd")) not in {"CRDT", "DBIT"}:
        yield {"rule": "direction", "message": "the entry says neither CRDT nor DBIT", "column": "direction"}
    own = [minor for minor, currency in amounts if currency == entry.currency]
    if transactions and len(own) == len(amounts) and None not in own:
        total = sum(m for m in own if m is not None)
        if (apart := entry.amount - total) and -apart not in _charged(found, transactions, entry):
            told = f"the entry is {entry.amount / 100:.2f}, its transactions give {total / 100:.2f}"
            yield {"rule": "entry_total", "message": f"{told}: difference {apart / 100:.2f}", "column": "amount"}
    yield from _batches(details)


def _batches(details: list[Element]) -> Iterator[dict[str, Any]]:
    """Yield the batches that announce another number of payments than stand here: they may come in another message."""
    for detail in details:
        number, stand = text(detail, "Btch", "NbOfTxs"), sum(1 for _ in each(detail, "TxDtls"))
        if number is not None and number.isascii() and number.isdecimal() and int(number[:18]) != stand:
            told = f"a batch of {number[:18]} payments is announced, {stand} stand here"
            yield {"rule": "batch", "message": told, "severity": Severity.WARNING}


def _charged(found: dict[str, Element], transactions: list[Element], entry: Entry) -> set[int]:
    """Return the sums of charges that may lie between an entry and its transactions."""
    of_entry = _charges(found, entry) or 0
    of_each = sum(_charges(parts(t), entry) or 0 for t in transactions)
    return {of_entry, of_each, of_entry + of_each}


def _charges(found: dict[str, Element], entry: Entry) -> int | None:
    """Return the charges in the entry's currency, unsigned: the stated total, else the sum of the records."""
    first = found.get("Chrgs")
    holder = first.getparent() if first is not None else None
    total: int | None = None
    for charges in each(holder, "Chrgs"):
        stated = [a for n in ("TtlChrgsAndTaxAmt", "Amt") for a in each(charges, n)][:1]
        for amount in stated or [a for r in each(charges, "Rcrd") for a in each(r, "Amt")]:
            minor = minor_units(text(amount))
            if minor is not None and (amount.get("Ccy") or entry.currency) == entry.currency:
                total = (total or 0) + minor
    return total


def _given(value: str | None) -> str | None:
    return None if value is None or value.upper() in _NOTHING else value


def _cells(
    entry_parts: dict[str, Element], transaction: Element | None, entry: Entry, minor: int, currency: str
) -> dict[str, Any]:
    """Return the cells that come from the transaction, or from its entry where it is silent, and its key."""
    found = parts(transaction) if transaction is not None else {}
    refs = parts(found.get("Refs"))
    bank = _given(text(refs.get("AcctSvcrRef")))
    end_to_end = _given(text(refs.get("EndToEndId")))
    sign = -1 if minor < 0 else 1
    references, free = remittance(found.get("RmtInf"), currency, sign)
    payer = _payer(found, sign)
    original = _original(found.get("AmtDtls"), entry.currency) or _original(entry_parts.get("AmtDtls"), entry.currency)
    remitted = free or text(found.get("AddtlTxInf")) or text(entry_parts.get("AddtlNtryInf"))
    ids = [bank, end_to_end, text(refs.get("TxId")), text(refs.get("InstrId")), text(refs.get("UETR"))]
    if not (entry.reference or bank):  # nothing of the bank's own: what was said tells two payments apart
        ids += [remitted, *payer.values(), *(r[0] for r in references)]
    key = [currency, entry.booking_date, entry.status, entry.reference, entry.amount, minor, *ids]
    code = entry_parts.get("BkTxCd")
    own_code = found.get("BkTxCd")
    return {
        "key": "|".join("" if k is None else str(k) for k in key),
        "references": references,
        "booking_date": entry.booking_date,
        "value_date": entry.value_date,
        "status": entry.status,
        "reversal": text(entry_parts.get("RvslInd")) in {"true", "1"} or "RtrInf" in found,
        "transaction_code": _code(own_code) or _code(code),
        "bank_reference": bank or entry.reference,
        "entry": _known_by(entry),
        "lump": transaction is None,
        "end_to_end_id": end_to_end,
        "remittance": remitted,
        "charges": _charges(found if "Chrgs" in found else entry_parts, entry),
        **payer,
        **(original or {}),
    }


def _known_by(entry: Entry) -> str | None:
    """Return what the entry is known by in camt.053 and camt.054 alike; without a reference of the bank, nothing."""
    if entry.reference is None or entry.amount is None:
        return None
    return f"{entry.reference}|{entry.booking_date}|{entry.currency}|{entry.amount}"


def _payer(found: dict[str, Element], sign: int) -> dict[str, str | None]:
    """Return the other side's name, account, identification and address: the debtor of money in, the creditor of money
    out."""
    side = "Dbtr" if sign > 0 else "Cdtr"
    related = parts(found.get("RltdPties"))
    party = related.get(side)
    inner = at(party, "Pty")
    party = inner if inner is not None else party
    ultimate = related.get(f"Ultmt{side}")
    account = at(related.get(f"{side}Acct"), "Id")
    identification = at(party, "Id")
    address = at(party, "PstlAdr")
    lines = [t for c in (address if address is not None else ()) if (t := text(c))]
    return {
        "payer_name": text(party, "Nm") or text(party, "Agt", "FinInstnId", "Nm") or _name(ultimate),
        "payer_account": text(account, "IBAN") or text(account, "Othr", "Id") or text(account, "PrtryAcct", "Id"),
        "payer_id": None if identification is None else _identification(identification),
        "payer_address": ", ".join(lines) or None,
    }


def _name(party: Element | None) -> str | None:
    return text(party, "Pty", "Nm") or text(party, "Nm")


def _identification(identification: Element) -> str | None:
    for who in identification:
        for other in who:
            if local(other) in {"Othr", "PrtryId"} and (told := text(other, "Id")):
                return told
    return None


def _original(details: Element | None, currency: str) -> dict[str, Any] | None:
    """Return what was instructed in another currency, and the rate where one is stated."""
    if details is None:
        return None
    found = parts(details)
    for name in ("InstdAmt", "TxAmt", "CntrValAmt"):
        amount = at(found.get(name), "Amt")
        if amount is None or amount.get("Ccy") in {None, currency}:
            continue
        rates = (text(found.get(n), "CcyXchg", "XchgRate") for n in ("InstdAmt", "TxAmt", "CntrValAmt"))
        return {
            "original_currency": amount.get("Ccy"),
            "original_amount": minor_units(text(amount)),
            "exchange_rate": _rate(next((r for r in rates if r), None)),
        }
    return None


def _rate(told: str | None) -> str | None:
    whole, _, decimals = (told or "").partition(".")
    good = (whole + decimals).isdecimal() and told is not None and told.isascii() and len(whole) <= 20
    return told if good and len(decimals) <= 12 else None


def _code(code: Element | None) -> str | None:
    """Return the bank transaction code: domain, family and sub-family, else the bank's own."""
    if code is None:
        return None
    domain = at(code, "Domn")
    told = [text(domain, "Cd"), text(domain, "Fmly", "Cd"), text(domain, "Fmly", "SubFmlyCd")]
    return "/".join(t for t in told if t) or text(code, "Prtry", "Cd")
