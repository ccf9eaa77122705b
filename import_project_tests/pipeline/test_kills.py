"""Killed before and after every call into a store, a source or the API, and started again: nothing lost, nothing twice.

Each child is forked from a warm process of its own and killed with SIGKILL at its n-th call; the next child goes on
with the state that is left, its clock a lease later. The API's log of effects is the judge.
"""

import os
import signal
import time
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest

from import_project.demo import files
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation
from import_project_tests.proof.children import run_child, start_child
from import_project_tests.servers import SftpPeer


@pytest.mark.parametrize("stride", [7, 11])
def test_bank_file_survives_a_kill_at_every_stage(
    installation: Installation, sftp: SftpPeer, api: ApiPeer, stride: int
) -> None:
    api.invoices = files.invoices()
    (sftp.root / "out" / files.BGMAX_NAME).write_bytes(files.bgmax())
    kills = _until_done(installation, "bankgiro", stride)
    assert kills >= 5
    assert max(api.times().values()) == 1
    assert len(api.effects) == 10
    total = sum(Decimal(b["payment_amount"]) for _, p, b in api.effects if p == "/unmatched-payments")
    assert total == Decimal("1135.00")
    _check_end(installation, "bankgiro", sftp.root / "out", (8, 2, 8))


def test_row_file_survives_a_kill_at_every_stage(installation: Installation, api: ApiPeer) -> None:
    (installation.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    assert _until_done(installation, "orders", 5) >= 5
    assert max(api.times().values()) == 1
    assert len(api.effects) == 5
    _check_end(installation, "orders", installation.inbox, (5, 5, 5))


def test_kill_between_effect_and_receipt_with_lost_answers(installation: Installation, api: ApiPeer) -> None:
    """The hardest place alone: the API took effect, and the process died before the ledger knew."""
    (installation.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    api.mode = "apply_then_drop"
    for ahead in range(0, 400, 100):
        run_child(installation, "orders", ahead, FAIL_POINT="api.deliver:after")
    api.mode = "ok"
    for ahead in range(400, 1000, 100):
        run_child(installation, "orders", ahead)
    assert max(api.times().values()) == 1
    assert len(api.effects) == 5
    _check_end(installation, "orders", installation.inbox, (5, 5, 5))


def test_read_only_server_survives_a_kill_at_every_stage(
    installation: Installation, sftp: SftpPeer, api: ApiPeer
) -> None:
    api.invoices = files.invoices()
    (sftp.root / "out" / files.BGMAX_NAME).write_bytes(files.bgmax())
    read_only = installation.rewrite("bankgiro", source={"read_only": True})
    assert _until_done(read_only, "bankgiro", 9) >= 5
    assert max(api.times().values()) == 1
    assert len(api.effects) == 10
    assert [p.name for p in (sftp.root / "out").iterdir()] == [files.BGMAX_NAME]


def test_archive_with_a_done_file_survives_a_kill_at_every_stage(installation: Installation, api: ApiPeer) -> None:
    given = {"unpack": {}, "done_file": "{name}.done", "pattern": {"glob": "*"}}
    packed = installation.rewrite("orders", files=given)
    with zipfile.ZipFile(installation.inbox / "day.zip", "w") as archive:
        archive.writestr("a.csv", files.orders_csv())
        archive.writestr("b.csv", files.orders_csv().replace(b"AB-", b"CD-"))
    (installation.inbox / "day.zip.done").touch()
    assert _until_done(packed, "orders", 7, files_in_all=3) >= 5
    assert max(api.times().values()) == 1
    assert len(api.effects) == 10
    parts = packed.parts()
    packed.clock.advance(hours=3)
    packed.poll(parts, "orders")
    assert sorted(o.state for o in parts.ledger.outcomes.all()) == ["done", "done", "unpacked"]
    left = {p.relative_to(packed.inbox).parts[0] for p in packed.inbox.rglob("*") if p.is_file()}
    assert left == {".archive"}
    parts.close()


@pytest.mark.parametrize("calls", [6, 14, 22, 30, 38, 46, 54, 62, 70])
def test_run_that_was_stopped_past_its_lease_acts_no_more(installation: Installation, api: ApiPeer, calls: int) -> None:
    """Stopped by SIGSTOP at some call, overtaken by another run that ends the file, and woken again."""
    (installation.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    late = start_child(installation, "orders", calls, 0, FUSE="SIGSTOP")
    assert late.pid is not None
    stat = Path(f"/proc/{late.pid}/stat")
    while late.is_alive() and stat.read_text("utf-8").rsplit(") ", 1)[1][0] != "T":
        time.sleep(0.02)
    ahead = 0
    while not installation.parts().ledger.outcomes.all():
        ahead += 120
        assert run_child(installation, "orders", ahead) == 0
        assert ahead < 1200
    if late.is_alive():
        os.kill(late.pid, signal.SIGCONT)
    late.join(timeout=60)
    assert max(api.times().values()) == 1
    assert len(api.effects) == 5
    _check_end(installation, "orders", installation.inbox, (5, 5, 5))


@pytest.mark.parametrize(("place", "leave"), [("postings.sending:after", 0), ("api.deliver:before", 1)])
def test_run_that_was_overtaken_sends_no_more(installation: Installation, api: ApiPeer, place: str, leave: int) -> None:
    """Even to an API that has forgotten the keys: at most the one request leaves that was already on its way."""
    (installation.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    late = start_child(installation, "orders", 1_000_000, 0, FUSE="SIGSTOP", FAIL_POINT=place, LEASE="1")
    assert late.pid is not None
    stat = Path(f"/proc/{late.pid}/stat")
    while stat.read_text("utf-8").rsplit(") ", 1)[1][0] != "T":
        time.sleep(0.02)
    time.sleep(1.2)  # its own clock must be past the lease too: nobody else is asked before a request
    for ahead in (0, 5, 120, 240):
        run_child(installation, "orders", ahead)
        if installation.parts().ledger.outcomes.all():
            break
    before = len(api.calls)
    assert len(api.effects) == 5
    os.kill(late.pid, signal.SIGCONT)
    late.join(timeout=60)
    assert len(api.calls) - before <= leave
    _check_end(installation, "orders", installation.inbox, (5, 5, 5))


def _until_done(installation: Installation, feed: str, stride: int, files_in_all: int = 1) -> int:
    """Let each child live a little longer than the last, and the final one for ever; returns the number of kills."""
    kills = 0
    for turn in range(60):
        code = run_child(installation, feed, turn * 120, stride * (turn + 1))
        kills += code == -9
        if code == 0 and len(installation.parts().ledger.outcomes.all()) == files_in_all:
            return kills
    raise AssertionError("the file never came to its end")


def _check_end(installation: Installation, feed: str, inbox: Path, counts: tuple[int, int, int]) -> None:
    parts = installation.parts()
    installation.clock.advance(hours=3)
    installation.poll(parts, feed)
    (outcome,) = parts.ledger.outcomes.all()
    assert outcome.state == "done"
    assert (outcome.counts.accepted, outcome.counts.quarantined, outcome.counts.posted) == counts
    left = [p.relative_to(inbox).parts[0] for p in inbox.rglob("*") if p.is_file()]
    assert left == [".archive"]
    parts.close()
