"""BgMax: our reader, with all control totals, against the plainest loop that slices each line and checks nothing."""

from benchmarks.figure import Figure, rates
from import_project_tests.formats.bgmax_files import BgMaxFile, Section, money, record
from import_project_tests.formats.reading import read_bank

PAYMENTS = 100_000


def slicing_loop(content: bytes) -> int:
    total = 0
    for line in content.decode("iso-8859-1").split("\r\n"):
        if line[:2] == "20":
            total += int(line[37:55])
            line[12:37].strip(), line[55], line[57:69]
        elif line[:2] == "26":
            line[2:37].strip()
    return total


def run() -> list[Figure]:
    groups = [(money("20", "10.00", reference=str(n), serial=f"{n:012}"), record("26Namn AB")) for n in range(PAYMENTS)]
    content = BgMaxFile([Section([line for group in groups for line in group])]).content()
    assert read_bank("bgmax", content).bookable
    ours, peer = rates(PAYMENTS, lambda: read_bank("bgmax", content), lambda: slicing_loop(content), rounds=3)
    return [
        Figure(
            what="BgMax payments a second",
            ours=ours,
            peer=peer,
            peer_name="slicing loop, no checks",
            goal="none yet",
            met=None,
        )
    ]
