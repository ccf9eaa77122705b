"""What stands at a plan's places: days, charges, references, amounts in another currency. No payments."""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from import_project.formats.iso20022.plans import Amount, Document, Original
from import_project.formats.payment_rows import minor_units

#: The values of a shape's places.
Told = Sequence[str | None]
#: text, source, part of the amount in minor units.
Reference = tuple[str, str, int | None]
_NOTHING = frozenset({"NOTPROVIDED", "NOT PROVIDED", "NONREF"})


@lru_cache(maxsize=4096)
def day_of(told: str | None) -> date | None:
    """Return the day of a date or time as it is written: the bank's own day."""
    try:
        return date.fromisoformat(told[:10]) if told else None
    except ValueError:
        return None


def given(value: str | None) -> str | None:
    """Return a value, unless it is a word for nothing."""
    return None if value is None or (value[0] in "Nn" and value.upper() in _NOTHING) else value


def charges_of(charges: Sequence[Amount], told: Told, currency: str) -> int | None:
    """Return the charges in the entry's currency, unsigned."""
    total: int | None = None
    for place, its_currency in charges:
        minor = minor_units(told[place])
        if minor is not None and its_currency in {None, currency}:
            total = (total or 0) + minor
    return total


def references_of(documents: Sequence[Document], told: Told, currency: str, sign: int) -> list[Reference]:
    """Return the references with the parts given for them. A part is signed as the payment is, a credit note's against
    it; parts in another currency than the payment's are not taken."""
    found: list[Reference] = []
    for document in documents:
        parts = [
            minor * sign * way
            for (place, its_currency), way in document.parts
            if its_currency in {None, currency} and (minor := minor_units(told[place]))
        ]
        part = sum(parts) if parts else None
        if document.creditor is not None:
            found.append((told[document.creditor] or "", "creditor_reference", part))
            part = None
        alone = len(document.numbers) == 1
        found += [(told[n] or "", "document", part if alone else None) for n in document.numbers]
    return found


def original_of(originals: Sequence[Original], told: Told, currency: str) -> dict[str, Any]:
    """Return what was instructed in another currency, and the rate where one is stated."""
    for original in originals:
        place, its_currency = original.amount
        if its_currency != currency:
            return {
                "original_currency": its_currency,
                "original_amount": minor_units(told[place]),
                "exchange_rate": _rate(told[original.rate]),
            }
    return {}


def _rate(told: str | None) -> str | None:
    whole, _, decimals = (told or "").partition(".")
    good = (whole + decimals).isdecimal() and told is not None and told.isascii() and len(whole) <= 20
    return told if good and len(decimals) <= 12 else None
