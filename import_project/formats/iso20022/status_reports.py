"""A payment status report (pain.002): what became of payments or direct debits that we ordered. Nothing in it is
booked; it has no totals of its own. Source: ISO 20022, `CustomerPaymentStatusReport`."""

from decimal import Decimal
from typing import Any

from import_project.formats.iso20022.documents import Document
from import_project.formats.iso20022.elements import Element, at, day, each, local, parts, text
from import_project.formats.iso20022.messages import STATUS_REPORT, full_name, message_of
from import_project.formats.payment_rows import PaymentRows, minor_units
from import_project.records.issues import Issue
from import_project.records.statements import UNKNOWN_CURRENCY, Statement


def read_report(
    document: Document, number: int, rows: PaymentRows, before: int
) -> tuple[str, Statement | None, list[Issue]]:
    """Add the transactions of a report to `rows`; return its full name, itself as a statement, and findings.

    A rejection or acceptance of a whole group may list no transaction. One without an amount is set aside.
    """
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    while block := document.read():
        parser.feed(block)
    root = parser.close()
    report = next((e for e in (root, *root) if message_of(local(e)) == STATUS_REPORT), None)
    if report is None:
        return STATUS_REPORT, None, [Issue(rule="no_statement", message="the message holds no report")]
    name = full_name(STATUS_REPORT, str(report.nsmap.get(report.prefix) or ""))
    header, group = at(report, "GrpHdr"), at(report, "OrgnlGrpInfAndSts")
    created = day(at(header, "CreDtTm"))
    sign = 1 if "pain.008" in (text(group, "OrgnlMsgNmId") or "") else -1
    common = {"sign": sign, "group": text(group, "GrpSts"), "of": text(group, "OrgnlMsgId"), "day": created}
    held = len(rows)
    issues: list[Issue] = []
    for holder in (report, *each(report, "OrgnlPmtInfAndSts")):
        for transaction in each(holder, "TxInfAndSts"):
            row = before + len(rows) + 1
            if not _add(transaction, text(holder, "PmtInfSts"), number, row, rows, common):
                told = "the report states no amount for this transaction"
                issues.append(Issue(rule="amount", message=told, row_number=row, column="amount"))
    count = len(rows) - held
    statement = Statement(
        number=number,
        form=STATUS_REPORT,
        account=None,
        currency=UNKNOWN_CURRENCY,
        identification=text(header, "MsgId"),
        booking_date=created,
        payments=count,
        net=Decimal(0),
    )
    return name, statement, issues


def _add(
    transaction: Element,
    of_information: str | None,
    statement: int,
    row: int,
    rows: PaymentRows,
    common: dict[str, Any],
) -> bool:
    """Add one transaction; return whether it has an amount."""
    found = parts(transaction)
    original = found.get("OrgnlTxRef")
    amount = at(original, "Amt", "InstdAmt")
    minor = minor_units(text(amount))
    end_to_end = text(found.get("OrgnlEndToEndId"))
    status = text(found.get("TxSts")) or of_information or common["group"] or "unknown"
    reasons = [
        told
        for info in each(transaction, "StsRsnInf")
        for told in (text(info, "Rsn", "Cd"), text(info, "Rsn", "Prtry"), *(text(a) for a in each(info, "AddtlInf")))
        if told
    ]
    side = "Dbtr" if common["sign"] > 0 else "Cdtr"
    key = (common["of"], text(found.get("OrgnlInstrId")), end_to_end, status, minor)
    rows.add(
        "pain.002|" + "|".join("" if k is None else str(k) for k in key),
        [],
        row_number=row,
        statement=statement,
        currency=amount.get("Ccy") if amount is not None else UNKNOWN_CURRENCY,
        booking_date=day(found.get("AccptncDtTm")) or common["day"],
        amount=None if minor is None else common["sign"] * minor,
        status=status,
        reversal=False,
        bank_reference=text(found.get("AcctSvcrRef")),
        end_to_end_id=end_to_end,
        remittance="\n".join(reasons) or None,
        payer_name=text(original, side, "Nm") or text(original, side, "Pty", "Nm"),
        payer_account=text(original, f"{side}Acct", "Id", "IBAN"),
        position=f"TxInfAndSts {row}",
    )
    return minor is not None
