"""Finnish reference payments (KTL): 90 characters a record, batches of payments between a header 0 and a sum record 9.

Source: Finance Finland, "Reference payments, service description". Positions are 1-based, as there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import BinaryIO

from import_project.errors import NotRecognised, Unreadable
from import_project.formats.payment_rows import PaymentRows, money
from import_project.formats.text import decode_nordic
from import_project.frames import Piece, issues_frame
from import_project.records.issues import Issue
from import_project.records.statements import Statement, Total

_HEADER = re.compile(r"0\d{10}.{11}[ 0-9]? *")
_PAYMENT = re.compile(r"[35]\d{14}\d{12}.{36}.{11}.?.{2}\d{10}")
_CURRENCIES = {"1": "EUR", " ": "EUR", "": "EUR", "0": "FIM"}
_LONGEST = 90


def recognise(content: bytes) -> bool:
    """Whether the first line is a header and the second a payment or a sum."""
    try:
        lines = [x for x in decode_nordic(content[:2000]).split("\n") if x.strip()]
    except Unreadable:
        return False
    if len(lines) < 2 or not _HEADER.fullmatch(lines[0].rstrip()):
        return False
    return re.match(r"[35]\d{26}|9\d{34}", lines[1]) is not None


@dataclass(slots=True)
class _Batch:
    """A batch so far. Corrections take an earlier payment back."""

    line: int
    amounts: list[int | None] = field(default_factory=list)
    corrections: list[int | None] = field(default_factory=list)
    accounts: set[str] = field(default_factory=set)
    day: date | None = None


def pieces(content: BinaryIO) -> Iterator[Piece]:
    """Read `content`; a file is one piece.

    Raises NotRecognised when it is none. All else that is wrong is an issue: without row and statement for the file,
    with a statement for a batch, with a row for one payment.
    """
    whole_file = content.read()
    if not recognise(whole_file):
        raise NotRecognised("the content holds no Finnish reference payments: no header 0 with a payment behind it")
    rows, issues, statements = PaymentRows(), list[Issue](), list[Statement]()
    batch: _Batch | None = None
    for number, line in enumerate(decode_nordic(whole_file).split("\n"), start=1):
        if not line.strip():
            continue
        kind = line[0]
        if kind == "0":
            if batch is not None:
                _end(batch, None, statements, issues)
            batch = _Batch(number)
        elif batch is None:
            issues.append(Issue(rule="record", message=f"line {number} belongs to no batch: no header before it"))
        elif kind in "35":
            _payment(line.rstrip().ljust(_LONGEST), number, batch, len(statements) + 1, rows, issues)
        elif kind == "9":
            _end(batch, line.rstrip(), statements, issues)
            batch = None
        else:
            issues.append(Issue(rule="record", message=f"line {number} is of no kind of record that is known"))
    if batch is not None:
        _end(batch, None, statements, issues)
    frame = rows.frame()
    yield Piece(format="finnish_references", frame=frame, issues=issues_frame(issues), statements=tuple(statements))


def _day(told: str) -> date | None:
    try:
        return date(2000 + int(told[:2]), int(told[2:4]), int(told[4:6]))
    except ValueError:
        return None


def _payment(line: str, number: int, batch: _Batch, statement: int, rows: PaymentRows, issues: list[Issue]) -> None:
    digits = line[77:87]
    minor = int(digits) if digits.isascii() and digits.isdecimal() else None
    correction = line[87] == "1"
    amount = None if minor is None else (-minor if correction else minor)
    (batch.corrections if correction else batch.amounts).append(minor)
    currency = _CURRENCIES.get(line[75], "???")
    if minor is None:
        told = "the amount is not 10 digits"
        issues.append(Issue(rule="amount", message=told, row_number=number, column="amount", value=digits))
    account, reference = line[1:15].strip(), line[43:63].strip().lstrip("0")
    batch.accounts.add(account)
    booking = _day(line[15:21])
    batch.day = batch.day or booking
    key = (account, currency, line[15:27], line[27:43].strip(), reference, amount, line[0])
    rows.add(
        "finnish_references|" + "|".join(str(k) for k in key),
        [(reference, "reference", None)] if reference else [],
        row_number=number,
        statement=statement,
        position=f"line {number}",
        account=account or None,
        currency=currency,
        booking_date=booking,
        value_date=_day(line[21:27]),
        amount=amount,
        status="BOOK",
        reversal=correction,
        transaction_code=line[0],
        bank_reference=line[27:43].strip() or None,
        payer_name=line[63:75].strip() or None,
        raw=line.rstrip(),
    )


def _end(batch: _Batch, line: str | None, statements: list[Statement], issues: list[Issue]) -> None:
    """Prove a batch by its sum record: count and sum of payments, count and sum of corrections."""
    number = len(statements) + 1
    net = sum(a for a in batch.amounts if a) - sum(a for a in batch.corrections if a)
    count = len(batch.amounts) + len(batch.corrections)
    difference: int | None = None
    wrong: list[str] = []
    if line is None or not re.match(r"9\d{34}", line):
        wrong.append("the batch has no sum record 9 that can be read")
    else:
        stated = [int(line[a:b]) for a, b in ((1, 7), (7, 18), (18, 24), (24, 35))]
        found = [
            len(batch.amounts),
            sum(a for a in batch.amounts if a),
            len(batch.corrections),
            sum(a for a in batch.corrections if a),
        ]
        if None not in (*batch.amounts, *batch.corrections):
            difference = stated[1] - stated[3] - net
        for what, told, have in zip(
            ("payments", "cents", "corrections", "cents of corrections"), stated, found, strict=True
        ):
            if told != have:
                wrong.append(f"{told} {what} are stated, there are {have}: difference {told - have}")
    whose = number if count else None  # without payments to condemn, it is the file that is wrong
    issues += [Issue(rule="batch_sum", message=f"batch on line {batch.line}: {w}", statement=whose) for w in wrong]
    currency = "EUR"
    total = Total(
        currency=currency,
        entries=count,
        credit=money(sum(a for a in batch.amounts if a)),
        debit=money(sum(a for a in batch.corrections if a)),
    )
    statements.append(
        Statement(
            number=number,
            form="finnish_references",
            account=next(iter(batch.accounts)) if len(batch.accounts) == 1 else None,
            currency=currency,
            identification=None,
            booking_date=batch.day,
            payments=count,
            net=money(net),
            difference=None if difference is None else money(difference),
            totals=(total,) if count else (),
        )
    )
