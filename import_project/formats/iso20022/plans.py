"""What of an entry's and a transaction's values is what, worked out once for each shape. Nothing is read here.

All places are those of `Values`; sequences of them are in the order in which they are tried or joined.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from import_project.formats.iso20022.shapes import NOTHING, Key, Node, Values, tree

#: Where an amount stands, and its currency (None: the entry's).
Amount = tuple[int, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """An amount in another currency than the entry's, and the rate."""

    amount: Amount
    rate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPlan:
    """What an entry says as a whole. `announced` has the number of payments that each of its details tells of."""

    amount: int
    currency: str | None
    direction: str | None
    status: str
    reference: int
    booking_date: int
    value_date: int
    charges: tuple[Amount, ...]
    originals: tuple[Original, ...]
    code: str | None
    reversal: bool
    information: int
    announced: tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A referred document or structured reference: its own references and the parts given for them.

    A part is an amount and whether it lowers the payment (-1).
    """

    creditor: int | None
    numbers: tuple[int, ...]
    parts: tuple[tuple[Amount, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """The other side of a payment."""

    name: int
    account: int
    identification: int
    address: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionPlan:
    """What a transaction says. `direction` is None where it leaves that to its entry."""

    direction: str | None
    amounts: tuple[Amount, ...]
    reference: int
    end_to_end_id: int
    other_ids: tuple[int, ...]
    documents: tuple[Document, ...]
    texts: tuple[int, ...]
    information: int
    debtor: Party
    creditor: Party
    charges: tuple[Amount, ...] | None
    originals: tuple[Original, ...]
    code: str | None
    returned: bool


def entry_plan(key: Key, places: Sequence[int] | None = None) -> EntryPlan:
    """Work out an entry's shape (`Ntry`, without its transactions)."""
    node, values = tree(key), Values(key, places)
    amount = node.at("Amt")
    status = node.at("Sts")
    chosen = [status.at("Cd"), status.at("Prtry"), status] if status is not None else []
    reversal = node.at("RvslInd")
    direction = node.at("CdtDbtInd")
    whole = {
        "amount": values.place(amount),
        "reference": values.place(node, "AcctSvcrRef"),
        "booking_date": _day(values, node.at("BookgDt")),
        "value_date": _day(values, node.at("ValDt")),
        "information": values.place(node, "AddtlNtryInf"),
    }
    charges, originals = _charges(values, node), _originals(values, node.at("AmtDtls"))
    details = [d.at("Btch", "NbOfTxs") for d in node.each("NtryDtls")]
    return EntryPlan(
        currency=amount.currency if amount is not None else None,
        direction=direction.code if direction is not None else None,
        status=next((s.code for s in chosen if s is not None and s.code), "BOOK"),
        charges=charges,
        originals=originals,
        code=_code(node.at("BkTxCd")),
        reversal=reversal is not None and reversal.code in {"true", "1"},
        announced=tuple(d.code if d is not None else None for d in details),
        **whole,
    )


def transaction_plan(key: Key, places: Sequence[int] | None = None) -> TransactionPlan:
    """Work out a transaction's shape (`TxDtls`)."""
    node, values = tree(key), Values(key, places)
    details, refs = node.at("AmtDtls"), node.at("Refs")
    amounts = [node.at("Amt"), *(d.at("Amt") if (d := _part(details, n)) else None for n in ("TxAmt", "InstdAmt"))]
    direction = node.at("CdtDbtInd")
    documents, texts = _remittance(values, node.at("RmtInf"))
    related = node.at("RltdPties")
    filled = {
        "amounts": tuple((values.place(a), a.currency) for a in amounts if a is not None),
        "reference": values.place(refs, "AcctSvcrRef"),
        "end_to_end_id": values.place(refs, "EndToEndId"),
        "other_ids": tuple(values.place(refs, n) for n in ("TxId", "InstrId", "UETR")),
        "information": values.place(node, "AddtlTxInf"),
        "debtor": _party(values, related, "Dbtr"),
        "creditor": _party(values, related, "Cdtr"),
        "charges": _charges(values, node) if node.at("Chrgs") is not None else None,
        "originals": _originals(values, details),
    }
    return TransactionPlan(
        direction=direction.code if direction is not None else None,
        documents=documents,
        texts=texts,
        code=_code(node.at("BkTxCd")),
        returned=node.at("RtrInf") is not None,
        **filled,  # type: ignore[arg-type]
    )


