"""A million payments and as many open invoices: all are matched, in a bounded memory. How quickly is for a benchmark."""

import resource
import subprocess
import sys

from benchmarks.matching import ALL, MILLION, made
from import_project.matching.decide import decide

_MOST = 1_500 << 20


def test_million_payments_with_a_million_invoices() -> None:
    done = subprocess.run([sys.executable, "-m", __name__], capture_output=True, text=True, check=True)
    matched, left, peak = map(int, done.stdout.split())
    assert (matched, left) == (MILLION, 0)
    assert peak < _MOST, "both lists are included"


def main() -> None:
    payments, _, invoices = made(MILLION)
    found = decide(payments, invoices, ALL)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    print(found.plain.height, len(found.matches), peak)  # noqa: T201 - for the test


if __name__ == "__main__":
    main()
