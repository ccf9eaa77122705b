"""BgMax files for tests, written record by record from the manual's positions; independent of the reader's table."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any


def record(text: str) -> str:
    return text.ljust(80)


def money(record_type: str, amount: str, **over: str) -> str:
    """A 20, 21, 22 or 23 record."""
    given = {
        "sender": "0000123456",
        "reference": "",
        "code": "2",
        "channel": "1",
        "serial": "000000000001",
        "image": "0",
    }
    given |= over
    oere = f"{int(Decimal(amount) * 100):018}"
    text = record_type + given["sender"] + given["reference"].rjust(25) + oere + given["code"] + given["channel"]
    return record(text + given["serial"] + given["image"] + given.get("deduction", ""))


@dataclass
class Section:
    records: list[str]
    deposit: str = "00056"
    currency: str = "SEK"
    closing_currency: str | None = None
    declared: str | None = None
    count: int | None = None
    bankgiro: str = "0009912346"
    date: str = "20261120"

    @property
    def net(self) -> Decimal:
        signs = {"20": 1, "21": -1}
        return sum((signs[r[:2]] * Decimal(int(r[37:55])) / 100 for r in self.records if r[:2] in signs), Decimal(0))

    def lines(self) -> list[str]:
        declared = Decimal(self.declared) if self.declared is not None else self.net
        count = self.count if self.count is not None else sum(r[:2] in {"20", "21"} for r in self.records)
        closing = f"15{'5841000001009823':0>35}{self.date}{self.deposit}{int(declared * 100):018}"
        closing += f"{self.closing_currency or self.currency}{count:08}"
        return [record(f"05{self.bankgiro}{'':10}{self.currency}"), *self.records, record(closing)]


@dataclass
class BgMaxFile:
    sections: list[Section]
    mark: str = "P"
    ends: dict[str, int] = field(default_factory=dict)

    def lines(self) -> list[str]:
        body = [line for section in self.sections for line in section.lines()]
        counts = {"20": 0, "21": 0, "22": 0, "15": 0}
        for line in body:
            kind = {"23": "22"}.get(line[:2], line[:2])
            if kind in counts:
                counts[kind] += 1
        counts |= self.ends
        end = record("70" + "".join(f"{counts[k]:08}" for k in ("20", "21", "22", "15")))
        return [record("01BGMAX".ljust(22) + "01" + "20261120173035010331" + self.mark), *body, end]

    def content(self, encoding: str = "iso-8859-1", eol: str = "\r\n") -> bytes:
        return (eol.join(self.lines()) + eol).encode(encoding)


def one(*records: str, **over: Any) -> bytes:
    """A file with one section."""
    return BgMaxFile([Section(list(records), **over)]).content()
