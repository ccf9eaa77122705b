"""MT940 and MT942 messages as payments, and the proof that each message adds up: opening and lines give closing (940),
lines give the stated counts and sums (942)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import BinaryIO

import polars as pl

from import_project.errors import NotRecognised
from import_project.formats.caps import allow_statements
from import_project.formats.mt940.fields import ends, envelope_begun, fields, recognise
from import_project.formats.mt940.lines import Balance, balance, stated_sum
from import_project.formats.mt940.payments import TOLD, payment_rows, payments_frame
from import_project.formats.payment_rows import Occurrences, money
from import_project.formats.text import decode_nordic
from import_project.frames import Piece, issues_frame
from import_project.records.issues import Issue
from import_project.records.statements import UNKNOWN_CURRENCY, Statement, Total

_FIELDS = 100_000  # in a piece
_OF_MESSAGE = {"message": pl.Int64, "account": pl.String, "currency": pl.String, "day": pl.Date}
_INTERIM = frozenset({"34F", "13D", "13", "90D", "90C"})


def pieces(content: BinaryIO) -> Iterator[Piece]:
    """Read `content` piece by piece.

    Raises NotRecognised when it is no MT940 or MT942. All else that is wrong is an issue: without row and statement for
    the file, with a statement for all its payments, with a row for one payment.
    """
    whole_file = content.read()
    if not recognise(whole_file):
        raise NotRecognised("the content is no MT940 or MT942: no field such as :20: or :25: at its beginning")
    text = decode_nordic(whole_file)
    found = fields(text)
    if found.is_empty():
        raise NotRecognised("the content is no MT940 or MT942: no field begins a line")
    closing, last = ends(text), int(found["message"][-1])
    allow_statements(last)
    torn = found.group_by("message", maintain_order=True).agg(pl.col("closes").any()).filter(~pl.col("closes"))
    open_ends = {m for m in torn["message"] if closing or (m == last and not text.endswith("\n"))}
    occurrences = Occurrences()
    for some in _parted(found):
        piece = _piece(some, open_ends, occurrences)
        yield piece
    if envelope_begun(text):
        told = "an envelope begins behind the last message, and ends before its own: the file is cut off"
        yield Piece(format="mt940", frame=piece.frame.clear(), issues=issues_frame([Issue(rule="torn", message=told)]))


def _parted(found: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield the fields of some messages at a time."""
    starts = found["message"].rle().struct.field("len").cum_sum().to_list()
    start = 0
    for end in starts:
        if end - start >= _FIELDS or end == starts[-1]:
            yield found[start:end]
            start = end


def _piece(some: pl.DataFrame, open_ends: set[int], occurrences: Occurrences) -> Piece:
    rows = payment_rows(some)
    sums = {row.pop("message"): _Sums(**row) for row in _summed_up(rows).iter_rows(named=True)}
    statements, heads, issues = [], [], list(_unreadable(rows))
    others = some.filter(~pl.col("tag").is_in(["61", *TOLD])).select("message", "tag", "value")
    gathered: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    for number, tag, value in others.iter_rows():
        gathered[number].append((tag, value))
    for number in some["message"].unique(maintain_order=True):
        head = _head(gathered[number])
        statement, found = _proved_statement(number, head, sums.get(number, _Sums()))
        if number in open_ends:
            told = "the message has no end: the file is cut off"
            found.append(Issue(rule="torn", message=told, statement=number if statement.payments else None))
        statements.append(statement)
        heads.append((number, head.account, head.currency, head.day))
        issues += found
    of_message = pl.DataFrame(heads, schema=_OF_MESSAGE, orient="row")
    frame = payments_frame(rows.join(of_message, on="message", how="left", maintain_order="left"), occurrences)
    return Piece(format="mt940", frame=frame, issues=issues_frame(issues), statements=tuple(statements))


@dataclass(slots=True, kw_only=True)
class _Sums:
    """What the lines of a message come to: how many there are and are unreadable, counts and unsigned sums by
    direction, and what is booked."""

    count: int = 0
    unreadable: int = 0
    credits: int = 0
    credit: int = 0
    debits: int = 0
    debit: int = 0
    booked: int = 0


def _summed_up(rows: pl.DataFrame) -> pl.DataFrame:
    amount, credit = pl.col("amount").cast(pl.Int128), pl.col("credit")
    return rows.group_by("message", maintain_order=True).agg(
        count=pl.len(),
        unreadable=amount.null_count(),
        credits=amount.filter(credit).count(),
        credit=amount.filter(credit).abs().sum(),
        debits=amount.filter(~credit).count(),
        debit=amount.filter(~credit).abs().sum(),
        booked=amount.filter(~pl.col("expected")).sum(),
    )


def _unreadable(rows: pl.DataFrame) -> Iterator[Issue]:
    wrong = rows.filter(pl.col("amount").is_null())
    for read, line, value in wrong.select("read", "line", "value").iter_rows():
        why = "its amount is none" if read else "no date, mark and amount where a line has them"
        yield Issue(rule="line", message=why, row_number=line, column="amount", value=value[:80])


