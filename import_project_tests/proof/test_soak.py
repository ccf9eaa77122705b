"""An hour of a daemon's life with random faults (`SOAK_SECONDS`, `SOAK_SEED`): everything takes effect once, and
neither memory nor descriptors grow.
"""

import os
import sys
from pathlib import Path

import pytest

from import_project_tests.proof.soak import PATIENCE, growth, soak

_SECONDS = float(os.environ.get("SOAK_SECONDS", "3600"))
#: Fewer samples tell of no growth: what is loaded at first is held for good.
_ENOUGH = 20


@pytest.mark.long
@pytest.mark.timeout(_SECONDS + PATIENCE + 300)
def test_soak(tmp_path: Path) -> None:
    samples = soak(tmp_path, _SECONDS, int(os.environ.get("SOAK_SEED", "1")))
    for sample in samples:
        held = [f"{role} {u.rss >> 20} MiB, {u.descriptors} open, {u.processes}" for role, u in sample.uses.items()]
        sys.stdout.write(f"{sample.at:5.0f} s: {'; '.join(held)}\n")
    if len(samples) < _ENOUGH:
        return
    for role, (early, late) in growth(samples).items():
        assert early.processes, f"there is no {role}"
        assert late.rss <= early.rss * 1.15, (role, early, late)
        assert late.descriptors <= early.descriptors * 1.1 + 5, (role, early, late)
        assert late.processes <= early.processes + 1, (role, early, late)
