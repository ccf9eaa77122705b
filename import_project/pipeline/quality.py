"""What is proved of a file, and what is worth a warning: each look at its tables gives a verdict with its numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import polars as pl

from import_project.config.load import LoadedFeed
from import_project.frames import DECISIONS
from import_project.pipeline.conserve import conservation
from import_project.pipeline.freeze import REPEATED
from import_project.pipeline.open_invoices import read_table, stale
from import_project.pipeline.parts import Parts

_CONTINUITY = ("statement_missing", "opening_balance")
_TWICE = ("unique", "key", "statement_repeated")
_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a look found all well, in one line why, its numbers, and a table of what is wrong or was added up."""

    passed: bool
    told: str
    numbers: Mapping[str, int | float] = field(default_factory=dict)
    table: pl.DataFrame | None = None


def rows_conserved(parts: Parts, loaded: LoadedFeed, sha256: str) -> Verdict:
    """Every row of the file is accepted or quarantined."""
    tables, feed = parts.tables, loaded.name
    numbers = {"rows": _parsed(parts, loaded, sha256)}
    numbers |= {name: tables.rows(feed, name, sha256) for name in ("accepted", "quarantined")}
    lost = numbers["rows"] - numbers["accepted"] - numbers["quarantined"]
    told = "rows = accepted + quarantined" if not lost else f"{lost} rows are neither accepted nor quarantined"
    return Verdict(passed=not lost, told=told, numbers={**numbers, "lost": lost})


def control_totals(parts: Parts, loaded: LoadedFeed, sha256: str) -> Verdict:
    """What the bank declares of each statement is what its payments add up to. A wrong statement is quarantined."""
    statements = parts.tables.read(loaded.name, "statements", sha256)
    wrong = statements.filter(pl.col("difference") != 0)
    numbers: dict[str, int | float] = {"statements": statements.height, "wrong": wrong.height}
    shown = wrong.select("number", "booking_date", "currency", "payments", "net", "declared", "difference")
    if not wrong.height:
        return Verdict(passed=True, told="every declared total is the sum of its payments", numbers=numbers)
    by_currency = wrong.group_by("currency").agg(pl.col("difference").sum()).sort("currency").iter_rows()
    told = ", ".join(f"{amount} {currency}" for currency, amount in by_currency)
    what = f"{wrong.height} of {statements.height} statements do not add up: {told} apart; they are quarantined"
    return Verdict(passed=False, told=what, numbers=numbers, table=shown.head(_MOST_SHOWN))


def balance_continuity(parts: Parts, loaded: LoadedFeed, sha256: str) -> Verdict:
    """Each statement opens with what the one before it closed with, and none is missing in between."""
    issues = parts.tables.read(loaded.name, "issues", sha256).filter(pl.col("rule").is_in(_CONTINUITY))
    numbers = {rule: issues.filter(pl.col("rule") == rule).height for rule in _CONTINUITY}
    told = "no statement is missing, and every balance goes on where the last one ended"
    if issues.height:
        more = f" (and {issues.height - 1} more)" if issues.height > 1 else ""
        told = f"{issues['message'][0]}{more}"
    shown = issues.select("rule", "message").head(_MOST_SHOWN) if issues.height else None
    return Verdict(passed=not issues.height, told=told, numbers=numbers, table=shown)


def quarantine_rate(parts: Parts, loaded: LoadedFeed, sha256: str) -> Verdict:
    """No more of the file is quarantined than the feed says is usual."""
    rows = _parsed(parts, loaded, sha256)
    aside = parts.tables.rows(loaded.name, "quarantined", sha256)
    return _share(aside, rows, loaded.feed.checks.most_quarantined_percent, "quarantined")


def duplicates(parts: Parts, loaded: LoadedFeed, sha256: str) -> Verdict:
    """No more of the file came before than the feed says is usual, and its bytes came to no other feed."""
    kinds = parts.tables.counts(loaded.name, DECISIONS, sha256, "kind")
    repeated, most = kinds.get(REPEATED, 0), loaded.feed.checks.most_repeated_percent
    verdict = _share(repeated, sum(kinds.values()), most, "repeated")
    rules = parts.tables.counts(loaded.name, "issues", sha256, "rule")
    elsewhere = _elsewhere(parts, loaded, sha256) if kinds else None
    return Verdict(
        passed=verdict.passed and elsewhere is None,
        told=elsewhere or verdict.told,
        numbers={**verdict.numbers, "twice in the file": sum(rules.get(rule, 0) for rule in _TWICE)},
    )


