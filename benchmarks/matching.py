"""Payments matched with open invoices by reference: ours against the bare Polars join that any answer needs, at three
sizes; its memory; and payments that no join can decide. That all pairs are found is proved before anything is timed."""

import subprocess
import sys
from datetime import date
from statistics import median

import polars as pl

from benchmarks.figure import Figure, turns
from import_project.frames import MONEY, REFERENCE
from import_project.matching.decide import Rules, decide
from import_project.matching.frames import TO_MATCH, listed_once
from import_project.matching.rules import RULES

MILLION = 1_000_000
SIZES = (10_000, 100_000, MILLION)
FEW = 20_000
LIMIT_MB = 3_000
MOST_TIMES = 3
ALL = Rules(chosen=tuple(make() for make in RULES.values()))


def versions() -> dict[str, str]:
    return {}


def made(count: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return payments (`TO_MATCH`), the same flat for the bare join, and open invoices, all in orders of their own."""
    numbers = pl.int_range(count, eager=True)
    listed = pl.DataFrame(
        {
            "invoice_id": "INV-" + numbers.cast(pl.String).str.zfill(8),
            "reference": (numbers * 7 + 1_000_000_000).cast(pl.String),
            "currency": pl.repeat("SEK", count, eager=True),
            "open_amount": ((numbers * 7919 % 9_999_900 + 100).cast(MONEY) / 100).cast(MONEY),
        }
    )
    invoices = listed_once(listed.sample(fraction=1, shuffle=True, seed=1))
    flat = listed.sample(fraction=1, shuffle=True, seed=2).select(
        "reference", "currency", payment_id=pl.col("invoice_id").hash(3).cast(pl.String), amount="open_amount"
    )
    reference = pl.struct(text="reference", source=pl.lit("reference"), amount=pl.lit(None, MONEY)).cast(REFERENCE)
    whole = flat.with_row_index("row_number").with_columns(
        references=pl.concat_list(reference),
        booking_date=pl.lit(date(2026, 11, 20)),
        account=pl.lit("5841"),
        status=pl.lit("BOOK"),
        reversal=pl.lit(value=False),
    )
    columns = [
        pl.col(n).cast(t) if n in whole.columns else pl.lit(None, t).alias(n)  # type: ignore[arg-type]
        for n, t in TO_MATCH.items()
    ]
    return whole.select(columns), flat, invoices


def joined(flat: pl.DataFrame, invoices: pl.DataFrame) -> pl.DataFrame:
    """The bare join: the invoice of each reference, whether or not it fits."""
    wanted = invoices.select("invoice_id", "reference", "open_amount", invoice_currency="currency")
    return flat.join(wanted, on="reference", how="left")


def run() -> list[Figure]:
    figures, each = [], []
    for count in SIZES:
        payments, flat, invoices = made(count)
        pairs = (
            dict(zip(flat["payment_id"], joined(flat, invoices)["invoice_id"], strict=True)) if count < MILLION else {}
        )
        found = decide(payments, invoices, ALL)
        if found.plain.height != count or found.matches:
            sys.exit(f"{found.plain.height} of {count} payments are matched")
        ids = payments["payment_id"].gather(found.plain["row"])
        if pairs and dict(zip(ids, found.plain["invoice_id"], strict=True)) != pairs:
            sys.exit("other pairs than the join's")
        ours, bare = turns(
            lambda p=payments, i=invoices: decide(p, i, ALL), lambda f=flat, i=invoices: joined(f, i), rounds=9
        )
        times = median(ours.wall) / median(bare.wall)
        each.append(median(ours.wall) / count)
        at_most = f"under {MOST_TIMES} times the join" if count == MILLION else "none of its own"
        figures.append(
            Figure(
                what=f"{count:,} payments by reference: payments a second",
                ours=count / median(ours.wall),
                peer=count / median(bare.wall),
                peer_name="bare Polars join",
                goal=at_most,
                met=times < MOST_TIMES if count == MILLION else None,
                best_ratio=min(bare.wall) / min(ours.wall),
                cpu_ratio=median(ours.cpu) / median(bare.cpu),
                told=f"{times:.2f} times the join: {ours}; join {bare}",
            )
        )
    figures.append(
        Figure(
            what="time a payment, 1,000,000 by 10,000 (1 is linear, less is better)",
            ours=each[-1] / each[0],
            peer=1,
            peer_name="linear",
            goal="linear",
            met=each[-1] / each[0] < 1.5,
        )
    )
    return [*figures, _memory(), _one_by_one()]


def _memory() -> Figure:
    code = "from benchmarks.matching import peak; peak()"
    peak_mb = int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
    return Figure(
        what="1,000,000 payments by reference: peak memory in MB, both lists included (less is better)",
        ours=peak_mb,
        peer=LIMIT_MB,
        peer_name="limit",
        goal=f"under {LIMIT_MB} MB",
        met=peak_mb < LIMIT_MB,
    )


def peak() -> None:
    """Match a million payments in this process and print its peak memory in MB."""
    import resource

    payments, _, invoices = made(MILLION)
    decide(payments, invoices, ALL)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)


def _one_by_one() -> Figure:
    """All payments are two crowns short, so that every rule is asked about each."""
    payments, _, invoices = made(FEW)
    short = payments.with_columns(amount=(pl.col("amount") + 200).cast(MONEY))
    (ours,) = turns(lambda: decide(short, invoices, ALL), rounds=3)
    return Figure(
        what=f"{FEW:,} payments that fit no rule: payments a second",
        ours=FEW / median(ours.wall),
        peer=FEW / median(ours.wall),
        peer_name="nobody",
        goal="none set",
        met=None,
        told=str(ours),
    )
