"""Killed at named places, all around every transition of the ledger, and started again each time: nothing is lost,
nothing takes effect twice, every sum is what the file says, and what the ledger claims is so."""

import json
from pathlib import Path

import pytest

from import_project.demo import files
from import_project_tests.http_servers import ApiPeer, api_peer
from import_project_tests.installation import Installation
from import_project_tests.pipeline.drops import drop_bgmax
from import_project_tests.proof.children import run_child
from import_project_tests.proof.fail_points import around
from import_project_tests.proof.oracle import Oracle, orders
from import_project_tests.servers import SftpPeer, sftp_peer

#: The places of each fault, in the order in which a file comes by them.
KILLS = {
    "K1": [
        *around("source.list", "sightings.see", "sightings.ready", "arrivals.requested"),
        "arrivals.claim:before",
    ],
    "K2": [
        "arrivals.claim:after",
        *around("steps.begin", "arrivals.moved", "source.claim"),
        "landing.receive:before",
        "source.open:before",
    ],
    "K3": ["source.open:chunk", "source.open:chunk#2", "source.open:chunk#3", "source.open:chunk#4"],
    "K4": ["landing.settle", "landing.receive:after", *around("arrivals.landed", "steps.end")],
    "K5": ["tables.writing:before", "tables.settle", "tables.settle#2", "tables.writing:after"],
    "K6": ["tables.settle#3", "tables.settle#4", "tables.settle#5", "tables.write:after", "tables.remove:before"],
    "K7": [*around("tables.batches"), "decisions.freeze:before"],
    "K8": ["decisions.freeze:after", *around("decisions.decided", "postings.unsent"), "postings.sending:before"],
    "K9": ["postings.sending:after", "api.deliver:before", "api.deliver:before#3"],
    "K10": ["api.deliver:after", "api.deliver:after#3", "postings.answered:before"],
    "K11": [
        "postings.answered:after",
        *around("outcomes.conclude", "source.set_aside", "arrivals.set_aside"),
    ],
    "K11 let go": ["arrivals.release:before"],
    "K12": ["tables.settle#5", "tables.settle#6"],
}
#: What changes the ledger on a file's way; each must have a place before and after it in the matrix.
TRANSITIONS = (
    "sightings.see",
    "sightings.ready",
    "arrivals.requested",
    "arrivals.claim",
    "arrivals.moved",
    "arrivals.landed",
    "decisions.freeze",
    "postings.sending",
    "postings.answered",
    "outcomes.conclude",
    "arrivals.set_aside",
)


@pytest.mark.parametrize("fault", KILLS)
def test_file_survives_a_kill_at_each_place(installation: Installation, api: ApiPeer, fault: str) -> None:
    oracle = Oracle()
    oracle.show(installation.inbox, "orders_1.csv", orders(1, padding=900_000 if fault == "K3" else 0))
    for turn, place in enumerate(KILLS[fault]):
        code = run_child(installation, "orders", turn * 120, FAIL_POINT=place)
        assert code == -9, f"{place} was not passed"
        oracle.check_no_more(api)
    ahead = 120 * len(KILLS[fault])
    for _ in range(2):  # the second one finds nothing left to do, but where the sender's copy was not moved yet
        assert run_child(installation, "orders", ahead) == 0
        ahead += 7200
    oracle.check_effects(api)
    oracle.check_archive(installation.inbox)
    parts = installation.parts()
    oracle.check_ledger(parts)
    parts.close()


def test_payments_are_decided_as_if_nobody_had_been_killed(
    installation: Installation, sftp: SftpPeer, api: ApiPeer, tmp_path: Path
) -> None:
    """Killed while matching and around each write of it: decisions, keys and bodies are those of a quiet run (I9)."""
    api.invoices = files.invoices()
    drop_bgmax(sftp)
    places = ["api.pages:after", *around("decisions.entries", "decisions.taken"), "tables.write:before#4"]
    places += [*around("decisions.freeze"), "postings.sending:after", "api.deliver:after#2", "postings.answered:after"]
    for turn, place in enumerate(places):
        code = run_child(installation, "bankgiro", turn * 120, FAIL_POINT=place)
        assert code == -9, f"{place} was not passed"
    assert run_child(installation, "bankgiro", 120 * len(places)) == 0
    with sftp_peer(tmp_path / "quiet_sftp") as quiet_sftp, api_peer() as quiet_api:
        quiet_api.invoices = files.invoices()
        (tmp_path / "quiet").mkdir()
        quiet = Installation.make(tmp_path / "quiet", quiet_sftp, quiet_api)
        drop_bgmax(quiet_sftp)
        assert run_child(quiet, "bankgiro", 0) == 0
    assert len(api.effects) == 10
    assert sorted(map(str, api.effects)) == sorted(map(str, quiet_api.effects))


def test_replay_survives_a_kill_at_each_place(installation: Installation, api: ApiPeer) -> None:
    """K12: corrected rows take effect once, under the key that they had from the start, and their file is whole."""
    oracle = Oracle()
    oracle.show(installation.inbox, "orders_1.csv", orders(1))
    assert run_child(installation, "orders", 0) == 0
    oracle.check_effects(api)
    corrected = json.dumps([{"row_number": n, "amount": f"{n},50", "currency": "EUR"} for n in (1, 2)])
    places = [*around("arrivals.claim", "tables.write", "decisions.freeze", "postings.sending", "api.deliver")]
    places += ["tables.settle", *around("postings.answered", "outcomes.conclude"), "arrivals.release:before"]
    for turn, place in enumerate(places, 1):
        code = run_child(installation, "orders", turn * 120, CORRECTED=corrected, FAIL_POINT=place)
        assert code == -9, f"{place} was not passed"
        assert max(api.times().values()) == 1
    run_child(installation, "orders", 120 * (len(places) + 1), CORRECTED=corrected)
    assert set(api.times().values()) == {1}
    assert sorted(body["order_id"] for _, _, body in api.effects) == [f"AB-{n:06}" for n in range(10, 16)]
    parts = installation.parts()
    (outcome,) = parts.ledger.outcomes.all()
    counts = outcome.counts
    assert (counts.rows, counts.accepted, counts.quarantined, counts.replayed, counts.posted) == (6, 6, 0, 2, 6)
    parts.close()


def test_every_transition_of_the_ledger_is_in_the_matrix(installation: Installation, tmp_path: Path) -> None:
    Oracle().show(installation.inbox, "orders_1.csv", orders(1))
    passed = tmp_path / "passed"
    assert run_child(installation, "orders", 0, PASSED=str(passed)) == 0
    came_by = set(passed.read_text("utf-8").split())
    killed = {place.partition("#")[0] for places in KILLS.values() for place in places}
    for place in around(*TRANSITIONS):
        assert place in came_by, f"{place} is not passed any more"
        assert place in killed, f"nobody is killed at {place}"
