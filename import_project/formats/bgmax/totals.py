"""The control totals of a BgMax file: C1 to C8 of `docs/formats.md`, C9 (test files), C10 (repeats inside the file).
Each finding carries the exact difference. What is done about it is decided elsewhere."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import polars as pl

from import_project.formats.bgmax.layout import KNOWN, WIDTH, cut
from import_project.formats.bgmax.payments import oere, without_zeros
from import_project.frames import MONEY
from import_project.records.issues import Issue, Severity
from import_project.records.statements import UNKNOWN_CURRENCY, Statement, Total

#: What names a deposit in every file.
_DEPOSIT = [pl.col(c).cast(pl.String).fill_null("") for c in ("receiver", "currency", "booking_date", "deposit")]


def sections_frame(lines: pl.DataFrame, firsts: pl.DataFrame) -> pl.DataFrame:
    """Return one row a section, closed or not: what its 05 and 15 records say. Missing parts are null.

    `firsts` has the first `row_number` of each `section`.
    """
    opened = cut(lines, "05").select(
        "section", "plusgiro", opened="row_number", bankgiro="bankgiro", opening_currency="currency"
    )
    closed = cut(lines, "15").select(
        "section",
        "deposit",
        "account",
        closed="row_number",
        booking_date=pl.when(pl.col("date").str.contains(r"^(19|20)[0-9]{6}$"))
        .then("date")
        .str.to_date("%Y%m%d", strict=False),
        date_text="date",
        declared=oere("amount"),
        declared_count=pl.when(pl.col("count").str.contains(r"^[0-9]{8}$")).then("count").cast(pl.Int64),
        closing_currency="currency",
    )
    return (
        firsts.rename({"row_number": "first"})
        .join(opened, on="section", how="left", maintain_order="left")
        .join(closed, on="section", how="left", maintain_order="left")
        .with_columns(
            currency=pl.coalesce("opening_currency", "closing_currency", pl.lit(UNKNOWN_CURRENCY)),
            receiver=pl.coalesce(without_zeros("bankgiro"), without_zeros("plusgiro")),
        )
        .with_columns(deposit_key=pl.concat_str(pl.lit("bgmax"), *_DEPOSIT, separator="|"))
    )


def section_sums(payments: pl.DataFrame) -> pl.DataFrame:
    """Return what the payments of each `section` come to; some payments of a file, for `statements` to add up."""
    return payments.group_by("section").agg(
        net=pl.col("amount").sum(),
        found=pl.len().cast(pl.Int64),
        unreadable=pl.col("amount").null_count(),
        credit=pl.col("amount").filter(pl.col("record") == "20").sum(),
        debit=-pl.col("amount").filter(pl.col("record") == "21").sum(),
    )


def statements(sections: pl.DataFrame, some_sums: Iterable[pl.DataFrame]) -> tuple[Statement, ...]:
    """Return one statement a section; `difference` is the 15 record's amount minus the sum of its payments."""
    sums = pl.concat(some_sums).group_by("section").agg(pl.all().sum())
    rows = sections.join(sums, on="section", how="left", maintain_order="left").with_columns(
        pl.col("net", "credit", "debit").fill_null(Decimal(0)).cast(MONEY), pl.col("found", "unreadable").fill_null(0)
    )
    return tuple(
        Statement(
            number=r["section"],
            form="bgmax",
            account=r["account"],
            currency=r["currency"],
            identification=r["deposit"],
            booking_date=r["booking_date"],
            payments=r["found"],
            net=r["net"],
            declared=r["declared"],
            difference=None if r["declared"] is None or r["unreadable"] else r["declared"] - r["net"],
            receiver=r["receiver"],
            totals=(Total(currency=r["currency"], entries=r["found"], credit=r["credit"], debit=r["debit"]),),
        )
        for r in rows.iter_rows(named=True)
    )


