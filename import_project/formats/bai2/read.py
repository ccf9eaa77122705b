"""A BAI2 file as payments, and the proof of its trailers: amounts of accounts, groups and file, and their counts."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import BinaryIO

from import_project.errors import NotRecognised
from import_project.formats.bai2.fields import Stated, Transaction, day, hundredths, stated, transaction, whole
from import_project.formats.bai2.records import Record, recognise, records
from import_project.formats.payment_rows import PaymentRows, money
from import_project.formats.text import decode_nordic
from import_project.frames import Piece, issues_frame
from import_project.records.issues import Issue, Severity
from import_project.records.statements import UNKNOWN_CURRENCY, Statement, Total

_OPENING, _CLOSING = "010", "015"


def pieces(content: BinaryIO) -> Iterator[Piece]:
    """Read `content`; a file is one piece.

    Raises NotRecognised when it is no BAI2. All else that is wrong is an issue: without row and statement for the file,
    with a statement for an account's transactions, with a row for one.
    """
    whole_file = content.read()
    if not recognise(whole_file):
        raise NotRecognised("the content is no BAI2: no file header 01 with a date at its beginning")
    reader = _Reader()
    for record in records(decode_nordic(whole_file)):
        reader.take(record)
    reader.end()
    yield Piece(
        format="bai2",
        frame=reader.rows.frame(),
        issues=issues_frame(reader.issues),
        statements=tuple(reader.statements),
    )


@dataclass(slots=True, kw_only=True)
class _Sum:
    """What a file, group or account holds so far: amounts as they stand, parts of the level below, records."""

    line: int
    amount: int = 0
    parts: int = 0
    records: int = 0
    logical: int = 0
    unreadable: bool = False


@dataclass(slots=True, kw_only=True)
class _Account(_Sum):
    """An account so far."""

    name: str
    currency: str
    balances: list[Stated] = field(default_factory=list)
    moved: list[int | None] = field(default_factory=list)


class _Reader:
    """Takes the records in their order."""

    def __init__(self) -> None:
        self.rows = PaymentRows()
        self.issues: list[Issue] = []
        self.statements: list[Statement] = []
        self._file: _Sum | None = None
        self._group: _Sum | None = None
        self._account: _Account | None = None
        self._currency = ""
        self._day: date | None = None
        self._ended = False
        self._record = 0

    def take(self, record: Record) -> None:
        """Read one record."""
        self._record += 1
        for level in (self._file, self._group, self._account):
            if level is not None:
                level.records += record.physical
                level.logical += 1
        match record.kind:
            case "01" if self._file is None:
                self._file = _Sum(line=record.line, records=record.physical, logical=1)
            case "02" if self._file is not None and self._group is None:
                self._group_begins(record)
            case "03" if self._group is not None and self._account is None:
                self._account_begins(record)
            case "16" if self._account is not None:
                self._transaction(record, self._account)
            case "49" if self._account is not None:
                self._account_ends(record)
            case "98" if self._group is not None and self._account is None:
                self._trailer(record, self._group, self._file, "group", "accounts")
                self._group = None
            case "99" if self._file is not None and self._group is None and not self._ended:
                self._trailer(record, self._file, None, "file", "groups")
                self._ended = True
            case _:
                self._wrong("structure", f"record {record.kind} on line {record.line} stands where none may be")

    def _group_begins(self, record: Record) -> None:
        fields = [*record.text.split(","), *[""] * 6]
        self._group = _Sum(line=record.line, records=record.physical, logical=1)
        self._currency, self._day = fields[5].strip() or "USD", day(fields[3])  # the specification's default

    def _account_begins(self, record: Record) -> None:
        read = stated(record)
        fields = record.text.split(",")
        name, currency, amounts = read or (fields[0].strip(), None, [])
        self._account = _Account(
            line=record.line,
            records=record.physical,
            logical=1,
            name=name,
            currency=currency or self._currency or UNKNOWN_CURRENCY,
            balances=amounts,
            unreadable=read is None or any(a.amount is None for a in amounts),
            amount=sum(a.amount or 0 for a in amounts),
        )

    def _transaction(self, record: Record, account: _Account) -> None:
        found = transaction(record)
        account.amount += found.amount or 0
        account.unreadable = account.unreadable or found.amount is None
        if not found.money:
            return
        wrong: tuple[str, str] | None = None
        amount = None if found.amount is None else hundredths(found.amount, account.currency)
        if amount is None:
            wrong = ("amount", "the amount is none in this currency")
        elif found.sign is None:
            wrong = ("direction", f"type code {found.code} says neither credit nor debit")
        row = self._record
        if wrong:
            self.issues.append(Issue(rule=wrong[0], message=wrong[1], row_number=row, value=record.text[:80]))
        signed = amount * found.sign if amount is not None and found.sign else amount
        account.moved.append(signed)
        self._add(record, found, account, signed)

    def _add(self, record: Record, found: Transaction, account: _Account, signed: int | None) -> None:
        told = (
            account.name,
            account.currency,
            self._day,
            found.code,
            signed,
            found.bank_reference,
            found.customer_reference,
            found.text,
        )
        self.rows.add(
            "bai2|" + "|".join("" if t is None else str(t) for t in told),
            [(found.customer_reference, "customer_reference", None)] if found.customer_reference else [],
            row_number=self._record,
            statement=len(self.statements) + 1,
            position=f"line {record.line}",
            account=account.name or None,
            currency=account.currency,
            booking_date=self._day,
            value_date=found.value_date,
            amount=signed,
            status="BOOK",
            reversal=False,
            transaction_code=found.code,
            bank_reference=found.bank_reference,
            remittance=found.text,
            raw=f"16,{record.text}/",
        )

    def _account_ends(self, record: Record) -> None:
        account, self._account = self._account, None
        assert account is not None
        fields = [*record.text.split(","), "", ""]
        declared = whole(fields[0]) if fields[0].strip() else None
        sound = declared is not None and not account.unreadable
        difference = declared - account.amount if declared is not None and sound else None
        number, count = len(self.statements) + 1, len(account.moved)
        where = f"account {account.name} on line {account.line}"
        whose = number if count else None  # without payments to condemn, it is the file that is wrong
        if difference is None:
            message = f"{where}: its amounts cannot be proved: one is unreadable"
            self.issues.append(Issue(rule="account_trailer", message=message, statement=whose))
        elif difference:
            message = (
                f"{where}: the trailer states {declared}, its amounts give {account.amount}: difference {difference}"
            )
            self.issues.append(Issue(rule="account_trailer", message=message, statement=whose))
        self._counted(where, fields[1], account)
        self._state(account, number, difference, where)
        if self._group is not None:
            self._group.amount += declared or 0
            self._group.parts += 1

    def _state(self, account: _Account, number: int, difference: int | None, where: str) -> None:
        readable = [m for m in account.moved if m is not None]
        net = sum(readable)
        opening, closing = (self._balance(account, code) for code in (_OPENING, _CLOSING))
        if opening is not None and closing is not None and account.moved and closing - opening - net:
            apart = closing - opening - net
            message = f"{where}: opening and transactions do not give closing: difference {apart / 100:.2f}"
            self.issues.append(Issue(rule="ledger_balance", message=message, severity=Severity.WARNING))
        scaled = None if difference is None else hundredths(difference, account.currency)
        total = Total(
            currency=account.currency,
            entries=len(readable),
            credit=money(sum(m for m in readable if m >= 0)),
            debit=money(-sum(m for m in readable if m < 0)),
        )
        self.statements.append(
            Statement(
                number=number,
                form="bai2",
                account=account.name or None,
                currency=account.currency,
                identification=None,
                booking_date=self._day,
                payments=len(account.moved),
                net=money(net),
                opening=None if opening is None else money(opening),
                closing=None if closing is None else money(closing),
                difference=None if scaled is None else money(scaled),
                totals=(total,) if account.moved else (),
            )
        )

    @staticmethod
    def _balance(account: _Account, code: str) -> int | None:
        found = next((b.amount for b in account.balances if b.code == code), None)
        return None if found is None else hundredths(found, account.currency)

    def _trailer(self, record: Record, level: _Sum, above: _Sum | None, name: str, parts: str) -> None:
        """Prove a trailer 98 or 99; the amounts below it are as their own trailers state them."""
        fields = [*record.text.split(","), "", "", ""]
        declared = whole(fields[0]) if fields[0].strip() else None
        where = f"{name} on line {level.line}"
        if declared != level.amount:
            self._wrong(f"{name}_trailer", f"{where}: the trailer states {declared}, its {parts} give {level.amount}")
        if whole(fields[1]) != level.parts:
            self._wrong(f"{name}_trailer", f"{where}: {fields[1]} {parts} are stated, there are {level.parts}")
        self._counted(where, fields[2], level)
        if above is not None:
            above.amount += declared or 0
            above.parts += 1

    def _counted(self, where: str, told: str, level: _Sum) -> None:
        """Warn of another count of records: some banks leave out the continuations. None at all is a cut file."""
        if not told.strip():
            self._wrong("structure", f"{where}: the trailer is cut off: it states no count of records")
        elif whole(told) not in {level.records, level.logical}:
            message = f"{where}: {told} records are stated, there are {level.records}"
            self.issues.append(Issue(rule="record_count", message=message, severity=Severity.WARNING))

    def end(self) -> None:
        """Say what is missing at the end of the file."""
        if self._account is not None:
            account = self._account
            self._account_ends(Record(kind="49", text="", physical=0, line=account.line))
        if self._group is not None or not self._ended:
            self._wrong("structure", "the file is cut off: a group or the file has no trailer (98, 99)")

    def _wrong(self, rule: str, message: str) -> None:
        self.issues.append(Issue(rule=rule, message=message))
