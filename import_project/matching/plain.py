"""The plain cases, all at once: one reference that is one invoice's, and exactly what is open. The rule `reference`
says the same of each by itself; a test holds both against each other."""

import polars as pl

from import_project.matching.frames import BOOKED
from import_project.matching.references import normal_form, normals
from import_project.records.payments import FREE_TEXT

#: One row a payment: its row, and that of the invoice it settles.
PLAIN = {"row": pl.UInt32, "item": pl.UInt32}


def plain(payments: pl.DataFrame, invoices: pl.DataFrame) -> pl.DataFrame:
    """Return the payments (`TO_MATCH`) that are plain cases among these invoices (`OPEN_INVOICES`, each once): `PLAIN`.

    A payment is left out when another one is the same invoice's plain case, when its invoice shares the reference with
    another, and when its account is known to be another customer's.
    """
    one = _with_one_reference(payments)
    open_still = invoices.with_row_index("item").filter(~pl.col("closed"), ~pl.col("contradictory"))
    keyed = open_still.select("item", "currency", "open_amount", "customer_id", key=normals(open_still["reference"]))
    if keyed["key"].hash().n_unique() != keyed.height:
        keyed = keyed.filter(~pl.col("key").is_duplicated())
    found = one.join(keyed, on="key", suffix="_listed")
    found = found.filter(pl.col("amount") == pl.col("open_amount"), pl.col("currency") == pl.col("currency_listed"))
    if found["item"].n_unique() != found.height:
        found = found.filter(~pl.col("item").is_duplicated())
    return _not_foreign(found, invoices).select("row", "item")


def _with_one_reference(payments: pl.DataFrame) -> pl.DataFrame:
    first, second = pl.col("references").list.first(), pl.col("references").list.get(1, null_on_oob=True)
    alone = (first.struct.field("source") != FREE_TEXT) & (
        second.is_null() | (second.struct.field("source") == FREE_TEXT)
    )
    moved = (pl.col("status") == BOOKED) & ~pl.col("reversal").fill_null(value=False) & (pl.col("amount") != 0)
    told = first.struct.field("text").alias("text")
    chosen = payments.lazy().with_row_index("row").filter(moved & alone & first.struct.field("amount").is_null())
    named = chosen.select("row", "currency", "amount", "payer_account", told).collect()
    keyed = named.drop("text").with_columns(key=normals(named["text"]))
    return keyed.filter(pl.col("key").str.contains("[^0]"))


def _not_foreign(found: pl.DataFrame, invoices: pl.DataFrame) -> pl.DataFrame:
    """Leave out payments from an account that is known, but not as the invoice's customer's."""
    known = invoices.select("customer_id", "payer_accounts").filter(
        pl.col("payer_accounts").list.len() > 0, pl.col("customer_id").is_not_null()
    )
    if known.is_empty() or found["payer_account"].null_count() == found.height:
        return found
    accounts = known.explode("payer_accounts").select("customer_id", account=normal_form("payer_accounts")).unique()
    placed = found.with_columns(account=normal_form("payer_account"))
    strange = placed.join(accounts.select("account").unique(), on="account", how="semi").join(
        accounts, on=["account", "customer_id"], how="anti"
    )
    ours = strange.filter(pl.col("customer_id").is_not_null())
    return found.join(ours.select("row"), on="row", how="anti") if ours.height else found
