"""Row files read, validated and split: ours against a bare read, dataframely, and a loop over csv.DictReader. That all
find the same rows accepted and quarantined is proved before anything is timed."""

import csv
import re
import subprocess
import sys
from collections import Counter
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import dataframely as dy
import polars as pl

from benchmarks.figure import Figure, compared, turns
from benchmarks.row_files import SCHEMA, write_csv, write_xlsx
from import_project.formats.registry import row_format
from import_project.formats.trial import try_out
from import_project.frames import ROW_NUMBER
from import_project.store.tables import Tables
from import_project.validation.rules import Rules, compiled
from import_project.validation.split import Split, kept_of, split_rows, whole

MILLION = 1_000_000
FEW = 50_000
MANY = 20_000_000
LIMIT_MB = 1000


class Invoices(dy.Schema):
    """The same rules for dataframely, on a frame whose dates are parsed: its own cast cannot read them."""

    invoice_id = dy.String(regex="^INV-[0-9]{8}$")
    customer = dy.String(max_length=40, min_length=1)
    email = dy.String(regex="^[^@]+@[^@]+$")
    amount = dy.Decimal(precision=38, scale=2, min=Decimal("0.01"), max=Decimal(1_000_000))
    currency = dy.String(regex="^(SEK|EUR|NOK)$")
    issued_on = dy.Date()
    due_on = dy.Date()
    quantity = dy.Int64(min=1)
    country = dy.String(regex="^(SE|NO|FI|DE)$")
    note = dy.String(nullable=True)
    row_number = dy.Int64()

    @dy.rule()
    def once(cls) -> pl.Expr:  # noqa: N805 - the library's own shape
        return pl.col("invoice_id").is_unique()

    @dy.rule()
    def due(cls) -> pl.Expr:  # noqa: N805
        return pl.col("due_on") >= pl.col("issued_on")


def versions() -> dict[str, str]:
    return {"dataframely": version("dataframely")}


def run() -> list[Figure]:
    with TemporaryDirectory() as name:
        home = Path(name)
        return [*million(home), *both_tables(home), memory(home)]


def ours(path: Path, rules: Rules, form: str = "delimited") -> Split:
    with path.open("rb") as content:

        def read() -> object:
            content.seek(0)
            return row_format(form).parts(content)

        return whole(split_rows(read, rules))  # type: ignore[arg-type]


def bare(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema=False)  # with types it stops at the first bad cell


def with_dataframely(path: Path) -> pl.DataFrame:
    """Amounts are cast by Polars, which takes `1e3` and rounds: such rows are told apart by hand, as they must be."""
    frame = pl.read_csv(path, infer_schema=False, row_index_name=ROW_NUMBER, row_index_offset=1)
    exact = pl.col("amount").str.contains(r"^[+-]?[0-9]+(\.[0-9]{1,2})?$")
    frame = frame.with_columns(
        pl.col(ROW_NUMBER).cast(pl.Int64),
        pl.col("issued_on", "due_on").str.to_date("%Y-%m-%d", strict=False),
        pl.when(exact).then(pl.col("amount")).cast(pl.Decimal(38, 2), strict=False),
    )
    good, failed = Invoices.filter(frame, cast=True)
    failed.counts()
    return good


def with_dict_reader(path: Path) -> tuple[set[int], set[int]]:
    """The row-by-row loop: the same rules in plain Python."""
    amount, number = re.compile(r"[+-]?[0-9]+(\.[0-9]{1,2})?"), re.compile(r"[+-]?[0-9]{1,18}")
    accepted, quarantined, ids = set(), set(), Counter[str]()
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        ids[row["invoice_id"]] += 1
    for place, row in enumerate(rows, start=1):
        good = bool(re.fullmatch(r"INV-[0-9]{8}", row["invoice_id"])) and ids[row["invoice_id"]] == 1
        good = good and 0 < len(row["customer"]) <= 40
        good = good and bool(re.fullmatch(r"[^@]+@[^@]+", row["email"]))
        good = good and bool(amount.fullmatch(row["amount"])) and _between(row["amount"])
        good = good and row["currency"] in {"SEK", "EUR", "NOK"}
        issued, due = _day(row["issued_on"]), _day(row["due_on"])
        good = good and issued is not None and due is not None and due >= issued
        good = good and bool(number.fullmatch(row["quantity"])) and int(row["quantity"]) >= 1
        good = good and row["country"] in {"SE", "NO", "FI", "DE"}
        (accepted if good else quarantined).add(place)
    return accepted, quarantined


