"""Step 8: fetch open invoices, match, and freeze every decision with its postings in one transaction.

A payment is decided once. Run again, or sent again in another file, it keeps its decision, keys and bodies.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

import polars as pl

from import_project.errors import ApiAnswerUnusable, ConfigError, DecidedMeanwhile
from import_project.formats.canonical import FREE_TEXT
from import_project.frames import MONEY
from import_project.matching.match import match
from import_project.pipeline.freeze import as_json, freeze
from import_project.pipeline.hold import Facts, Held
from import_project.pipeline.identity import ENTRY, entry_subject, subject
from import_project.records.payments import Invoice, Match, Payment, Reference
from import_project.records.postings import Draft, PostingKind, Taken

#: The table of open invoices; `fetched_at` (UTC) is when their list was asked for.
INVOICES: dict[str, pl.DataType] = {
    "invoice_id": pl.String(),
    "reference": pl.String(),
    "currency": pl.String(),
    "open_amount": MONEY,
    "fetched_at": pl.Datetime("us", "UTC"),
}
_MOST_CONTENTIONS = 10


async def fetch_invoices(held: Held) -> Facts:
    """Fetch the open invoices that this file is matched with, page by page, and keep them as a table."""
    rules = held.loaded.feed.match
    if rules is None:
        raise ConfigError("the feed has no key match")
    fetched_at = held.parts.clock()  # before the first page: what is posted later may not be in the list
    async with held.parts.open_api(held.loaded) as api:
        invoices = [_invoice(item) async for item in api.pages(rules.invoices)]
    rows = [(i.invoice_id, i.reference, i.currency, i.open_amount, fetched_at) for i in invoices]
    held.parts.tables.write(held.feed, "open_invoices", held.sha256, pl.DataFrame(rows, schema=INVOICES, orient="row"))
    return {"invoices": len(invoices)}


def _invoice(item: dict[str, Any]) -> Invoice:
    try:
        amount = Decimal(str(item["open_amount"]))
        if not amount.is_finite() or amount != round(amount, 2):
            raise InvalidOperation
        return Invoice(
            invoice_id=str(item["invoice_id"]),
            reference=str(item["reference"] or ""),
            currency=str(item["currency"]),
            open_amount=amount,
        )
    except KeyError as error:
        raise ApiAnswerUnusable(f"an open invoice has no {error.args[0]}") from None
    except InvalidOperation:
        raise ApiAnswerUnusable(f"the open amount of invoice {item['invoice_id']} is no amount of money") from None


async def reconcile(held: Held) -> Facts:
    """Decide about every accepted payment that is not decided yet, and freeze what follows from it."""
    feed = held.loaded.feed
    if feed.match is None:
        raise ConfigError("the feed has no key match")
    accepted = held.parts.tables.read(held.feed, "accepted", held.sha256)
    stored = held.parts.tables.read(held.feed, "open_invoices", held.sha256)
    payments = list(_payments(accepted))
    about = accepted.select("row_number", "remittance", "payer_name", "payer_account", "bank_reference")
    of_entry = {
        row.pop("row_number"): _entry(row) for row in accepted.select("row_number", *ENTRY).iter_rows(named=True)
    }
    details = {row.pop("row_number"): row for row in about.iter_rows(named=True)}
    since = stored["fetched_at"][0] if stored.height else held.parts.clock()
    for _ in range(_MOST_CONTENTIONS):
        before = held.parts.ledger.postings.decided(held.feed, [p.payment_id for p in payments])
        taken = held.parts.ledger.postings.taken(held.loaded.target, since=since)
        matches = match(
            (p for p in payments if p.payment_id not in before), _still_open(stored, taken), feed.match.rules
        )
        drafts = [replace(d, **of_entry[d.row_number]) for m in matches for d in _drafts(held, m, details)]
        with contextlib.suppress(DecidedMeanwhile):
            decisions = freeze(held, accepted, drafts, taken=taken)
            held.parts.tables.write(held.feed, "decisions", held.sha256, decisions)
            return dict(decisions.group_by("kind").len().sort("kind").iter_rows())
    raise DecidedMeanwhile(f"other runs matched {_MOST_CONTENTIONS} times in between", do="the next try goes on")


def _still_open(stored: pl.DataFrame, taken: Taken) -> list[Invoice]:
    """Return the invoices as fetched, less what is frozen for them and may not show in the list yet."""
    rows = stored.drop("fetched_at").iter_rows(named=True)
    invoices = [Invoice(**row) for row in rows]
    nothing = Decimal(0)
    return [replace(i, open_amount=i.open_amount - taken.of.get(i.invoice_id, nothing)) for i in invoices]


def _payments(accepted: pl.DataFrame) -> Iterator[Payment]:
    for row in accepted.iter_rows(named=True):
        yield Payment(
            payment_id=subject(row["identity"]),
            row_number=row["row_number"],
            account=row["account"] or "",
            currency=row["currency"],
            amount=row["amount"],
            booking_date=row["booking_date"],
            references=tuple(Reference(**r) for r in row["references"] if r["source"] != FREE_TEXT),  # no rule reads it
            booked=row["status"] == "BOOK",
            reversal=row["reversal"],
        )


def _entry(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"entry": entry_subject(row), "lump": bool(row["lump"])}


def _drafts(held: Held, decision: Match, details: Mapping[int, dict[str, Any]]) -> Iterator[Draft]:
    """One posting for each invoice a payment settles, or one that says why it settles none."""
    post, payment = held.loaded.feed.post, decision.payment
    common = {
        "payment_id": payment.payment_id,
        "currency": payment.currency,
        "payment_amount": payment.amount,
        "booking_date": payment.booking_date,
        "account": payment.account,
        "references": [r.text for r in payment.references],
    }
    rule = {"rule": decision.rule, "rule_version": decision.rule_version}
    evidence = as_json({**rule, "reason": decision.reason, "evidence": decision.evidence})
    if decision.reason is not None:
        payer = details[payment.row_number]
        body = as_json({**common, **payer, "reason": decision.reason, "explanation": decision.evidence})
        yield Draft(
            subject=payment.payment_id,
            part=0,
            kind=PostingKind.UNMATCHED,
            row_number=payment.row_number,
            path=post.unmatched or "",
            body=body,
            evidence=evidence,
        )
        return
    for part, allocation in enumerate(sorted(decision.allocations, key=lambda a: a.invoice_id)):
        settled = {"invoice_id": allocation.invoice_id, "amount": allocation.amount, "residual": allocation.residual}
        yield Draft(
            subject=payment.payment_id,
            part=part,
            kind=PostingKind.MATCHED,
            row_number=payment.row_number,
            invoice_id=allocation.invoice_id,
            amount=allocation.amount,
            path=(post.matched or "").replace("{invoice_id}", quote(allocation.invoice_id, safe="")),
            body=as_json({**common, **settled, **rule}),
            evidence=evidence,
        )
