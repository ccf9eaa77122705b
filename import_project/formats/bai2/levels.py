"""The levels of a BAI2 file: groups and accounts between their headers and trailers, and the proof of the trailers'
amounts and counts. Amounts are as they stand, in the currency's minor unit."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import accumulate

import polars as pl

from import_project.formats.bai2.fields import TOLD_ONLY, Stated, day, stated, whole
from import_project.formats.bai2.records import Record
from import_project.formats.caps import allow_statements
from import_project.records.issues import Issue, Severity
from import_project.records.statements import UNKNOWN_CURRENCY


@dataclass(slots=True, kw_only=True)
class Level:
    """A file, group or account: its header, the sum of the level below and how many parts that has."""

    header: Record
    amount: int = 0
    parts: int = 0


@dataclass(slots=True, kw_only=True)
class Account(Level):
    """An account. `end` is the number of its trailer, `payments` how many of its transactions move money."""

    number: int
    name: str
    currency: str
    day: date | None
    balances: list[Stated] = field(default_factory=list)
    unreadable: bool = False
    end: int = 0
    payments: int = 0
    difference: int | None = None

    @property
    def where(self) -> str:
        """What the account is called in messages."""
        return f"account {self.name} on line {self.header.line}"


class Transactions:
    """Sums over the transactions between two records."""

    def __init__(self, found: pl.DataFrame) -> None:
        amounts = found["amount"]
        self._records = array("q", found["record"].to_list())
        self._amounts = _up_to(amounts.fill_null(0))
        self._unreadable = _up_to(amounts.is_null().cast(pl.Int64))
        self._money = _up_to((found["code"] != TOLD_ONLY).cast(pl.Int64))

    def between(self, start: int, end: int) -> tuple[int, int, int]:
        """Return the sum of amounts, how many are unreadable, and how many transactions move money."""
        first, last = bisect_left(self._records, start), bisect_left(self._records, end)
        sums = (s[last] - s[first] for s in (self._amounts, self._unreadable, self._money))
        amount, unreadable, money = sums
        return amount, unreadable, money


def _up_to(numbers: pl.Series) -> Sequence[int]:
    """Return the sums of the first none, one, two … numbers, also where they are more than 64 bits hold."""
    if numbers.abs().cast(pl.Int128).sum() < 1 << 63:
        return array("q", [0, *numbers.cum_sum()])
    return [0, *accumulate(numbers)]


class Levels:
    """Takes all records but transactions, in their order."""

    def __init__(self, transactions: Transactions) -> None:
        self.accounts: list[Account] = []
        self.issues: list[Issue] = []
        self._transactions = transactions
        self._file: Level | None = None
        self._group: Level | None = None
        self._account: Account | None = None
        self._currency = ""
        self._day: date | None = None
        self._ended = False

    def take(self, records: Iterable[Record], last: Record) -> None:
        """Read the records; `last` is the file's last one, whatever it is."""
        for record in records:
            self._take(record)
        if self._account is not None:
            end = last._replace(record=last.record + 1, kind="49", text="", line=self._account.header.line)
            self._account_ends(end, self._account)
        if self._group is not None or not self._ended:
            self._wrong("structure", "the file is cut off: a group or the file has no trailer (98, 99)")

    def _take(self, record: Record) -> None:
        match record.kind:
            case "01" if self._file is None:
                self._file = Level(header=record)
            case "02" if self._file is not None and self._group is None:
                fields = [*record.text.split(","), *[""] * 6]
                self._group = Level(header=record)
                self._currency, self._day = fields[5].strip() or "USD", day(fields[3])  # the specification's default
            case "03" if self._group is not None and self._account is None:
                self._account_begins(record)
            case "49" if self._account is not None:
                self._account_ends(record, self._account)
            case "98" if self._group is not None and self._account is None:
                self._trailer(record, self._group, self._file, "group", "accounts")
                self._group = None
            case "99" if self._file is not None and self._group is None and not self._ended:
                self._trailer(record, self._file, None, "file", "groups")
                self._ended = True
            case _:
                self._wrong("structure", f"record {record.kind} on line {record.line} stands where none may be")

    def _account_begins(self, record: Record) -> None:
        allow_statements(len(self.accounts) + 1)
        read = stated(record)
        name, currency, amounts = read or (record.text.split(",")[0].strip(), None, [])
        self._account = Account(
            header=record,
            number=len(self.accounts) + 1,
            name=name,
            currency=currency or self._currency or UNKNOWN_CURRENCY,
            day=self._day,
            balances=amounts,
            unreadable=read is None or any(a.amount is None for a in amounts),
            amount=sum(a.amount or 0 for a in amounts),
        )

    def _account_ends(self, record: Record, account: Account) -> None:
        self._account, account.end = None, record.record
        amount, unreadable, account.payments = self._transactions.between(account.header.record, record.record)
        account.amount += amount
        fields = [*record.text.split(","), "", ""]
        declared = whole(fields[0]) if fields[0].strip() else None
        if declared is not None and not account.unreadable and not unreadable:
            account.difference = declared - account.amount
        whose = (
            account.number if account.payments else None
        )  # without payments to condemn, it is the file that is wrong
        told = f"the trailer states {declared}, its amounts give {account.amount}: difference {account.difference}"
        if account.difference is None:
            told = "its amounts cannot be proved: one is unreadable"
        if account.difference != 0:
            message = f"{account.where}: {told}"
            self.issues.append(Issue(rule="account_trailer", message=message, statement=whose))
        self._counted(account.where, fields[1], account, record)
        self.accounts.append(account)
        if self._group is not None:
            self._group.amount += declared or 0
            self._group.parts += 1

    def _trailer(self, record: Record, level: Level, above: Level | None, name: str, parts: str) -> None:
        """Prove a trailer 98 or 99; the amounts below it are as their own trailers state them."""
        fields = [*record.text.split(","), "", "", ""]
        declared = whole(fields[0]) if fields[0].strip() else None
        where = f"{name} on line {level.header.line}"
        if declared != level.amount:
            self._wrong(f"{name}_trailer", f"{where}: the trailer states {declared}, its {parts} give {level.amount}")
        if whole(fields[1]) != level.parts:
            self._wrong(f"{name}_trailer", f"{where}: {fields[1]} {parts} are stated, there are {level.parts}")
        self._counted(where, fields[2], level, record)
        if above is not None:
            above.amount += declared or 0
            above.parts += 1

    def _counted(self, where: str, told: str, level: Level, end: Record) -> None:
        """Warn of another count of records: some banks leave out the continuations. None at all is a cut file."""
        physical = end.so_far - level.header.so_far + level.header.physical
        logical = end.record - level.header.record + 1
        if not told.strip():
            self._wrong("structure", f"{where}: the trailer is cut off: it states no count of records")
        elif whole(told) not in {physical, logical}:
            message = f"{where}: {told} records are stated, there are {physical}"
            self.issues.append(Issue(rule="record_count", message=message, severity=Severity.WARNING))

    def _wrong(self, rule: str, message: str) -> None:
        self.issues.append(Issue(rule=rule, message=message))
