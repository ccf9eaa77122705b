"""Payments for people: one line of the queue, everything about one, and a sheet of many. Nothing is decided here."""

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from import_project.pipeline.parts import Parts
from import_project.pipeline.remember import allocations_of
from import_project.pipeline.sheets import write_sheet
from import_project.records.decisions import Change, DecidedPayment, Settlement

_OF_PAYMENT: tuple[str, ...] = (
    "booking_date",
    "amount",
    "currency",
    "account",
    "payer_name",
    "payer_account",
    "bank_reference",
)
_OF_PAYMENT += ("end_to_end_id",)


def listed(one: DecidedPayment, today: date) -> dict[str, Any]:
    """Return a payment as a line of the queue: plain values, `days` since it was booked, its rivals as proposals."""
    told = json.loads(one.evidence)
    return {
        "payment": one.payment.payment_id,
        "feed": one.feed,
        "row_number": one.payment.row_number,
        **{name: _plain(getattr(one.payment, name)) for name in _OF_PAYMENT},
        "days": (today - one.payment.booking_date).days,
        "references": list(dict.fromkeys(r.text for r in one.payment.references)),
        "remittance": one.remittance,
        "reason": one.reason,
        "evidence": told["evidence"],
        "rivals": told.get("rivals", []),
        "rule": one.rule,
        "rule_version": one.rule_version,
        "rules": told.get("rules"),
        "decided_by": one.decided_by,
        "decided_at": _plain(one.decided_at),
        "taken_back_by": one.taken_back_by,
    }


def explained(parts: Parts, one: DecidedPayment) -> dict[str, Any]:
    """Return everything about a payment: the line, its file, what is posted of it, and the decisions before."""
    name = one.payment.payment_id
    arrival = parts.ledger.arrivals.bringer(one.feed, one.sha256)
    return {
        **listed(one, parts.clock().date()),
        "file": arrival.name,
        "partition": arrival.partition,
        "note": one.note,
        "postings": [_posting(s) for s in parts.ledger.payments.settlements(one.feed, [name])],
        "changes": [_change(c) for c in parts.ledger.payments.changes(one.feed, name)],
    }


def export_payments(parts: Parts, found: Sequence[DecidedPayment], to: Path) -> int:
    """Write payments to a CSV or XLSX file, a row each: the line of the queue, and what they settle. Returns how many.

    Raises ConfigError for another kind of file.
    """
    today = parts.clock().date()
    settled: defaultdict[str, list[str]] = defaultdict(list)
    mine: defaultdict[str, list[Settlement]] = defaultdict(list)
    by_feed: defaultdict[str, list[str]] = defaultdict(list)
    for one in found:
        by_feed[one.feed].append(one.payment.payment_id)
    for feed, names in by_feed.items():
        for s in parts.ledger.payments.settlements(feed, names):
            mine[s.payment_id].append(s)
    for name, postings in mine.items():
        settled[name] = [f"{a.invoice_id}: {a.settles}" for a in allocations_of(postings).get(name, ())]
    rows = [_flat(listed(one, today), settled[one.payment.payment_id]) for one in found]
    names = list(_flat(_EMPTY, []))
    table = pl.DataFrame([[r[n] for n in names] for r in rows], schema=dict.fromkeys(names, pl.String), orient="row")
    return write_sheet(to, table, "payments")


_EMPTY: dict[str, Any] = {"references": [], "rivals": []}


def _flat(line: dict[str, Any], settles: Sequence[str]) -> dict[str, str | None]:
    names = ("payment", "feed", "row_number", *_OF_PAYMENT, "days", "remittance", "reason", "evidence", "rule")
    cells = {name: line.get(name) for name in (*names, "decided_by", "decided_at")}
    cells |= {"references": ", ".join(line["references"]), "settles": "; ".join(settles)}
    cells["proposals"] = "; ".join(f"{', '.join(r['invoices'])} ({r['why']})" for r in line["rivals"])
    return {name: None if value is None or value == "" else str(value) for name, value in cells.items()}


def _posting(one: Settlement) -> dict[str, Any]:
    names = ("kind", "invoice_id", "amount", "written_off", "state", "receipt")
    return {name: _plain(getattr(one, name)) for name in names}


def _change(one: Change) -> dict[str, Any]:
    told = {n: _plain(getattr(one, n)) for n in Change.__slots__ if n != "evidence"}
    return told | {"evidence": json.loads(one.evidence)["evidence"]}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return value.isoformat() if isinstance(value, date) else value
