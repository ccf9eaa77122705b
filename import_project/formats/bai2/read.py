"""A BAI2 file as payments and statements: its transactions in bulk, its levels one by one."""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import polars as pl

from import_project.errors import NotRecognised
from import_project.formats.bai2.fields import TOLD_ONLY, hundredths, in_hundredths, transactions
from import_project.formats.bai2.levels import Account, Levels, Transactions
from import_project.formats.bai2.records import Record, recognise, records
from import_project.formats.canonical import canonical
from import_project.formats.payment_rows import money
from import_project.formats.text import decode_nordic
from import_project.frames import MONEY, PAYMENTS, REFERENCE, Piece, issues_frame
from import_project.in_order import in_order
from import_project.records.issues import Issue, Severity
from import_project.records.statements import Statement, Total

_OPENING, _CLOSING = "010", "015"
_CHARACTERS = 1 << 21  # in a part
_ROWS = 100_000  # in a piece


def pieces(content: BinaryIO, *, part_size: int = _CHARACTERS) -> Iterator[Piece]:
    """Read `content`. All that is found of it comes with the first piece; its records are read in parts, in threads.

    Raises NotRecognised when it is no BAI2. All else that is wrong is an issue: without row and statement for the file,
    with a statement for an account's transactions, with a row for one.
    """
    whole_file = content.read()
    if not recognise(whole_file):
        raise NotRecognised("the content is no BAI2: no file header 01 with a date at its beginning")
    others, moved, last = _read(decode_nordic(whole_file), part_size)
    levels = Levels(Transactions(moved))
    levels.take((Record(*r) for r in others.iter_rows()), last)
    placed = _placed(moved, levels.accounts)
    del moved, others
    payments = placed.filter(pl.col("statement").is_not_null() & (pl.col("code") != TOLD_ONLY))
    sums = {row.pop("statement"): row for row in _sums(payments).iter_rows(named=True)}
    stated = [(a, _statement(a, sums.get(a.number))) for a in levels.accounts]
    issues = issues_frame([*levels.issues, *_ledger_balances(stated), *_row_issues(placed, payments)])
    statements = tuple(statement for _, statement in stated)
    del placed
    keyed = _keyed(payments)
    for start in range(0, max(1, keyed.height), _ROWS):
        yield Piece(format="bai2", frame=_frame(keyed[start : start + _ROWS]), issues=issues, statements=statements)
        issues, statements = issues.clear(), ()


def _read(text: str, size: int) -> tuple[pl.DataFrame, pl.DataFrame, Record]:
    """Return all records but transactions, the transactions with their fields, and the last record."""
    others, moved = [], []
    record = so_far = line = 0
    for found, more, end, lines in in_order(_part, _parts(text, size)):
        later = [pl.col("record") + record, pl.col("so_far") + so_far, pl.col("line") + line]
        others.append(found.with_columns(later))
        moved.append(more.with_columns(later))
        last = end._replace(record=end.record + record, so_far=end.so_far + so_far, line=end.line + line)
        record, so_far, line = last.record, last.so_far, line + lines
    return pl.concat(others), pl.concat(moved), last


def _parts(text: str, size: int) -> Iterator[str]:
    """Yield the text in parts, each but the first from a line on that begins a transaction."""
    start = 0
    while (end := text.find("\n16,", start + size)) >= 0:
        yield text[start : end + 1]
        start = end + 1
    yield text[start:]


def _part(text: str) -> tuple[pl.DataFrame, pl.DataFrame, Record, int]:
    found = records(text)
    return found.filter(pl.col("kind") != "16"), transactions(found), Record(*found.row(-1)), text.count("\n")


def _placed(found: pl.DataFrame, accounts: Sequence[Account]) -> pl.DataFrame:
    """Return the transactions with what their account says (null outside of one), and `minor`, signed hundredths."""
    columns = {
        "begin": pl.Series([a.header.record for a in accounts], dtype=pl.Int64),
        "end": pl.Series([a.end for a in accounts], dtype=pl.Int64),
        "statement": pl.Series([a.number for a in accounts], dtype=pl.Int64),
        "account": pl.Series([a.name for a in accounts], dtype=pl.String),
        "currency": pl.Series([a.currency for a in accounts], dtype=pl.String),
        "day": pl.Series([a.day for a in accounts], dtype=pl.Date),
    }
    known = pl.DataFrame(columns)
    joined = found.set_sorted("record").join_asof(
        known.set_sorted("begin"), left_on="record", right_on="begin", strategy="backward"
    )
    inside = pl.col("record") < pl.col("end")
    minor = in_hundredths(pl.col("amount"), pl.col("currency"))
    return joined.with_columns(
        pl.when(inside).then("statement").alias("statement"),
        minor=minor * pl.col("sign").fill_null(1),
    )


