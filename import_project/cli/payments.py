"""`import-project payments`: the work queue. Payments that settle nothing: listed, explained, decided by hand."""

import getpass
from collections.abc import Sequence
from datetime import UTC
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from uuid import uuid4

from rich.table import Column, Table
from rich.text import Text

from import_project.cli.installation import installation, named_feed, print_json
from import_project.cli.outcome_table import table_console
from import_project.errors import ConfigError, one_line
from import_project.pipeline.by_hand import Hand, Wanted, find, match_by_hand, unmatch_by_hand
from import_project.pipeline.work_queue import explained, export_payments, listed
from import_project.records.decisions import DecidedPayment
from import_project.records.payments import UnmatchedReason

_MOST_SHOWN = 100
_SHORT = 12
_WIDE = 120


def list_unmatched(feed: str | None, reason: str | None, *, as_json: bool) -> None:
    """Print the payments that settle nothing, the oldest first."""
    if feed is not None:
        named_feed(feed)
    with installation() as parts:
        found = parts.ledger.payments.unmatched(feed, None if reason is None else UnmatchedReason(reason))
        today = parts.clock().astimezone(UTC).date()
    rows = [listed(one, today) for one in found]
    if as_json:
        print_json(rows)
        return
    console = table_console()
    console.print(_queue(rows[:_MOST_SHOWN], wide=console.width >= _WIDE))
    if len(rows) > _MOST_SHOWN:
        console.print(f"and {len(rows) - _MOST_SHOWN:,} more: export them, or name a --feed or --reason")


def _queue(rows: Sequence[dict[str, Any]], *, wide: bool) -> Table:
    """The queue as a table; on a narrow terminal only what a payment is known by, and why it is there."""
    whole = ("payment", "booked", "amount", "reason")
    beside = {"payment": ("feed",), "booked": ("days",), "amount": ("payer", "reference"), "reason": ("proposals",)}
    names = [n for name in whole for n in (name, *(beside[name] if wide else ()))]
    table = Table(*(Column(name, no_wrap=name in whole) for name in names))
    for row in rows:
        cells = {
            "payment": row["payment"][:_SHORT],
            "feed": row["feed"],
            "booked": row["booking_date"],
            "days": str(row["days"]),
            "amount": f"{row['amount']} {row['currency']}",
            "payer": (row["payer_name"] or row["payer_account"] or "-")[:30],
            "reference": ", ".join(row["references"])[:30] or "-",
            "reason": row["reason"],
            "proposals": str(len(row["rivals"]) or "-"),
        }
        table.add_row(*(Text(one_line(cells[name])) for name in names))
    return table


def explain_payment(name: str, feed: str | None, *, as_json: bool) -> None:
    """Print what was decided about a payment, why, what follows from it, and what stood before."""
    with installation() as parts:
        one = find(parts, name, feed)
        told = explained(parts, one)
    if as_json:
        print_json(told)
        return
    _print_explained(told)


def match_payment(
    name: str, invoices: Sequence[str], feed: str | None, by: str | None, note: str, *, credit: bool, as_json: bool
) -> None:
    """Settle invoices with a payment by hand, and post that."""
    wanted = [_wanted(text) for text in invoices]
    with installation() as parts:
        one = find(parts, name, feed)
        loaded, hand = named_feed(one.feed), Hand(by=by or getpass.getuser(), note=note)
        match_by_hand(parts, loaded, one, wanted, hand, credit=credit, owner=_owner())
        told = explained(parts, find(parts, one.payment.payment_id, one.feed))
    _told(told, as_json=as_json)


def unmatch_payment(name: str, reason: str, feed: str | None, by: str | None, note: str, *, as_json: bool) -> None:
    """Take back what a payment settles, and post that."""
    with installation() as parts:
        one = find(parts, name, feed)
        loaded, hand = named_feed(one.feed), Hand(by=by or getpass.getuser(), note=note)
        unmatch_by_hand(parts, loaded, one, UnmatchedReason(reason), hand, owner=_owner())
        told = explained(parts, find(parts, one.payment.payment_id, one.feed))
    _told(told, as_json=as_json)


def export_them(feed: str | None, to: Path, *, everything: bool, force: bool) -> None:
    """Write payments and their decisions to a CSV or XLSX file; over another only by `force`."""
    if to.exists() and not force:
        raise ConfigError(f"{to} exists", do="name another, or say --force")
    with installation() as parts:
        found: list[DecidedPayment] = (
            parts.ledger.payments.all(feed) if everything else parts.ledger.payments.unmatched(feed)
        )
        count = export_payments(parts, found, to)
    table_console().print(f"{count:,} payments written to {to}", markup=False, highlight=False, soft_wrap=True)


def _owner() -> str:
    return f"payments-{uuid4().hex[:12]}"


def _wanted(text: str) -> Wanted:
    invoice_id, given, amount = text.rpartition("=") if "=" in text else (text, "", "")
    if not given:
        return Wanted(invoice_id=invoice_id)
    try:
        money = Decimal(amount)
        if not money.is_finite() or money != money.quantize(Decimal("0.01")):
            raise InvalidOperation
    except InvalidOperation:
        raise ConfigError(f"{amount!r} is no amount of money", do="write INVOICE=12.50") from None
    return Wanted(invoice_id=invoice_id, amount=money.quantize(Decimal("0.01")))


def _told(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(told)
    else:
        _print_explained(told)


def _print_explained(told: dict[str, Any]) -> None:
    console = table_console()
    facts = Table(show_header=False, box=None)
    lines = {
        "payment": told["payment"],
        "file": f"{told['file']} ({told['feed']}), row {told['row_number']}",
        "booked": f"{told['booking_date']}: {told['amount']} {told['currency']}",
        "payer": " ".join(t for t in (told["payer_name"], told["payer_account"]) if t) or "-",
        "references": ", ".join(told["references"]) or "-",
        "text": told["remittance"] or "-",
        "decision": told["reason"] or "matched",
        "rule": f"{told['rule']}, version {told['rule_version']}, by {told['decided_by']} at {told['decided_at']}",
        "evidence": told["evidence"],
        "taken back by": told["taken_back_by"],
    }
    for name, text in lines.items():
        if text:
            facts.add_row(name, Text(one_line(str(text))))
    console.print(facts)
    if told["rivals"]:
        table = Table("proposal", "why it was not taken")
        for one in told["rivals"]:
            table.add_row(Text(", ".join(one["invoices"])), Text(one_line(one["why"])))
        console.print(table)
    if told["postings"]:
        table = Table("posting", "invoice", "takes", "written off", "state")
        for one in told["postings"]:
            cells = (one["kind"], one["invoice_id"], one["amount"], one["written_off"], one["state"])
            table.add_row(*(Text(str(c or "-")) for c in cells))
        console.print(table)
    if told["changes"]:
        table = Table("before", "by", "decision", "rule", "evidence", "note")
        for one in told["changes"]:
            cells = (one["decided_at"], one["decided_by"], one["reason"] or "matched", one["rule"], one["evidence"])
            table.add_row(*(Text(one_line(str(c))) for c in (*cells, one["note"] or "-")))
        console.print(table)
