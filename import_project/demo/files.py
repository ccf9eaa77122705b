"""The files and invoices of the demo, and what each file must come to. Made here, so that their contents are known.

The BgMax file holds good payments, unmatched ones, a partial one, several references, a deduction, and a section whose
deposit does not add up. The CSV holds good rows and one row for each kind of mistake.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

BGMAX_NAME = "BGMAX_20261120_001.txt"
ORDERS_NAME = "orders_20261120.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What one demo file must come to."""

    file: str
    feed: str
    rows: int
    accepted: int
    quarantined: int
    matched: int | None
    unmatched: int | None
    posted: int
    state: str = "done"


EXPECTED = (
    Expected(file=BGMAX_NAME, feed="bankgiro", rows=10, accepted=8, quarantined=2, matched=5, unmatched=3, posted=8),
    Expected(
        file=ORDERS_NAME, feed="orders", rows=10, accepted=5, quarantined=5, matched=None, unmatched=None, posted=5
    ),
)

#: What must reach the API, by kind of request: how often, and the sum of the amounts over all currencies.
EXPECTED_EFFECTS = {
    "matched": (7, Decimal("5950.00")),
    "unmatched-payments": (3, Decimal("1135.00")),
    "orders": (5, Decimal("5931.50")),
}


def invoices() -> list[dict[str, Any]]:
    """Return the open invoices that the receiving API starts with."""
    rows = [
        ("INV-1001", "524967", "SEK", "1900.00"),
        ("INV-1002", "665760", "SEK", "1200.00"),
        ("INV-1003", "665869", "SEK", "600.00"),
        ("INV-1004", "573964", "SEK", "1700.00"),
        ("INV-1005", "573865", "SEK", "300.00"),
        ("INV-1006", "525865", "SEK", "800.00"),
        ("INV-1007", "525766", "SEK", "500.00"),
        ("CRN-2001", "744502", "SEK", "-250.00"),
        ("INV-1008", "535765", "SEK", "990.00"),
    ]
    names = ("invoice_id", "reference", "currency", "open_amount")
    return [dict(zip(names, row, strict=True)) for row in rows]


def orders_csv() -> bytes:
    """Return the orders file: five good rows, and one with each of five mistakes."""
    rows = [
        "order_id;customer;ordered_on;amount;currency;items",
        "AB-000001;Olles Färg AB;2026-11-19;1249,50;SEK;3",
        "AB-000002;Berits Garn;2026-11-19;88,00;EUR;1",
        "AB-000003;Kalles Plåt AB;2026-11-30;1.250,00;SEK;2",  # a thousands point that was not agreed
        "AB-000004;Nordlys AS;2026-11-20;4500,00;NOK;12",
        "AB-000005;Storåker Bygg;2026-02-30;120,00;SEK;1",  # no such day
        "AB-6;Lillagatan Handel;2026-11-20;99,90;SEK;1",  # no order number
        "AB-000007;Havsörn Rederi;2026-11-20;310,00;USD;1",  # a currency that was not agreed
        'AB-000008;"Öberg; Söner";2026-11-20;75,25;SEK;',
        "AB-000009;Tjörn Marin;2026-11-20;640,00;SEK",  # a field is missing
        "AB-000010;Vänern Frukt;2026-11-20;18,75;EUR;4",
    ]
    return ("\r\n".join(rows) + "\r\n").encode()


def bgmax() -> bytes:
    """Return the BgMax file: three sections in SEK, of which the last does not add up."""
    first = [
        _payment("20", "97012333", "524967", "1900.00", code=2, serial=1),
        _text("26", "Olles Färg AB"),
        _text("27", "Lillagatan 3".ljust(35) + "12345"),
        _text("28", "Storåker"),
        _text("29", "005500004321"),
        _payment("20", "3783511", "", "1800.00", code=0, serial=2),
        _payment("22", "3783511", "665760", "0.00", code=2, serial=2),
        _payment("22", "3783511", "665869", "0.00", code=2, serial=2),
        _text("25", "Betalning 665760 665869"),
        _text("26", "Kalles Plåt AB"),
        _payment("20", "1234567", "", "2000.00", code=0, serial=3),
        _payment("22", "1234567", "573964", "1700.00", code=2, serial=3),
        _payment("22", "1234567", "573865", "300.00", code=2, serial=3),
        _text("26", "Berits Garn"),
        _payment("20", "97012333", "525865", "500.00", code=2, serial=4),
        _text("26", "Olles Färg AB"),
    ]
    second = [
        _payment("20", "5551234", "KUNDNR 77 FAKTURA 12", "410.00", code=3, serial=5),
        _text("26", "Okänd Kund HB"),
        _payment("20", "5551235", "", "75.00", code=1, serial=6),
        _payment("20", "1234567", "525766", "650.00", code=2, serial=7),
        _text("26", "Berits Garn"),
        _payment("21", "1234567", "744502", "250.00", code=2, serial=7, deduction=0),
    ]
    third = [
        _payment("20", "3783511", "535765", "990.00", code=2, serial=8),
        _payment("20", "3783511", "535773", "10.00", code=2, serial=9),
    ]
    body = [
        _record("01BGMAX".ljust(22) + "01" + "20261120173035010331P"),
        *_section(first, "6200.00", deposit=56, count=4),
        *_section(second, "885.00", deposit=57, count=4),
        *_section(third, "1100.00", deposit=58, count=2),
        _record(f"70{9:08}{1:08}{4:08}{3:08}"),
    ]
    return ("\r\n".join(body) + "\r\n").encode("iso-8859-1")


def _record(text: str) -> str:
    return text.ljust(80)


def _text(record: str, text: str) -> str:
    return _record(record + text)


def _oere(amount: str) -> str:
    return f"{int(Decimal(amount) * 100):018}"


def _payment(
    record: str, sender: str, reference: str, amount: str, *, code: int, serial: int, deduction: int | None = None
) -> str:
    line = f"{record}{sender:0>10}{reference:>25}{_oere(amount)}{code}1{serial:012}0"
    return _record(line + ("" if deduction is None else str(deduction)))


def _section(groups: list[str], declared: str, *, deposit: int, count: int) -> list[str]:
    opening = _record(f"05{9912346:010}{'':10}SEK")
    closing = _record(f"15{5841000001009823:035}20261120{deposit:05}{_oere(declared)}SEK{count:08}")
    return [opening, *groups, closing]