@dataclass(slots=True, kw_only=True)
class _Head:
    """What a message says about itself."""

    reference: str | None = None
    account: str | None = None
    sequence: str | None = None
    opening: Balance | None = None
    closing: Balance | None = None
    interim: bool = False
    currency: str = UNKNOWN_CURRENCY
    sums: dict[str, tuple[int, str, int | None] | None] = field(default_factory=dict)

    @property
    def day(self) -> date | None:
        """The statement's day."""
        days = (b.day for b in (self.closing, self.opening) if b)
        return next((d for d in days if d), None)


def _head(fields: Iterable[tuple[str, str]]) -> _Head:
    head = _Head()
    for tag, told in fields:
        value = told.strip()
        match tag:
            case "20":
                head.reference = value or None
            case "25" | "25P":
                head.account = value.split("\n")[0].strip() or None
            case "28" | "28C":
                head.sequence = value.split("\n")[0].strip() or None
            case "60F" | "60M":
                head.opening = head.opening or balance(value)
            case "62F" | "62M":
                head.closing = balance(value)
            case "90D" | "90C":
                head.sums[tag] = stated_sum(value)
            case "34F" if head.currency == UNKNOWN_CURRENCY and value[:3].isalpha():
                head.currency = value[:3]
        head.interim = head.interim or tag in _INTERIM
    stated = [b.currency for b in (head.opening, head.closing) if b and b.currency]
    stated += [s[1] for s in head.sums.values() if s]
    head.currency = stated[0] if stated else head.currency
    return head


def _proved_statement(number: int, head: _Head, sums: _Sums) -> tuple[Statement, list[Issue]]:
    whose = number if sums.count else None  # without payments to condemn, it is the file that is wrong
    difference, wrong = _proved(head, sums)
    name = f"statement {head.sequence or head.reference or number}"
    issues = [Issue(rule=rule, message=f"{name}: {told}", statement=whose) for rule, told in wrong]
    entries = sums.count - sums.unreadable
    total = Total(currency=head.currency, entries=entries, credit=money(sums.credit), debit=money(sums.debit))
    statement = Statement(
        number=number,
        form="mt942" if head.interim else "mt940",
        account=head.account,
        currency=head.currency,
        identification=head.reference,
        booking_date=head.day,
        payments=sums.count,
        net=money(sums.booked),
        opening=_stated(head.opening),
        closing=_stated(head.closing),
        difference=None if difference is None else money(difference),
        totals=(total,) if sums.count else (),
        sequence=head.sequence,
    )
    return statement, issues


def _stated(stated: Balance | None) -> Decimal | None:
    return None if stated is None or stated.amount is None else money(stated.amount)


def _proved(head: _Head, sums: _Sums) -> tuple[int | None, list[tuple[str, str]]]:
    """Return closing less opening and lines, and what does not hold."""
    booked = sums.booked
    wrong: list[tuple[str, str]] = []
    difference: int | None = None
    if head.account is None:
        wrong.append(("account", "no account (:25:)"))
    if not head.interim:
        for what, tag, stated in (("opening", ":60F:", head.opening), ("closing", ":62F:", head.closing)):
            if stated is None or stated.amount is None:
                wrong.append(("balance", f"no {what} balance ({tag}) that can be read"))
    if sums.unreadable:
        wrong.append(("balance", "it cannot be proved: a line is unreadable"))
    elif head.opening and head.closing and head.opening.amount is not None and head.closing.amount is not None:
        difference = head.closing.amount - head.opening.amount - booked
        if difference:
            told = [f"{m / 100:.2f}" for m in (head.opening.amount, booked, head.closing.amount, difference)]
            message = f"opening {told[0]} and lines {told[1]} do not give closing {told[2]}: difference {told[3]}"
            wrong.append(("balance", message))
    currencies = {b.currency for b in (head.opening, head.closing) if b and b.currency}
    if len(currencies) > 1:
        wrong.append(("balance_currency", f"balances are in {', '.join(sorted(currencies))}"))
    for tag, found in (("90C", [sums.credits, sums.credit]), ("90D", [sums.debits, sums.debit])):
        if tag in head.sums and not sums.unreadable:
            wrong += _summed(tag, head.sums[tag], found)
    if head.interim and head.closing is None and sums.count and not head.sums:
        wrong.append(("sums", "neither :90D: nor :90C: says what the lines come to"))
    return difference, wrong


def _summed(tag: str, stated: tuple[int, str, int | None] | None, found: list[int]) -> Iterator[tuple[str, str]]:
    if stated is None or stated[2] is None:
        yield "sums", f":{tag}: is no count and sum"
    elif [stated[0], stated[2]] != found:
        apart = f"difference {(stated[2] - found[1]) / 100:.2f}"
        told = f"{stated[0]} lines of {stated[2] / 100:.2f}, there are {found[0]} of {found[1] / 100:.2f}: {apart}"
        yield "sums", f":{tag}: states {told}"