def _part(node: Node | None, name: str) -> Node | None:
    return node.at(name) if node is not None else None


def _day(values: Values, node: Node | None) -> int:
    return values.first(node, ("Dt",), ("DtTm",), ())


def _charges(values: Values, holder: Node) -> tuple[Amount, ...]:
    """Return the amounts that make up the charges: the stated total, else the records."""
    found: list[Node] = []
    for charges in holder.each("Chrgs"):
        stated = [a for n in ("TtlChrgsAndTaxAmt", "Amt") for a in charges.each(n)][:1]
        found += stated or [a for r in charges.each("Rcrd") for a in r.each("Amt")]
    return tuple((values.place(a), a.currency) for a in found)


def _originals(values: Values, details: Node | None) -> tuple[Original, ...]:
    if details is None:
        return ()
    names = ("InstdAmt", "TxAmt", "CntrValAmt")
    rate = values.first(details, *((n, "CcyXchg", "XchgRate") for n in names))
    amounts = [a for n in names if (a := details.at(n, "Amt")) is not None and a.currency is not None]
    return tuple(Original(amount=(values.place(a), a.currency), rate=rate) for a in amounts)


def _code(code: Node | None) -> str | None:
    """Return the bank transaction code: domain, family and sub-family, else the bank's own."""
    if code is None:
        return None
    domain = code.at("Domn")
    told = [domain.at("Cd"), domain.at("Fmly", "Cd"), domain.at("Fmly", "SubFmlyCd")] if domain is not None else []
    own = code.at("Prtry", "Cd")
    return "/".join(t.code for t in told if t is not None and t.code) or (own.code if own is not None else None)


def _party(values: Values, related: Node | None, side: str) -> Party:
    party = _part(related, side)
    inner = _part(party, "Pty")
    party = inner if inner is not None else party
    ultimate, account = _part(related, f"Ultmt{side}"), _part(related, f"{side}Acct")
    name = values.first(party, ("Nm",), ("Agt", "FinInstnId", "Nm"))
    identification = _part(party, "Id")
    others = [o for who in identification.children for o in who.children] if identification is not None else []
    ids = (values.place(o, "Id") for o in others if o.name in {"Othr", "PrtryId"})
    address = _part(party, "PstlAdr")
    lines = [values.place(c) for c in address.children] if address is not None else []
    return Party(
        name=name if name != NOTHING else values.first(ultimate, ("Pty", "Nm"), ("Nm",)),
        account=values.first(account, ("Id", "IBAN"), ("Id", "Othr", "Id"), ("Id", "PrtryAcct", "Id")),
        identification=next((i for i in ids if i != NOTHING), NOTHING),
        address=tuple(line for line in lines if line != NOTHING),
    )


def _remittance(values: Values, info: Node | None) -> tuple[tuple[Document, ...], tuple[int, ...]]:
    """Return references and free texts. Source: `RmtInf` of ISO 20022, `Strd` once for each document, `Ustrd` in pieces
    of up to 140 characters."""
    documents: list[Document] = []
    texts: list[int] = []
    for child in info.children if info is not None else ():
        if child.name == "Ustrd":
            texts.append(values.place(child))
        elif child.name == "Strd":
            documents.append(_document(values, child))
            texts += [values.place(a) for a in child.each("AddtlRmtInf")]
    return tuple(documents), tuple(t for t in texts if t != NOTHING)


def _document(values: Values, node: Node) -> Document:
    creditor = values.first(node, ("CdtrRefInf", "Ref"), ("CdtrRefInf", "CdtrRef"))  # the latter in .01
    numbers = [values.first(info, ("Nb",), ("RfrdDocNb",)) for info in node.each("RfrdDocInf")]
    amounts = node.at("RfrdDocAmt")
    parts = [(a, way) for n, way in (("RmtdAmt", 1), ("CdtNoteAmt", -1)) for a in (amounts.each(n) if amounts else ())]
    return Document(
        creditor=None if creditor == NOTHING else creditor,
        numbers=tuple(n for n in numbers if n != NOTHING),
        parts=tuple(((values.place(a), a.currency), way) for a, way in parts),
    )
