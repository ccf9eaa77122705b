"""The frames that matching takes: payments and open invoices; and their rows as records. No decisions."""

from collections.abc import Iterator, Mapping

import polars as pl

from import_project.frames import MONEY, REFERENCE
from import_project.records.payments import Invoice, Payment, Reference

#: One row a payment to be decided about; `payment_id` names it in any file. Other columns are let pass.
TO_MATCH: Mapping[str, pl.DataType] = {
    "payment_id": pl.String(),
    "row_number": pl.Int64(),
    "account": pl.String(),
    "currency": pl.String(),
    "amount": MONEY,
    "booking_date": pl.Date(),
    "references": pl.List(REFERENCE),
    "status": pl.String(),
    "reversal": pl.Boolean(),
    "payer_name": pl.String(),
    "payer_account": pl.String(),
    "bank_reference": pl.String(),
    "end_to_end_id": pl.String(),
    "original_currency": pl.String(),
    "original_amount": MONEY,
    "exchange_rate": pl.Decimal(38, 12),
}

#: One row an open invoice. `contradictory` ones were listed more than once, differently.
OPEN_INVOICES: Mapping[str, pl.DataType] = {
    "invoice_id": pl.String(),
    "reference": pl.String(),
    "currency": pl.String(),
    "open_amount": MONEY,
    "customer_id": pl.String(),
    "customer_name": pl.String(),
    "payer_accounts": pl.List(pl.String()),
    "due_on": pl.Date(),
    "discount": MONEY,
    "discount_until": pl.Date(),
    "closed": pl.Boolean(),
    "version": pl.String(),
    "contradictory": pl.Boolean(),
}
_INVOICE = tuple(n for n in OPEN_INVOICES if n != "contradictory")
_PAYMENT = tuple(n for n in TO_MATCH if n not in {"status", "references"})

#: The status of a payment that moved money.
BOOKED = "BOOK"


def listed_once(invoices: pl.DataFrame) -> pl.DataFrame:
    """Return a list of invoices in the shape `OPEN_INVOICES`, each once, in order of id.

    One that is listed again is left out where both say the same, else `contradictory`; missing columns are empty.
    """
    named = [
        pl.col(n).cast(t) if n in invoices.columns else pl.lit(None, t).alias(n)
        for n, t in OPEN_INVOICES.items()
        if n != "contradictory"
    ]
    # An invoice that says nothing of its customer is that of its payer's first account.
    account = "account " + pl.col("payer_accounts").list.first().str.replace_all(r"\s+", "").str.to_uppercase()
    whole = invoices.select(named).with_columns(
        pl.col("customer_id").fill_null(account),
        pl.col("closed").fill_null(value=False),
        pl.col("payer_accounts").fill_null([]),
        pl.col("reference").fill_null(""),
        contradictory=pl.lit(value=False),
    )
    if not whole["invoice_id"].is_duplicated().any():
        return whole.sort("invoice_id")
    said = whole.unique()
    scalars = [pl.col(n) for n in _INVOICE if n != "payer_accounts"]
    ordered = said.sort(*scalars, pl.col("payer_accounts").list.join(","), nulls_last=True)
    torn = ordered.with_columns(contradictory=pl.col("invoice_id").is_duplicated())
    return torn.unique(subset="invoice_id", keep="first", maintain_order=True).sort("invoice_id")


def invoice_of(row: Mapping[str, object]) -> Invoice:
    """Return a row of `OPEN_INVOICES` as a record."""
    cells = {n: row[n] for n in _INVOICE}
    return Invoice(**{**cells, "payer_accounts": tuple(row["payer_accounts"] or ())})  # type: ignore[arg-type]


def payments_of(frame: pl.DataFrame) -> Iterator[Payment]:
    """Yield the rows of a frame of the shape `TO_MATCH` as records."""
    for row in frame.select(list(TO_MATCH)).iter_rows(named=True):
        cells = {n: row[n] for n in _PAYMENT}
        cells["account"] = row["account"] or ""
        cells["reversal"] = bool(row["reversal"])
        references = tuple(Reference(**r) for r in row["references"] or () if r["text"] is not None)
        yield Payment(**cells, references=references, booked=row["status"] == BOOKED)


def payments_frame(payments: list[Payment]) -> pl.DataFrame:
    """Return payments in the shape `TO_MATCH`."""
    rows = [
        {n: getattr(p, n) for n in _PAYMENT}
        | {"status": BOOKED if p.booked else "PDNG"}
        | {"references": [{"text": r.text, "source": r.source, "amount": r.amount} for r in p.references]}
        for p in payments
    ]
    return pl.DataFrame(rows, schema=dict(TO_MATCH))


def invoices_frame(invoices: list[Invoice]) -> pl.DataFrame:
    """Return invoices in the shape `OPEN_INVOICES`, each once."""
    rows = [[list(i.payer_accounts) if n == "payer_accounts" else getattr(i, n) for n in _INVOICE] for i in invoices]
    schema = {n: OPEN_INVOICES[n] for n in _INVOICE}
    return listed_once(pl.DataFrame(rows, schema=schema, orient="row"))