def frame_issues(lines: pl.DataFrame, ends: Sequence[str], *, accept_test: bool) -> Iterator[Issue]:
    """C1 and C9: the file's own frame of one start and one end record; unknown and over-long records (warnings)."""
    for record, name in (("01", "start"), ("70", "end")):
        count = lines.filter(pl.col("record") == record).height
        if count != 1:
            yield Issue(rule="C1", message=f"{count} {name} records ({record}) where there must be one")
    for place, told, record, name in zip(("first", "last"), ends, ("01", "70"), ("start", "end"), strict=False):
        if told != record:
            yield Issue(rule="C1", message=f"the {place} record is {told!r}, not the {name} record {record}")
    for start in cut(lines, "01").iter_rows(named=True):
        if start["layout"] != "BGMAX" or start["version"] not in {"1", "01"}:
            yield Issue(rule="C1", message=f"layout {start['layout']} version {start['version']} is not BGMAX 01")
        if start["mark"] != "P" and not (accept_test and start["mark"] == "T"):
            yield Issue(
                rule="C9", message=f"the start record marks this as {start['mark'] or 'nothing'}, not production (P)"
            )
    warn = Severity.WARNING
    for row in lines.filter(~pl.col("record").is_in(list(KNOWN))).iter_rows(named=True):
        message = f"unknown record type {row['record']!r} is not read"
        yield Issue(rule="unknown_record", message=message, severity=warn, row_number=row["row_number"])
    for row in lines.filter(pl.col("line").str.len_chars() > WIDTH).iter_rows(named=True):
        message = f"record of {len(row['line'])} characters where {WIDTH} are agreed; the rest is not read"
        yield Issue(rule="long_record", message=message, severity=warn, row_number=row["row_number"])


def end_issues(lines: pl.DataFrame, found: Mapping[str, int]) -> Iterator[Issue]:
    """C6 and C7: the counts of the 70 record, and the file without any section (a warning)."""
    counts = {
        "n20": ("payments (20)", found.get("20", 0), Severity.ERROR),
        "n21": ("deductions (21)", found.get("21", 0), Severity.ERROR),
        "n15": ("deposits (15)", found.get("15", 0), Severity.ERROR),
        "n22": ("extra references (22, 23)", found.get("22", 0) + found.get("23", 0), Severity.WARNING),
    }
    for end in cut(lines, "70").iter_rows(named=True):
        for field, (name, count, severity) in counts.items():
            declared = end[field]
            if declared is None or not re.fullmatch("[0-9]{8}", declared) or int(declared) != count:
                rule = "C6" if severity is Severity.ERROR else "C7"
                told = declared.lstrip("0") or "0" if declared else "no"
                message = f"the end record declares {told} {name}, the file holds {count}"
                yield Issue(rule=rule, message=message, severity=severity)
    if not found.get("05", 0) and not found.get("20", 0):
        yield Issue(rule="no_section", message="the file holds no section and no payment", severity=Severity.WARNING)


def section_issues(sections: pl.DataFrame, found: tuple[Statement, ...]) -> Iterator[Issue]:
    """C2 to C5 for each section, and deposits that stand in the file twice (C10)."""
    seen: set[tuple[object, ...]] = set()
    for row, statement in zip(sections.iter_rows(named=True), found, strict=True):
        at: dict[str, Any] = {}  # without payments to condemn, an error is one of the whole file
        if statement.payments:
            at = {"statement": row["section"], "row_number": row["closed"] or row["opened"] or row["first"]}
        if row["opened"] is None:
            yield Issue(rule="C2", message="payments outside a section: no opening record 05", **at)
        elif row["receiver"] is None or not row["receiver"].isascii() or not row["receiver"].isdigit():
            yield Issue(rule="receiver", message="the opening record names no bankgiro or plusgiro", **at)
        if row["closed"] is None:
            yield Issue(rule="C2", message="the section is not closed by a deposit record 15", **at)
            continue
        yield from _deposit_issues(row, statement, at)
        if row["booking_date"] is not None:
            key = (row["receiver"], row["booking_date"].year, row["deposit"])
            if key in seen:
                yield Issue(rule="C10", message=f"deposit {row['deposit']} stands in the file twice", **at)
            seen.add(key)
        if statement.payments == 0:
            message = "a section without payments"
            yield Issue(rule="empty_section", message=message, severity=Severity.WARNING, row_number=row["closed"])