def _sums(payments: pl.DataFrame) -> pl.DataFrame:
    minor = pl.col("minor").cast(pl.Int128)
    return payments.group_by("statement").agg(
        entries=minor.count(), credit=minor.filter(minor >= 0).sum(), debit=minor.filter(minor < 0).sum()
    )


def _statement(account: Account, sums: dict[str, int] | None) -> Statement:
    entries, credit, debit = (sums["entries"], sums["credit"], -sums["debit"]) if sums else (0, 0, 0)
    opening, closing = (_balance(account, code) for code in (_OPENING, _CLOSING))
    scaled = None if account.difference is None else hundredths(account.difference, account.currency)
    total = Total(currency=account.currency, entries=entries, credit=money(credit), debit=money(debit))
    return Statement(
        number=account.number,
        form="bai2",
        account=account.name or None,
        currency=account.currency,
        identification=None,
        booking_date=account.day,
        payments=account.payments,
        net=money(credit - debit),
        opening=None if opening is None else money(opening),
        closing=None if closing is None else money(closing),
        difference=None if scaled is None else money(scaled),
        totals=(total,) if account.payments else (),
    )


def _balance(account: Account, code: str) -> int | None:
    found = next((b.amount for b in account.balances if b.code == code), None)
    return None if found is None else hundredths(found, account.currency)


def _ledger_balances(stated: Sequence[tuple[Account, Statement]]) -> Iterator[Issue]:
    """Warn where opening and transactions do not give closing: banks list other transactions than these balances."""
    for account, one in stated:
        if one.opening is None or one.closing is None or not one.payments:
            continue
        if apart := one.closing - one.opening - one.net:
            message = f"{account.where}: opening and transactions do not give closing: difference {apart:.2f}"
            yield Issue(rule="ledger_balance", message=message, severity=Severity.WARNING)


def _row_issues(placed: pl.DataFrame, payments: pl.DataFrame) -> Iterator[Issue]:
    for record, line in placed.filter(pl.col("statement").is_null()).select("record", "line").iter_rows():
        yield Issue(rule="structure", message=f"record 16 on line {line} (number {record}) stands where none may be")
    wrong = payments.filter(pl.col("minor").is_null() | pl.col("sign").is_null())
    for record, code, minor, text in wrong.select("record", "code", "minor", "text").iter_rows():
        told = f"type code {code} says neither credit nor debit"
        rule, message = ("amount", "the amount is none in this currency") if minor is None else ("direction", told)
        yield Issue(rule=rule, message=message, row_number=record, value=text[:80])


def _keyed(payments: pl.DataFrame) -> pl.DataFrame:
    """Return the payments with `key`, and `occurrence` where the key stands for several."""
    told = ("account", "currency", "day", "code", "minor", "bank", "customer", "words")
    key = pl.concat_str(pl.lit("bai2"), *(pl.col(c).cast(pl.String).fill_null("") for c in told), separator="|")
    frame = payments.with_columns(key=key)
    again = frame.filter(pl.col("key").hash().is_duplicated())
    again = again.select("record", occurrence=pl.int_range(pl.len()).over("key"))
    return frame.join(again, on="record", how="left", maintain_order="left")


def _frame(payments: pl.DataFrame) -> pl.DataFrame:
    minor, customer = pl.col("minor"), pl.col("customer")
    reference = pl.struct(text=customer, source=pl.lit("customer_reference"), amount=pl.lit(None, MONEY)).cast(
        REFERENCE
    )
    columns = {
        "row_number": pl.col("record"),
        "statement": pl.col("statement"),
        "identity": pl.concat_str("key", pl.col("occurrence").fill_null(0), separator="|"),
        "account": pl.when(pl.col("account") != "").then("account"),
        "currency": pl.col("currency"),
        "booking_date": pl.col("day"),
        "value_date": pl.col("value_date"),
        "amount": (minor.cast(MONEY) / 100).cast(MONEY),
        "direction": pl.when(minor < 0).then(pl.lit("debit")).otherwise(pl.lit("credit")),
        "status": pl.lit("BOOK"),
        "reversal": pl.lit(value=False),
        "transaction_code": pl.col("code"),
        "bank_reference": pl.col("bank"),
        "references": pl.when(customer.is_not_null()).then(pl.concat_list(reference)).otherwise([]),
        "remittance": pl.col("words"),
        "position": pl.format("line {}", "line"),
        "raw": pl.format("16,{}/", "text"),
    }
    nothing = {n: pl.lit(None, t) for n, t in PAYMENTS.items() if n not in columns}
    return canonical(payments.select(**(columns | nothing)))
