"""A reference in the forms in which two are compared. Which invoices a payment names by them is said in `naming`."""

import re
from collections.abc import Iterator
from functools import lru_cache

import polars as pl

from import_project.matching.check_digits import (
    creditor_reference,
    eleven,
    is_creditor_reference,
    luhn,
    seven_three_one,
    swiss,
)

#: How a reference was found: as it is; written another way; with check digits that the list leaves out; without those
#: that the list has.
GIVEN, WRITTEN, CHECKED, UNCHECKED = "given", "written", "checked", "unchecked"

_SEPARATORS = r"[-/.,:;+_#*'\s]"
_SEPARATE = re.compile(_SEPARATORS)
_PREFIX = re.compile(r"^[A-Z]{1,10}(?=[0-9O])")
_MISREAD = str.maketrans("OIL", "011")
#: Below this many digits a number without its letters says too little.
_FEWEST_DIGITS = 4
_BELGIAN = 12
_SWISS_LENGTH = 27


def normal(reference: str) -> str:
    """Return a reference without blanks, in capitals."""
    return "".join(reference.split()).upper()


def loose(given: str) -> str:
    """Return a normal reference without separators and leading zeros."""
    return _SEPARATE.sub("", given).lstrip("0")


def digits(loosely: str) -> str | None:
    """Return the number in a loose reference without the letters before it, with O, I and L read as digits; None where
    other letters are left or it is short."""
    number = _PREFIX.sub("", loosely).translate(_MISREAD).lstrip("0")
    return number if number.isascii() and number.isdecimal() and len(number) >= _FEWEST_DIGITS else None


def form(reference: str) -> str:
    """Return the one form that all ways to write a reference share: its number where it has one, else the loose form.

    Two references of which one is found by the other have a form in common, among those of their `keys`.
    """
    loosely = loose(normal(reference))
    return digits(loosely) or loosely


def normals(references: pl.Series) -> pl.Series:
    """Return `normal` of many; those of capitals, digits and strokes only are normal already, and seen quickly."""
    if not references.str.contains(r"[^A-Z0-9/.-]").any():
        return references
    return references.to_frame("text").select(normal_form("text")).to_series()


def normal_form(column: str) -> pl.Expr:
    """Return `normal` of a column."""
    return pl.col(column).str.replace_all(r"\s+", "").str.to_uppercase()


def loose_form(normally: pl.Expr) -> pl.Expr:
    """Return `loose` of a normal form."""
    return normally.str.replace_all(_SEPARATORS, "").str.strip_chars_start("0")


def digits_form(loosely: pl.Expr) -> pl.Expr:
    """Return `digits` of a loose form."""
    number = loosely.str.replace(r"^[A-Z]{1,10}([0-9O])", "$1").str.replace_all("O", "0").str.replace_all("[IL]", "1")
    bare = number.str.strip_chars_start("0")
    return pl.when(bare.str.contains(rf"^[0-9]{{{_FEWEST_DIGITS},}}$")).then(bare)


@lru_cache(maxsize=100_000)
def keys(reference: str) -> tuple[tuple[str, str], ...]:
    """Return how and as what an invoice's reference may be found in the forms given, loose and digits; the surest
    first. An empty reference has none."""
    return tuple(_keys(reference))


def _keys(reference: str) -> Iterator[tuple[str, str]]:
    given = normal(reference)
    if not given or given.strip("0") == "":
        return
    yield GIVEN, given
    loosely = loose(given)
    number = digits(loosely)
    if loosely:
        yield WRITTEN, loosely
    if number is not None:
        yield WRITTEN, number
    yield from ((CHECKED, key) for key in _without_check(given, loosely, number))
    yield from ((UNCHECKED, key) for key in _with_check(loosely, number))


def pieces(text: str) -> list[str]:
    """Return the numbers that a candidate out of free text may be made of: those between its strokes."""
    found = [piece for piece in text.split("/") if len(piece) >= _FEWEST_DIGITS]
    return found if "/" in text else []


def _without_check(given: str, loosely: str, number: str | None) -> Iterator[str]:
    if is_creditor_reference(loosely):
        inner = loosely[4:].lstrip("0")
        yield inner
        if inner.isdecimal() and len(inner) >= _FEWEST_DIGITS and seven_three_one(inner[:-1]) == inner[-1]:
            yield inner[:-1]
        return
    if loosely[:-1].isdecimal() and loosely[-1:] == eleven(loosely[:-1]):
        yield loosely[:-1]
    if given.endswith("-") and loosely.isdecimal() and eleven(loosely) == "-":
        yield loosely
    if number is None or len(number) <= _FEWEST_DIGITS:
        return
    bare, check = number[:-1], number[-1]
    if luhn(bare) == check:
        yield bare
        if int(bare[-1]) == len(number) % 10:
            yield bare[:-1]
    if seven_three_one(bare) == check:
        yield bare
    whole = _SEPARATE.sub("", given)
    if _is_swiss(whole):
        yield whole[:-1].lstrip("0")
    if _is_belgian(whole):
        yield whole[:-2].lstrip("0")


def _with_check(loosely: str, number: str | None) -> Iterator[str]:
    if loosely.isascii() and loosely.isalnum() and _FEWEST_DIGITS <= len(loosely) <= 21:
        yield creditor_reference(loosely)
    if number is None or len(number) > 24:
        return
    finnish = number + seven_three_one(number)
    yield finnish
    yield creditor_reference(finnish)
    yield number + luhn(number)
    yield number + eleven(number)
    lengthened = number + str((len(number) + 2) % 10)
    yield lengthened + luhn(lengthened)


def proves_itself(reference: str, schemes: frozenset[str]) -> bool:
    """Whether a reference carries check digits that are right and no chance: those of ISO 11649, of a Swiss QR
    reference, of a Belgian message between its marks; others (`luhn`, `eleven`, `seven_three_one`) where `schemes`
    names them, for one digit is right by chance in one of ten."""
    given = normal(reference)
    if is_creditor_reference(given):
        return True
    known = {"luhn": luhn, "eleven": eleven, "seven_three_one": seven_three_one}
    body = given[:-1]
    if body.isascii() and body.isdecimal() and any(known[s](body) == given[-1] for s in schemes):
        return True
    whole = _SEPARATE.sub("", given)
    return _is_swiss(whole) or (given[:3] in {"+++", "***"} and _is_belgian(whole))


def _is_swiss(whole: str) -> bool:
    return whole.isdecimal() and len(whole) == _SWISS_LENGTH and swiss(whole[:-1]) == whole[-1]


def _is_belgian(whole: str) -> bool:
    return whole.isdecimal() and len(whole) == _BELGIAN and (int(whole[:-2]) % 97 or 97) == int(whole[-2:])
