"""What a written reference may mean: check digits, other ways to write a number, and readings of it.

Also which amounts make up a sum. All of it is plain functions, which draw nothing.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import combinations

TOLERANCE = Decimal("1.00")


def luhn(n: str) -> str:
    """The number with its Luhn digit, which is KID mod 10 as well."""
    return n + str(-sum(sum(divmod(int(d) * (2 - i % 2), 10)) for i, d in enumerate(reversed(n))) % 10)


def length_luhn(n: str) -> str:
    """With the length of the whole, then Luhn."""
    return luhn(n + str((len(n) + 2) % 10))


def mod11(n: str) -> str:
    """KID mod 11; ten is written as a hyphen."""
    return n + "0123456789-"[-sum(int(d) * (2 + i % 6) for i, d in enumerate(reversed(n))) % 11]


def viite(n: str) -> str:
    """The Finnish reference."""
    return n + str(-sum(int(d) * (7, 3, 1)[i % 3] for i, d in enumerate(reversed(n))) % 10)


def mod97(head: str, body: str) -> str:
    """ISO 11649 and IBAN: two check digits between head and body."""
    letters = "".join(str(int(c, 36)) for c in head)
    return f"{head}{98 - int(body + letters + '00') % 97:02}{body}"


def core(text: str) -> str:
    """The digits alone, without leading zeros."""
    return re.sub(r"\D", "", text).lstrip("0")


def body(text: str) -> str:
    """The digits of a reference, without those that check an RF one."""
    text = text.upper().replace(" ", "")
    return re.sub(r"\D", "", text[4:] if text.startswith("RF") else text)


def names(n: str) -> set[str]:
    """All that may be written for a number."""
    rf = [mod97("RF", x) for x in (n, viite(n))]
    return {core(x) for x in (n, luhn(n), length_luhn(n), mod11(n), viite(n), *rf)}


def checks(text: str) -> bool:
    """Whether the last digit could be a check digit."""
    n = body(text)
    return n in {luhn(n[:-1]), mod11(n[:-1]), viite(n[:-1])}


def readings(text: str) -> set[str]:
    """The numbers that somebody may see in a reference: all its digits, a letter O as zero, each of its pieces."""
    seen = {core(text), core(body(text)), core(re.sub("[oO]", "0", text))}
    seen |= {core(x) for x in re.split(r"\D+", text)}
    return {x for x in seen if len(x) > 3 and x not in {"2023", "2024", "2025", "2026", "2027"}}


def neighbours(n: str) -> set[str]:
    """The numbers one digit or one swap away."""
    near = {n[:i] + d + n[i + 1 :] for i in range(len(n)) for d in "0123456789"}
    return {core(x) for x in near | {n[:i] + n[i + 1] + n[i] + n[i + 2 :] for i in range(len(n) - 1)}} - {n}


def fits(amounts: Sequence[Decimal], total: Decimal, slack: Decimal = TOLERANCE) -> list[tuple[int, ...]]:
    """Every choice of amounts that makes up the total."""
    chosen = (c for k in range(1, len(amounts) + 1) for c in combinations(range(len(amounts)), k))
    return [c for c in chosen if abs(sum(amounts[i] for i in c) - total) <= slack]
