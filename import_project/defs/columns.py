"""The columns of a feed's assets, and which column comes from which: what Dagster's catalogue shows of them."""

from collections.abc import Mapping

import dagster as dg
import polars as pl

from import_project.config.feed import PAYMENT_FIELDS
from import_project.config.load import LoadedFeed
from import_project.frames import PAYMENTS
from import_project.matching.frames import OPEN_INVOICES
from import_project.validation.columns import Column

_TOLD: Mapping[str, str] = {
    "row_number": "where it stands in the file",
    "statement": "the statement it stands in",
    "identity": "names it in any file",
    "account": "our account",
    "booking_date": "the bank's day",
    "value_date": "the day from which it bears interest",
    "amount": "signed: what came in is positive",
    "status": "BOOK for what moved money, else the bank's own word",
    "reversal": "whether it takes another back",
    "entry": "what the bank's entry is known by in every message",
    "lump": "whether it stands for a whole entry, whose details may come in another message",
    "references": "candidates for an invoice's reference, the last of them out of free text",
    "remittance": "what the payer wrote",
    "original_amount": "what was instructed in another currency",
    "exchange_rate": "as the bank states it",
    "raw": "the record as it came",
    "subject": "names the row or payment in any file",
    "kind": "matched, unmatched, repeated, skipped or row",
    "open_amount": "what is still owed",
    "contradictory": "listed more than once, differently",
    "residual": "what stays open of the invoice",
    "reason": "why nothing was matched",
}
_DECISIONS = {"row_number": pl.Int64(), "subject": pl.String(), "kind": pl.String(), "currency": pl.String()}
_DECISIONS |= {"amount": pl.Decimal(38, 2)}

#: column -> asset and column that it comes from
Sources = Mapping[str, tuple[tuple[str, str], ...]]

_MATCHES: Sources = {
    "row_number": (("accepted", "row_number"),),
    "subject": (("accepted", "identity"),),
    "currency": (("accepted", "currency"),),
    "amount": (("accepted", "amount"),),
    "kind": (
        *(("accepted", c) for c in ("references", "amount", "currency", "payer_name", "payer_account", "reversal")),
        *(("open_invoices", c) for c in ("reference", "open_amount", "currency", "customer_name", "payer_accounts")),
    ),
}
_OF_MATCHES = {"payment_id": "subject", "rule": "kind", "rule_version": "kind", "decided_by": "kind"}
_OF_MATCHES |= {"reason": "kind", "explanation": "kind"}
_OF_INVOICES = {"invoice_id": "invoice_id", "invoice_currency": "currency", "invoice_version": "version"}
_OF_INVOICES |= {"residual": "open_amount", "settles": "open_amount", "written_off": "open_amount"}
_OF_ACCEPTED = {"payment_amount": "amount", "amount": "amount", "reverses": "reversal"}


def schema_of(loaded: LoadedFeed, asset: str) -> dict[str, dg.TableSchema]:
    """Return the column schema of an asset as metadata; of one that is no table, nothing."""
    columns = _columns(loaded, asset)
    return {"dagster/column_schema": dg.TableSchema(columns=columns)} if columns else {}


def lineage_of(loaded: LoadedFeed, asset: str) -> dict[str, dg.TableColumnLineage]:
    """Return which columns of other assets the columns of this one come from, as metadata."""
    sources = _sources(loaded, asset)
    if not sources:
        return {}
    deps = {
        column: [dg.TableColumnDep(asset_key=dg.AssetKey([loaded.name, name]), column_name=c) for name, c in found]
        for column, found in sources.items()
    }
    return {"dagster/column_lineage": dg.TableColumnLineage(deps_by_column=deps)}


def _columns(loaded: LoadedFeed, asset: str) -> list[dg.TableColumn]:
    if asset in {"matched_payments", "unmatched_payments"}:
        fields = PAYMENT_FIELDS[asset.removesuffix("_payments")]
        return [dg.TableColumn(name, type="String", description=_TOLD.get(name)) for name in sorted(fields)]
    if asset == "open_invoices":
        return _plain(OPEN_INVOICES)
    if asset == "matches":
        return _plain(_DECISIONS)
    if asset not in {"accepted", "quarantined", "posted_rows"}:
        return []
    if loaded.schema is None:
        return _plain(PAYMENTS)
    own = _plain({"row_number": pl.Int64(), "identity": pl.String()})
    if asset == "quarantined":
        text = [dg.TableColumn(c.name, type="String", description="as it came") for c in loaded.schema.columns]
        return [*own, *text, *_plain({"raw": pl.String()})]
    agreed = [_agreed(c, loaded.schema.key) for c in loaded.schema.columns]
    return agreed if asset == "posted_rows" else [*own, *agreed]


def _plain(columns: Mapping[str, pl.DataType]) -> list[dg.TableColumn]:
    return [dg.TableColumn(n, type=str(dtype), description=_TOLD.get(n)) for n, dtype in columns.items()]


def _agreed(column: Column, key: tuple[str, ...]) -> dg.TableColumn:
    """Return a column of a schema with its rules as constraints."""
    rules = [column.message(r) for r in ("minimum", "maximum", "choices", "pattern", "max_length") if _has(column, r)]
    rules += ["part of the key of a row"] if column.name in key else []
    constraints = dg.TableColumnConstraints(nullable=not column.required, unique=column.unique, other=rules)
    return dg.TableColumn(column.name, type=str(column.dtype), constraints=constraints)


def _has(column: Column, rule: str) -> bool:
    return getattr(column, rule) not in {None, ()}


def _sources(loaded: LoadedFeed, asset: str) -> Sources:
    if asset == "matches":
        return _MATCHES
    if asset == "posted_rows" and loaded.schema is not None:
        return {c.name: (("accepted", c.name),) for c in loaded.schema.columns}
    if asset not in {"matched_payments", "unmatched_payments"}:
        return {}
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for name in PAYMENT_FIELDS[asset.removesuffix("_payments")]:
        if name in _OF_INVOICES and asset == "matched_payments":
            found[name] = (("open_invoices", _OF_INVOICES[name]),)
        elif name in _OF_MATCHES:
            found[name] = (("matches", _OF_MATCHES[name]),)
        elif (source := _OF_ACCEPTED.get(name, name)) in PAYMENTS:
            found[name] = (("accepted", source),)
    return found
