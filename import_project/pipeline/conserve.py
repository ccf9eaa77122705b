"""Where the money of a bank file went: matched, unmatched, quarantined and repeated make up the file, to the cent."""

from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from import_project.frames import DECISIONS, MONEY
from import_project.pipeline.freeze import REPEATED
from import_project.pipeline.parts import Parts
from import_project.records.postings import PostingKind

#: What a payment may have become, besides quarantined.
_KINDS = (PostingKind.MATCHED.value, PostingKind.UNMATCHED.value, REPEATED)
COLUMNS = ("currency", "file", "matched", "unmatched", "quarantined", "repeated", "difference")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conservation:
    """One row a currency with `COLUMNS`, all money signed; and how many payments the file has and where they went."""

    money: pl.DataFrame
    payments: int
    accounted: int

    @property
    def holds(self) -> bool:
        """Whether nothing is lost and nothing came from nowhere."""
        return self.payments == self.accounted and not self.money.filter(pl.col("difference") != 0).height

    @property
    def told(self) -> str:
        """What is wrong, in one line."""
        wrong = [
            f"the file holds {file} {currency}, decided and quarantined are {file - difference}"
            for currency, file, difference in self.money.select("currency", "file", "difference").iter_rows()
            if difference
        ]
        if self.payments != self.accounted:
            wrong.append(f"{self.payments} payments in the file, {self.accounted} decided and quarantined")
        return "; ".join(wrong)


def conservation(parts: Parts, feed: str, sha256: str) -> Conservation:
    """Add up a file whose payments are decided."""
    parsed, quarantined, decisions = (
        parts.tables.read(feed, table, sha256).select("currency", "amount", *_kind(table))
        for table in ("parsed", "quarantined", DECISIONS)
    )
    amounts = {"file": _by_currency(parsed), "quarantined": _by_currency(quarantined)}
    amounts |= {kind: _by_currency(decisions.filter(pl.col("kind") == kind)) for kind in _KINDS}
    currencies = sorted({c for by in amounts.values() for c in by})
    rows = []
    for currency in currencies:
        of = {name: by.get(currency, Decimal(0)) for name, by in amounts.items()}
        gone = sum((of[name] for name in ("quarantined", *_KINDS)), Decimal(0))
        rows.append([currency, *(of[n] for n in COLUMNS[1:-1]), of["file"] - gone])
    schema = {c: pl.String() if c == "currency" else MONEY for c in COLUMNS}
    money = pl.DataFrame(rows, schema=schema, orient="row")
    decided = decisions.filter(pl.col("kind").is_in(_KINDS)).height
    return Conservation(money=money, payments=parsed.height, accounted=decided + quarantined.height)


def _kind(table: str) -> list[str]:
    return ["kind"] if table == DECISIONS else []


def _by_currency(frame: pl.DataFrame) -> dict[str, Decimal]:
    sums = frame.group_by("currency", maintain_order=True).agg(pl.col("amount").sum())
    return {currency or "?": amount for currency, amount in sums.iter_rows()}