def _elsewhere(parts: Parts, loaded: LoadedFeed, sha256: str) -> str | None:
    """Say which other feed had the same bytes first, if this one wants people to be told."""
    if loaded.feed.files.again.other_feed_same_bytes != "warn":
        return None
    first = parts.ledger.arrivals.first_bringer(sha256)
    if first is None or first.feed == loaded.name:
        return None
    return f"the same bytes came to {first.feed} first, as {first.name}; files.again.other_feed_same_bytes decides"


def rows_decided(parts: Parts, loaded: LoadedFeed, sha256: str) -> Verdict:
    """Every accepted row of a row file is posted, repeated or left out."""
    tables, feed = parts.tables, loaded.name
    accepted = tables.rows(feed, "accepted", sha256)
    accepted += tables.rows(feed, "replayed", sha256) if tables.has(feed, "replayed", sha256) else 0
    kinds = tables.counts(feed, DECISIONS, sha256, "kind")
    numbers: dict[str, int | float] = {"accepted": accepted, **kinds}
    lost = accepted - sum(kinds.values())
    told = "accepted = posted + repeated + skipped" if not lost else f"{lost} accepted rows have no decision"
    return Verdict(passed=not lost, told=told, numbers={**numbers, "lost": lost})


def money_conserved(parts: Parts, loaded: LoadedFeed, sha256: str) -> Verdict:
    """No money of a bank file is lost, none comes from nowhere."""
    found = conservation(parts, loaded.name, sha256)
    told = found.told or "matched + unmatched + quarantined + repeated = the file, in every currency"
    numbers = {"payments": found.payments, "lost": found.payments - found.accounted}
    return Verdict(passed=found.holds, told=told, numbers=numbers, table=found.money)


def fresh(parts: Parts, loaded: LoadedFeed, sha256: str) -> Verdict:
    """The list of open invoices is as new as the feed wants it."""
    told = stale(parts, loaded, sha256)
    return Verdict(passed=told is None, told=told or "the list is as new as the feed wants it")


def overdue(parts: Parts, loaded: LoadedFeed, sha256: str) -> Verdict:
    """No open invoice is past its due day for longer than the feed says is usual."""
    days = loaded.feed.checks.oldest_open_days
    invoices = read_table(parts, loaded.name, sha256)
    late = invoices.with_columns(days_overdue=(pl.lit(parts.clock().date()) - pl.col("due_on")).dt.total_days())
    late = late.filter((pl.col("open_amount") != 0) & ~pl.col("closed").fill_null(value=False))
    oldest = late["days_overdue"].max()
    numbers: dict[str, int | float] = {"open": late.height, "oldest, days": max(int(str(oldest or 0)), 0)}
    over = late.filter(pl.col("days_overdue") > days) if days is not None else late.clear()
    numbers |= {"overdue": over.height}
    if not over.height:
        return Verdict(passed=True, told="no open invoice is older than is usual", numbers=numbers)
    sums: dict[str, Decimal] = dict(over.group_by("currency").agg(pl.col("open_amount").sum()).iter_rows())
    amounts = ", ".join(f"{amount:,.2f} {currency}" for currency, amount in sorted(sums.items()))
    told = f"{over.height} open invoices are more than {days} days past their due day, {amounts}"
    ages = over.group_by("currency", years=pl.col("days_overdue") // 365).agg(
        invoices=pl.len(), open=pl.col("open_amount").sum()
    )
    shown = ages.sort("currency", "years").rename(
        {"years": "years overdue"}
    )  # no invoice by name: logs are read by all
    return Verdict(passed=False, told=told, numbers=numbers, table=shown.head(_MOST_SHOWN))


def _share(part: int, whole: int, most: float | None, word: str) -> Verdict:
    percent = 100 * part / whole if whole else 0.0
    numbers = {"rows": whole, word: part, "percent": round(percent, 2)}
    told = f"{part:,} of {whole:,} ({percent:.1f} %) are {word}"
    if most is None or percent <= most:
        return Verdict(passed=True, told=told, numbers=numbers)
    return Verdict(passed=False, told=f"{told}, more than {most:g} %", numbers={**numbers, "most": most})


def _parsed(parts: Parts, loaded: LoadedFeed, sha256: str) -> int:
    if loaded.schema is None:
        return parts.tables.rows(loaded.name, "parsed", sha256)
    parsed = parts.tables.read(loaded.name, "parsed", sha256)
    return int(parsed["rows"][0]) if parsed.height else 0
