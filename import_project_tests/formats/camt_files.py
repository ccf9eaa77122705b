"""camt messages, written for tests: a head, balances that fit, and entries as XML."""

from collections.abc import Sequence
from decimal import Decimal

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:{message}.001.{version}"
_BELOW = {
    "camt.052": ("BkToCstmrAcctRpt", "Rpt"),
    "camt.053": ("BkToCstmrStmt", "Stmt"),
    "camt.054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
}
IBAN = "NL91ABNA0417164300"


def element(name: str, *inside: str, **attributes: str) -> str:
    told = "".join(f' {k}="{v}"' for k, v in attributes.items())
    return f"<{name}{told}>{''.join(inside)}</{name}>"


def money(amount: str, currency: str = "EUR") -> str:
    return element("Amt", amount.lstrip("-"), Ccy=currency)


def way(amount: str) -> str:
    return element("CdtDbtInd", "DBIT" if amount.startswith("-") else "CRDT")


def entry(
    amount: str, *inside: str, day: str = "2026-11-20", status: str = "<Sts>BOOK</Sts>", ref: str = "", more: str = ""
) -> str:
    booked = element("BookgDt", element("Dt", day)) if day else ""
    bank = element("AcctSvcrRef", ref) if ref else ""
    details = element("NtryDtls", *inside) if inside else ""
    return element("Ntry", money(amount), way(amount), status, booked, bank, more, details)


def transaction(amount: str, *inside: str, currency: str = "EUR", end_to_end: str = "") -> str:
    refs = element("Refs", element("EndToEndId", end_to_end)) if end_to_end else ""
    return element("TxDtls", refs, money(amount, currency), way(amount), *inside)


def balance(code: str, amount: str, currency: str = "EUR") -> str:
    kind = element("Tp", element("CdOrPrtry", element("Cd", code)))
    return element("Bal", kind, money(amount, currency), way(amount), element("Dt", element("Dt", "2026-11-20")))


def statement(
    entries: Sequence[str],
    *,
    opening: str = "100.00",
    net: str | None = None,
    iban: str = IBAN,
    kind: str = "Stmt",
    number: str = "1",
    more: str = "",
) -> str:
    """`net` is what the booked entries come to; without it there are no balances."""
    account = element("Acct", element("Id", element("IBAN", iban)), element("Ccy", "EUR"))
    closing = "" if net is None else balance("CLBD", str(Decimal(opening) + Decimal(net)))
    balances = "" if net is None else balance("OPBD", opening) + closing
    head = element("Id", f"S{number}") + element("ElctrncSeqNb", number) + account
    return element(kind, head, balances, more, *entries)


def document(*statements: str, message: str = "camt.053", version: str = "08", namespace: str | None = None) -> bytes:
    below, _ = _BELOW[message]
    below += "V01" if version == "01" else ""
    where = NAMESPACE.format(message=message, version=version) if namespace is None else namespace
    header = element("GrpHdr", element("MsgId", "M1"))
    root = element("Document", element(below, header, *statements), **({"xmlns": where} if where else {}))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{root}\n'.encode()


def container(message: str) -> str:
    return _BELOW[message][1]
