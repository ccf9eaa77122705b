"""What the payer said the money is for: references with their given parts, and free text. Source: `RmtInf` of
ISO 20022, `Strd` once for each document, `Ustrd` in pieces of up to 140 characters."""

from import_project.formats.iso20022.elements import Element, at, each, local, text
from import_project.formats.payment_rows import minor_units

#: text, source, part of the amount in minor units.
Reference = tuple[str, str, int | None]

#: Amounts of a referred document, and whether they lower the payment.
_PARTS = (("RmtdAmt", 1), ("CdtNoteAmt", -1))


def remittance(info: Element | None, currency: str, sign: int) -> tuple[list[Reference], str | None]:
    """Return references and free text. A part is signed as the payment is, a credit note's against it.

    Parts in another currency than the payment's are not taken.
    """
    references: list[Reference] = []
    texts: list[str] = []
    if info is None:
        return references, None
    for child in info:
        name = local(child)
        if name == "Ustrd":
            if child.text and (told := child.text.strip()):
                texts.append(told)
        elif name == "Strd":
            references += _structured(child, currency, sign)
            texts += [more for a in each(child, "AddtlRmtInf") if (more := text(a))]
    return references, "\n".join(texts) or None


def _structured(document: Element, currency: str, sign: int) -> list[Reference]:
    part = _part(at(document, "RfrdDocAmt"), currency, sign)
    creditor = text(document, "CdtrRefInf", "Ref") or text(document, "CdtrRefInf", "CdtrRef")  # the latter in .01
    numbers = [n for info in each(document, "RfrdDocInf") if (n := text(info, "Nb") or text(info, "RfrdDocNb"))]
    if creditor:
        return [(creditor, "creditor_reference", part), *((n, "document", None) for n in numbers)]
    return [(n, "document", part if len(numbers) == 1 else None) for n in numbers]


def _part(amounts: Element | None, currency: str, sign: int) -> int | None:
    found = [
        (told * sign * way)
        for name, way in _PARTS
        for a in each(amounts, name)
        if a.get("Ccy") in {None, currency} and (told := minor_units(text(a)))
    ]
    return sum(found) if found else None
