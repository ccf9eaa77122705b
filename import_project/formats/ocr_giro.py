"""Norwegian OCR giro: 80 characters a record, payments with their KID in assignments, control totals in records 88 and
89.

Source: Nets/Mastercard, "OCR giro system specification". Positions are 1-based, as there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import BinaryIO

from import_project.errors import NotRecognised, Unreadable
from import_project.formats.payment_rows import PaymentRows, money
from import_project.formats.text import decode_nordic
from import_project.frames import Piece, issues_frame
from import_project.records.issues import Issue, Severity
from import_project.records.statements import Statement, Total

_WIDTH = 80
_REVERSALS = frozenset({"18", "20"})
_PIVOT = 80


def recognise(content: bytes) -> bool:
    """Whether the first line is a record of a transmission or an assignment."""
    try:
        line = decode_nordic(content[:400]).lstrip().split("\n")[0]
    except Unreadable:
        return False
    return line[:8] in {"NY000010", "NY090020", "NY210020"} and line[:_WIDTH].rstrip()[8:].isdigit()


def pieces(content: BinaryIO) -> Iterator[Piece]:
    """Read `content`; a file is one piece.

    Raises NotRecognised when it is no OCR giro. All else that is wrong is an issue: without row and statement for the
    file, with a statement for an assignment, with a row for one payment.
    """
    whole_file = content.read()
    if not recognise(whole_file):
        raise NotRecognised("the content is no OCR giro: no record NY000010 at its beginning")
    reader = _Reader()
    for number, line in enumerate(decode_nordic(whole_file).split("\n"), start=1):
        if line.strip():
            reader.take(number, line.rstrip().ljust(_WIDTH))
    reader.end()
    yield Piece(
        format="ocr_giro",
        frame=reader.rows.frame(),
        issues=issues_frame(reader.issues),
        statements=tuple(reader.statements),
    )


def _number(line: str, start: int, length: int) -> int | None:
    told = line[start - 1 : start - 1 + length]
    return int(told) if told.isascii() and told.isdecimal() else None


def _day(told: str) -> date | None:
    if not (told.isascii() and told.isdecimal()):
        return None
    year = int(told[4:])
    try:
        return date(year + (1900 if year >= _PIVOT else 2000), int(told[2:4]), int(told[:2]))
    except ValueError:
        return None


@dataclass(slots=True, kw_only=True)
class _Assignment:
    """An assignment so far."""

    line: int
    account: str | None
    number: str
    ours: bool
    records: int = 1
    payments: list[int | None] = field(default_factory=list)
    day: date | None = None

    @property
    def net(self) -> int:
        """The sum of its payments that can be read."""
        return sum(p for p in self.payments if p is not None)


class _Reader:
    """Takes the records in their order."""

    def __init__(self) -> None:
        self.rows = PaymentRows()
        self.issues: list[Issue] = []
        self.statements: list[Statement] = []
        self._records = 0
        self._open: _Assignment | None = None
        self._group: list[tuple[int, str]] = []
        self._started = self._ended = 0
        self._transactions = self._amount = 0

    def take(self, number: int, line: str) -> None:
        """Read one record."""
        self._records += 1
        kind = line[6:8]
        if self._ended or not line.startswith("NY"):
            self._wrong("record", f"line {number} is no record, or stands behind the end of the transmission")
        elif kind == "10":
            self._started += 1
            if self._records != 1:
                self._wrong("record", "the transmission's start is not its first record")
        elif kind == "20":
            self._close(None, number)
            account = line[24:35].strip().lstrip("0")
            self._open = _Assignment(
                line=number, account=line[24:35] if account else None, number=line[17:24], ours=line[2:4] == "09"
            )
        elif kind == "89":
            self._close(None, number)
            self._ended += 1
            self._transmission_end(line)
        elif self._open is None:
            self._wrong("record", f"record {kind} on line {number} belongs to no assignment")
        elif kind == "88":
            self._open.records += 1
            self._close(line, number)
        else:
            self._open.records += 1
            self._item(number, kind, line)

    def _item(self, number: int, kind: str, line: str) -> None:
        if kind == "30":
            self._payment()
            self._group = [(number, line)]
        elif kind in {"31", "32"} and self._group and self._group[0][1][8:15] == line[8:15]:
            self._group.append((number, line))
        elif self._open is not None and self._open.ours:
            self._wrong("record", f"record {kind} on line {number} belongs to no payment")

    def _payment(self) -> None:
        """Add the payment whose records are gathered."""
        group, self._group = self._group, []
        one = self._open
        if not group or one is None or not one.ours:
            return
        number, first = group[0]
        second = next((x for _, x in group if x[6:8] == "31"), " " * _WIDTH)
        told = "\n".join(t for _, x in group if x[6:8] == "32" and (t := x[15:55].strip()))
        minor = _number(first, 33, 17)
        sign = -1 if first[31] == "-" else 1
        if minor is None or first[31] not in "-0 ":
            wrong = "sign and amount are not `-` or `0` and 17 digits"
            self.issues.append(Issue(rule="amount", message=wrong, row_number=number, column="amount"))
            minor = None
        amount = None if minor is None else sign * minor
        one.payments.append(amount)
        settled, kid, code = _day(first[15:21]), first[49:74].strip(), first[4:6]
        one.day = one.day or settled
        payer = second[47:58].strip()
        # what the clearing gives: day, centre, day code, part settlement, serial; transaction numbers are the file's
        key = (one.account, first[15:31], amount, kid, second[25:34], told)
        self.rows.add(
            "ocr_giro|" + "|".join("" if k is None else str(k) for k in key),
            [(kid, "kid", None)] if kid.strip("0") else [],
            row_number=number,
            statement=len(self.statements) + 1,
            position=f"line {number}",
            account=one.account,
            currency="NOK",
            booking_date=settled,
            value_date=settled,
            amount=amount,
            status="BOOK",
            reversal=code in _REVERSALS,
            transaction_code=code,
            bank_reference=second[25:34].strip("0 ") or None,
            remittance=told or None,
            payer_account=payer if payer.strip("0") else None,
            raw="\n".join(x.rstrip() for _, x in group),
        )

    def _close(self, line: str | None, number: int) -> None:
        """Close the assignment that is open, by its end record or for want of one."""
        self._payment()
        one, self._open = self._open, None
        if one is None:
            return
        if not one.ours:
            told = f"the assignment on line {one.line} is of another service and not read"
            self.issues.append(Issue(rule="service", message=told, severity=Severity.WARNING, row_number=one.line))
            self._transactions += (_number(line, 9, 8) or 0) if line else 0
            self._amount += (_number(line, 25, 17) or 0) if line else 0
            return
        self._transactions += len(one.payments)
        self._amount += one.net
        statement = len(self.statements) + 1
        declared = _number(line, 25, 17) if line else None
        difference = None if declared is None or None in one.payments else declared - one.net
        for rule, told in self._assignment_issues(line, one, declared, difference):
            whose = statement if one.payments else None  # without payments to condemn, it is the file that is wrong
            self.issues.append(
                Issue(rule=rule, message=f"assignment {one.number}: {told}", statement=whose, row_number=None)
            )
        readable = [p for p in one.payments if p is not None]
        total = Total(
            currency="NOK",
            entries=len(readable),
            credit=money(sum(p for p in readable if p >= 0)),
            debit=money(-sum(p for p in readable if p < 0)),
        )
        self.statements.append(
            Statement(
                number=statement,
                form="ocr_giro",
                account=one.account,
                currency="NOK",
                identification=one.number,
                booking_date=one.day,
                payments=len(one.payments),
                net=money(one.net),
                declared=None if declared is None else money(declared),
                difference=None if difference is None else money(difference),
                totals=(total,),
            )
        )

    @staticmethod
    def _assignment_issues(
        line: str | None, one: _Assignment, declared: int | None, difference: int | None
    ) -> Iterator[tuple[str, str]]:
        if line is None:
            yield "end_of_assignment", "it has no end record 88"
            return
        if declared is None or difference is None:
            yield "end_of_assignment", "its amount cannot be proved: an amount is unreadable"
        elif difference:
            apart = f"difference {difference / 100:.2f}"
            yield (
                "end_of_assignment",
                f"{declared / 100:.2f} is stated, the payments give {one.net / 100:.2f}: {apart}",
            )
        for what, found, stated in (
            ("payments", len(one.payments), _number(line, 9, 8)),
            ("records", one.records, _number(line, 17, 8)),
        ):
            if stated != found:
                yield "end_of_assignment", f"{stated} {what} are stated, there are {found}"

    def _transmission_end(self, line: str) -> None:
        for what, found, stated in (
            ("payments", self._transactions, _number(line, 9, 8)),
            ("records", self._records, _number(line, 17, 8)),
            ("oere", self._amount, _number(line, 25, 17)),
        ):
            if stated != found:
                self._wrong("end_of_transmission", f"{stated} {what} are stated, there are {found}")

    def end(self) -> None:
        """Say what is missing at the end of the file."""
        self._close(None, 0)
        if self._started != 1:
            self._wrong("record", f"{self._started} start records where there must be one")
        if self._ended != 1:
            self._wrong("end_of_transmission", "the transmission has no end record 89")

    def _wrong(self, rule: str, message: str) -> None:
        self.issues.append(Issue(rule=rule, message=message))