def _deposit_issues(row: dict[str, Any], statement: Statement, at: dict[str, Any]) -> Iterator[Issue]:
    """What a closing 15 says, held against its section."""
    if row["declared"] is None:
        yield Issue(rule="C3", message="the deposit amount cannot be read", **at)
    elif statement.difference is None:
        yield Issue(rule="C3", message="the deposit amount cannot be proved: a payment's amount is unreadable", **at)
    elif statement.difference != 0:
        money = f"{statement.net:.2f} {statement.currency}"
        told = f"deposit {row['declared']:.2f} but payments less deductions {money}: difference {statement.balance}"
        yield Issue(rule="C3", message=told, **at)
    if row["declared_count"] != statement.payments:
        told = f"the deposit declares {row['declared_count']} payments, the section holds {statement.payments}"
        yield Issue(rule="C4", message=told, **at)
    if row["opened"] is not None and row["opening_currency"] != row["closing_currency"]:
        told = f"opened in {row['opening_currency']}, closed in {row['closing_currency']}"
        yield Issue(rule="C5", message=told, **at)
    elif not re.fullmatch("[A-Z]{3}", statement.currency):
        yield Issue(rule="C5", message=f"{statement.currency!r} is no currency", **at)
    if row["booking_date"] is None:
        yield Issue(rule="deposit_date", message="the payment date is no date", value=row["date_text"], **at)
    if not re.fullmatch("[0-9]{5}", row["deposit"] or ""):
        yield Issue(rule="deposit_number", message="the deposit has no number", value=row["deposit"], **at)


def group_issues(
    members: pl.DataFrame, payments: pl.DataFrame, extras: pl.DataFrame, parts: pl.DataFrame
) -> Iterator[Issue]:
    """Unreadable amounts, records that belong to no payment, and C8: extra references against their owner."""
    for row in payments.filter(pl.col("amount").is_null()).iter_rows(named=True):
        message = "the amount is not 18 digits"
        yield Issue(
            rule="amount", message=message, row_number=row["row_number"], column="amount", value=row["amount_text"]
        )
    for row in members.filter(pl.col("group").is_null()).iter_rows(named=True):
        message = f"record {row['record']} belongs to no payment"
        yield Issue(rule="orphan", message=message, row_number=row["row_number"], statement=row["section"])
    owner = payments.select(group="row_number", owner_sender="sender", owner_serial="serial")
    differs = pl.col("sender").ne_missing(pl.col("owner_sender")) | pl.col("serial").ne_missing(pl.col("owner_serial"))
    strangers = extras.join(owner, on="group", maintain_order="left").filter(differs)
    warn = Severity.WARNING
    for row in strangers.iter_rows(named=True):
        message = f"record {row['record']} names another sender or serial number than its payment"
        yield Issue(rule="C8", message=message, severity=warn, row_number=row["row_number"])
    for row in parts.filter(~pl.col("agree")).iter_rows(named=True):
        total = "an unreadable sum" if row["amount"] is None or not row["readable"] else f"{row['parts']:.2f}"
        message = f"part amounts give {total}, the payment is {row['amount']}: they are not used"
        yield Issue(rule="C8", message=message, severity=warn, row_number=row["group"])
    single = members.filter(pl.col("record").is_in(["26", "27", "28", "29"]) & pl.col("group").is_not_null())
    single = single.filter(pl.struct("group", "record").is_duplicated())
    for row in (
        single.group_by("group", "record", maintain_order=True).len().filter(pl.col("len") > 1).iter_rows(named=True)
    ):
        message = f"{row['len']} records {row['record']} in one payment where there may be one"
        yield Issue(rule="repeated_record", message=message, severity=warn, row_number=row["group"])