def _between(text: str) -> bool:
    try:
        return Decimal("0.01") <= Decimal(text) <= MILLION
    except InvalidOperation:
        return False


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


def million(home: Path) -> list[Figure]:
    path, rules = home / "million.csv", compiled(SCHEMA)
    write_csv(path, MILLION)
    split = ours(path, rules)
    accepted, quarantined = with_dict_reader(path)
    assert set(split.accepted[ROW_NUMBER]) == accepted == set(with_dataframely(path)[ROW_NUMBER])
    assert set(split.quarantined[ROW_NUMBER]) == quarantined
    work = (partial(ours, path, rules), partial(bare, path), partial(with_dataframely, path))
    mine, read, other = turns(*work, rounds=9)
    (loop,) = turns(partial(with_dict_reader, path), rounds=1)
    of = partial(compared, "rows of CSV a second, read, validated and split", MILLION, mine)
    return [
        of(read, peer_name="bare polars.read_csv", at_least=0.4, goal="within 2.5x its time: 0.4"),
        of(other, peer_name="dataframely filter", at_least=1, goal="as fast: 1"),
        of(loop, peer_name="csv.DictReader loop", at_least=10, goal="10x as fast"),
    ]


def both_tables(home: Path) -> list[Figure]:
    """From file to the tables `accepted` and `quarantined` on disk, as a run writes them."""
    rules, figures = compiled(SCHEMA), []
    for form, kind, write in (("delimited", "csv", write_csv), ("excel", "xlsx", write_xlsx)):
        path = home / f"few.{kind}"
        write(path, FEW)
        mine, loop = turns(partial(_to_tables, home, path, rules, form), partial(_bare_to_table, path, home), rounds=5)
        figures.append(
            compared(
                f"rows of .{kind} a second from file to both tables",
                FEW,
                mine,
                loop,
                peer_name=f"polars.read_{'csv' if kind == 'csv' else 'excel'} and write_parquet, no rules",
                at_least=None,
                goal="none set",
            )
        )
    return figures


def _to_tables(home: Path, path: Path, rules: Rules, form: str) -> None:
    tables = Tables(home / "tables")
    with path.open("rb") as content:
        try_out(form, content, {})
    with (
        path.open("rb") as content,
        tables.writing("invoices", "0" * 64, "issues", "quarantined", "accepted") as written,
    ):

        def read() -> object:
            content.seek(0)
            return row_format(form).parts(content)

        kept = kept_of(path.stat().st_size)
        for piece in split_rows(read, rules, identities=True, kept_bytes=kept):  # type: ignore[arg-type]
            for name, table in written.items():
                table.append(getattr(piece, name))


def _bare_to_table(path: Path, home: Path) -> None:
    frame = pl.read_csv(path, infer_schema=False) if path.suffix == ".csv" else pl.read_excel(path)
    frame.write_parquet(home / "bare.parquet", compression="zstd")


def memory(home: Path) -> Figure:
    """The most memory that a process of its own takes to bring 20,000,000 rows from file to tables."""
    path = home / "many.csv"
    write_csv(path, MANY)
    child = [sys.executable, "-m", "benchmarks.rows", str(path), str(home)]
    told = subprocess.run(child, capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent)
    megabytes, seconds, accepted, quarantined = (float(x) for x in told.stdout.split())
    return Figure(
        what=f"MB at most for {MANY:,} rows ({path.stat().st_size / 1e9:.1f} GB) to both tables (less is better)",
        ours=megabytes,
        peer=LIMIT_MB,
        peer_name="the limit",
        goal="under 1 GB",
        met=megabytes < LIMIT_MB and accepted + quarantined == MANY,
        told=f"{seconds:.0f} s; {accepted:,.0f} accepted, {quarantined:,.0f} quarantined",
    )


def _most_memory(path: Path, home: Path) -> None:
    import resource
    import time

    start = time.perf_counter()
    _to_tables(home, path, compiled(SCHEMA), "delimited")
    rows = [
        pl.scan_parquet(home / "tables/invoices" / t / f"{'0' * 64}.parquet").select(pl.len())
        for t in ("accepted", "quarantined")
    ]
    counts = [frame.collect().item() for frame in rows]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(peak, time.perf_counter() - start, *counts)


if __name__ == "__main__":
    _most_memory(Path(sys.argv[1]), Path(sys.argv[2]))
