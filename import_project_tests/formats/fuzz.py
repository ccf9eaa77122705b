"""Damaged bank files, and in a long run damaged row files too: each reader must end with a reading that is in itself sound, or with one of our errors.

`python -m import_project_tests.formats.fuzz SECONDS [SEED]` goes on for so long (`make fuzz`), and keeps a file that
fails beside it.
"""

import random
import sys
import time
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import polars as pl

from import_project.errors import ImportProjectError
from import_project.records.statements import Statement
from import_project.validation.payments import split_payments
from import_project_tests.formats import bgmax_files as bgmax
from import_project_tests.formats import camt_files as camt
from import_project_tests.formats import fuzz_rows, test_bai2, test_finnish_references, test_mt940, test_ocr_giro
from import_project_tests.formats import test_status_reports as status_reports
from import_project_tests.formats.reading import read_bank


def _camt() -> bytes:
    batch = [camt.transaction(f"{n}.00", camt.element("RmtInf", camt.element("Ustrd", f"no {n}"))) for n in (1, 2, 3)]
    entries = [camt.entry("6.00", *batch, ref="B1"), camt.entry("-2.50", ref="B2"), camt.entry("1.00")] * 4
    return camt.document(camt.statement(entries, net="18.00"), camt.statement(entries, net="18.00", number="2"))


def _bgmax() -> bytes:
    group = [bgmax.money("20", "10.00", reference="123"), bgmax.record("26Müller AB"), bgmax.money("22", "4.00")]
    return bgmax.BgMaxFile([bgmax.Section(group * 2), bgmax.Section(group, deposit="00057")]).content()


def _mt940() -> bytes:
    lines = [
        test_mt940.line("5.00", "166?00GUTSCHRIFT?20EREF+E1?21SVWZ+Re 7?32ANN"),
        test_mt940.line("-2.00", "/NAME/B/"),
    ]
    return "".join(test_mt940.message(*lines, net="3.00", number=f"{n}/1") for n in (1, 2)).encode()


#: A sound file for each reader.
SEEDS: Mapping[str, tuple[str, bytes]] = {
    "bgmax": ("bgmax", _bgmax()),
    "camt": ("sepa", _camt()),
    "pain.002": (
        "sepa",
        status_reports.report(status_reports.transaction("E1", "ACSC"), status_reports.transaction("E2")),
    ),
    "mt940": ("mt940", _mt940()),
    "bai2": ("bai2", test_bai2.report("16,142,100,Z,B,C,one\n88,two/", "16,451,40,V,261118,,,,x/", stated=140)),
    "ocr_giro": ("ocr_giro", test_ocr_giro.transmission(test_ocr_giro.payment(500), test_ocr_giro.payment(-200))),
    "finnish_references": (
        "finnish_references",
        test_finnish_references.batch(*map(test_finnish_references.payment, (500, -200))).encode("iso-8859-1"),
    ),
}
_PIECES = [
    b"\x00",
    b"\xff",
    b"\n",
    b"\r",
    b"-",
    b"/",
    b",",
    b"<",
    b"&",
    b"0",
    b"9" * 20,
    b"<Ntry>",
    b"</Stmt>",
    b":61:",
    b"88,",
]


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Change a file in one to four places: bytes changed, cut out, put in, copied; or its end cut off."""
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(content) + 1)
        end = min(len(content), start + chance.choice([1, 1, 2, 8, 80]))
        match chance.randrange(6):
            case 0:
                content = content[:start] + bytes([chance.randrange(256)]) + content[start + 1 :]
            case 1:
                content = content[:start] + content[end:]
            case 2:
                content = content[:start] + chance.choice(_PIECES) + content[start:]
            case 3:
                content = content[:end] + content[start:end] + content[end:]
            case 4:
                content = content[:start] + str(chance.randrange(10)).encode() + content[start + 1 :]
            case _:
                content = content[:start] if chance.random() < 0.3 else content
    return content


def check(name: str, content: bytes) -> bool:
    """Read a file and hold the reading against itself; whether it was read at all. Raises what must not happen."""
    try:
        reading = read_bank(name, content)
    except ImportProjectError:
        return False
    assert reading.frame["identity"].n_unique() == reading.frame.height
    assert sum(s.payments for s in reading.statements) == reading.frame.height
    if reading.file_errors.height:
        return True
    split = split_payments(reading)
    assert split.accepted.height + split.quarantined.height == reading.frame.height
    sound = {s.number: s for s in reading.statements if not s.difference}
    assert set(split.accepted["statement"]) <= set(sound), "a payment of a statement that does not add up is accepted"
    _held_against(reading.frame, sound if reading.bookable else {})
    return True


def _held_against(frame: pl.DataFrame, statements: Mapping[int, Statement]) -> None:
    booked = frame.filter(pl.col("status") == "BOOK")
    for number, statement in statements.items():
        found = booked.filter(pl.col("statement") == number)["amount"].sum() or Decimal(0)
        assert found == statement.net, f"statement {number}: {found} in the frame, {statement.net} in the total"


def main(seconds: float, seed: int) -> None:
    chance, until, done = random.Random(seed), time.monotonic() + seconds, 0
    while time.monotonic() < until:
        what = chance.choice([*SEEDS, *fuzz_rows.SEEDS])
        of_rows = what in fuzz_rows.SEEDS
        name, sound = (what, fuzz_rows.SEEDS[what][0]) if of_rows else SEEDS[what]
        content = damaged(sound, chance)
        try:
            (fuzz_rows.check_rows if of_rows else check)(name, content)
        except Exception:
            kept = Path(f"fuzz-{what}-{seed}-{done}.bin")
            kept.write_bytes(content)
            sys.stderr.write(f"{kept} fails with {name}\n")
            raise
        done += 1
    sys.stdout.write(f"{done} damaged files, each read or refused (seed {seed})\n")


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
