"""The judge outside of the process: every byte that was shown to us, what took effect at the API, and sums by `decimal`
over the files themselves. It asks the ledger only what the ledger claims, and holds that against the rest."""

import csv
import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from pathlib import Path

import sqlalchemy as sa

from import_project.pipeline.parts import Parts
from import_project.records.postings import PostingState
from import_project.store.ledger.tables import postings
from import_project_tests.http_servers import ApiPeer

_CURRENCIES = {"SEK", "EUR", "NOK", "DKK"}


@dataclass
class Oracle:
    """What was shown in the inbox of the example feed `orders`, by name."""

    shown: dict[str, bytes] = field(default_factory=dict)

    def show(self, inbox: Path, name: str, content: bytes) -> None:
        """Put a file into the inbox as a careful sender does, and remember its bytes."""
        self.shown[name] = content
        partial = inbox.parent / f"{name}.sending"
        partial.write_bytes(content)
        partial.rename(inbox / name)

    def good(self) -> dict[str, tuple[Decimal, str]]:
        """Every row that may take effect: amount and currency by order, read by other means than ours."""
        found: dict[str, tuple[Decimal, str]] = {}
        for content in self.shown.values():
            for row in _rows(content):
                try:
                    amount = Decimal(row["amount"].replace(",", "."))
                except InvalidOperation:
                    continue
                if row["currency"] in _CURRENCIES:
                    found[row["order_id"]] = (amount, row["currency"])
        return found

    def check_effects(self, api: ApiPeer) -> None:
        """No row is lost, none took effect twice, and what did is to the cent what the files say (I1, I2, I3)."""
        effects = [body for _, _, body in api.effects]
        times = Counter(str(body["order_id"]) for body in effects)
        good = self.good()
        assert set(times) == set(good), f"lost: {set(good) - set(times)}, made up: {set(times) - set(good)}"
        assert max(times.values()) == 1, [row for row, n in times.items() if n > 1]
        assert _sums({str(b["order_id"]): (Decimal(b["amount"]), b["currency"]) for b in effects}) == _sums(good)
        keys: dict[str, set[str]] = {}
        for key, _, raw in api.calls:
            keys.setdefault(key, set()).add(raw)
        assert all(len(bodies) == 1 for bodies in keys.values()), "a key was sent with two bodies"

    def check_no_more(self, api: ApiPeer) -> None:
        """Half way: nothing took effect that may not, and nothing twice (I2)."""
        times = Counter(str(body["order_id"]) for _, _, body in api.effects)
        assert set(times) <= set(self.good())
        assert max(times.values(), default=1) == 1

    def check_ledger(self, parts: Parts, feed: str = "orders") -> None:
        """Every file ended, and rows in are rows out (I1, I3); nothing is called posted without a receipt (I4)."""
        outcomes = {o.name: o for o in parts.ledger.outcomes.all() if o.feed == feed}
        assert set(outcomes) == set(self.shown), set(self.shown) ^ set(outcomes)
        for name, outcome in outcomes.items():
            rows = len(_rows(self.shown[name]))
            counts = outcome.counts
            assert outcome.state == "done", (name, outcome.state, outcome.error)
            assert (counts.rows, counts.accepted + counts.quarantined, counts.posted) == (rows, rows, counts.accepted)
        with parts.ledger.database.read() as connection:
            found = connection.execute(sa.select(postings.c.state, postings.c.receipt)).all()
        assert {row.state for row in found} <= {PostingState.DONE}
        assert all(row.receipt for row in found)

    def check_archive(self, inbox: Path) -> None:
        """The archive holds the very bytes that were shown, and the inbox nothing (I4)."""
        kept = Counter(_digest(p.read_bytes()) for p in (inbox / ".archive").rglob("*") if p.is_file())
        assert kept == Counter(_digest(content) for content in self.shown.values())
        left = [p for p in inbox.rglob("*") if p.is_file() and ".archive" not in p.parts]
        assert left == []


def _rows(content: bytes) -> list[dict[str, str]]:
    csv.field_size_limit(1 << 24)
    return list(csv.DictReader(io.StringIO(content.decode()), delimiter=";"))


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def _sums(rows: Mapping[str, tuple[Decimal, str]]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for amount, currency in rows.values():
        sums[currency] = sums.get(currency, Decimal()) + amount
    return sums


def orders(number: int, rows: int = 6, bad: int = 2, padding: int = 0) -> bytes:
    """A file of rows that no other number has, the first `bad` of them unreadable; `padding` makes each so much longer."""
    lines = ["order_id;customer;ordered_on;amount;currency;items;note"]
    for i in range(rows):
        amount, currency = ("none", "SEK") if i < bad and i % 2 == 0 else (f"{10 + number + i},{i:02}", "EUR")
        currency = "USD" if i < bad and i % 2 else currency
        lines.append(f"AB-{number * 10 + i:06};Kund {i};2026-11-19;{amount};{currency};{i + 1};{'x' * padding}")
    return ("\r\n".join(lines) + "\r\n").encode()
