"""The information `:86:` in the dialects that banks write: numbered subfields (Germany, Austria, Poland), code words
between slashes (the Netherlands), a counter account on the first line (SNS, ASN), or plain text."""

import re
from typing import NamedTuple

_CODE_FIRST = re.compile(r"\d{3}\?\d\d")
_SUBFIELD = re.compile(r"\?(\d\d)")
_SEPA = re.compile(r"(EREF|KREF|MREF|CRED|DEBT|SVWZ|ABWA|ABWE|IBAN|BIC|COAM|OAMT)\+")
_WORDS = (
    "TRTP|IBAN|BIC|NAME|REMI|EREF|KREF|MARF|CSID|PREF|RTRN|ISDT|ADDR|ORDP|BENM|ULTD|ULTC|PURP|CNTP|SVCL|BUSP|TRCD|OCMT|"
    "CHGS|EXCH|ID|ACCW|PHON|CREF|RREF|RCAC"
)
_SLASHED = re.compile(rf"/({_WORDS})/")
_REMITTANCE = frozenset({*(f"{n}" for n in range(20, 30)), *(f"{n}" for n in range(60, 64))})
_IBAN_FIRST = re.compile(r"([A-Z]{2}\d{2}[A-Z0-9]{10,30})(?: ([^\n]*))?(?:\n(.*))?", re.DOTALL)
_STRUCTURED = re.compile(r"STRD/(?:CUR|ISO)?/?([^/]+)|/?CREF/([^/]+)")
_NOTHING = frozenset({"NOTPROVIDED", "NOT PROVIDED", "NONREF"})


class Details(NamedTuple):
    """What a `:86:` says."""

    remittance: str | None = None
    name: str | None = None
    account: str | None = None
    end_to_end_id: str | None = None
    reference: str | None = None


def details(value: str) -> Details:
    """Read the value of one or more `:86:` fields, by the dialect that its marks show."""
    joined = value.replace("\n", "") if "\n" in value else value
    if _CODE_FIRST.match(joined):
        return _numbered(joined[3:])
    if _SLASHED.match(joined):
        return _slashed(joined)
    if found := _IBAN_FIRST.match(value):
        return Details(account=found[1], name=_filled(found[2]), remittance=_filled(" ".join((found[3] or "").split())))
    return Details(remittance=_filled(" ".join(value.split())))


def _filled(text: str | None) -> str | None:
    return (text.strip() or None) if text else None


def _given(text: str | None) -> str | None:
    text = _filled(text)
    return None if text is None or text.upper() in _NOTHING else text


def _numbered(text: str) -> Details:
    """Subfields `?20`: remittance in 20 to 29 and 60 to 63, the other side in 31 to 33, with SEPA words inside."""
    _, *parts = _SUBFIELD.split(text)
    fields: dict[str, str] = {}
    for number, told in zip(parts[::2], parts[1::2], strict=True):
        fields[number] = fields[number] + told if number in fields else told
    told = "".join([fields[n] for n in fields if n in _REMITTANCE])
    words = _worded(_SEPA, told) if "+" in told else {"": told.strip()}
    name = fields.get("32", "") + fields.get("33", "")
    return Details(
        remittance=_filled(words.get("SVWZ") or words.get("")) if words else _filled(told),
        name=_filled(words.get("ABWA")) or _filled(name),
        account=_filled(fields.get("31")) or _filled(words.get("IBAN")),
        end_to_end_id=_given(words.get("EREF")),
    )


def _slashed(text: str) -> Details:
    """Words such as `/NAME/`; the reference of a structured remittance stands behind `STRD` in `/REMI/`."""
    words = _worded(_SLASHED, text)
    remitted = words.get("REMI")
    counter = (words.get("CNTP") or "").split("/")
    structured = _STRUCTURED.search(remitted or "") if remitted else None
    reference = _filled(structured[1] or structured[2]) if structured else None
    free = (remitted or "").removeprefix("USTD//").strip("/")
    return Details(
        remittance=_filled(free),
        name=_filled((words.get("NAME") or "").strip("/")) or (_filled(counter[2]) if len(counter) > 2 else None),
        account=_filled((words.get("IBAN") or "").strip("/")) or _filled(counter[0]),
        end_to_end_id=_given((words.get("EREF") or "").strip("/")),
        reference=reference,
    )


def _worded(words: re.Pattern[str], text: str) -> dict[str, str]:
    """Return what stands behind each word; under "" what stands before the first."""
    before, *parts = words.split(text)
    found = {"": before.strip()} if before.strip() else {}
    for word, told in zip(parts[::2], parts[1::2], strict=True):
        if (stripped := told.strip()) and word not in found:
            found[word] = stripped
    return found
