"""Names of payers and customers in the forms in which two are compared. A name alone proves nothing."""

import re
import unicodedata
from functools import lru_cache

_FOLDED = str.maketrans({"Ä": "AE", "Ö": "OE", "Ü": "UE", "Å": "AA", "Æ": "AE", "Ø": "OE", "ß": "SS"})
#: The shortest beginning by which a name that was cut is still told: fields cut at 24 letters or more.
_LEAST_NAME = 20


@lru_cache(maxsize=100_000)
def folded(name: str | None) -> str:
    """Return a name in capitals, without accents, marks and blanks at its ends; letters as banks replace them."""
    text = unicodedata.normalize("NFKD", (name or "").upper().translate(_FOLDED))
    plain = re.sub(r"[^A-Z0-9 ]", " ", text.encode("ascii", "ignore").decode())
    return " ".join(plain.split())


def same_name(one: str | None, other: str | None) -> bool:
    """Whether two names are the same once folded, or one is the other's beginning, as a field cuts it."""
    first, second = sorted((bare(one), bare(other)), key=len)
    return bool(first) and (first == second or (len(first) >= _LEAST_NAME and second.startswith(first)))


def bare(name: str | None) -> str:
    """Return a name folded, without blanks; Ä, Æ, AE and A are one there, and so are Ö and OE, Ü and UE, Å and AA."""
    return re.sub(r"A{2,}", "A", re.sub(r"([AOU])E+", r"\1", folded(name).replace(" ", "")))
