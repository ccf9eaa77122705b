"""The gate: on labelled payments as real files hold them, no automatic match is wrong, and nearly all that can be
proved is found. Fixed seeds, and one that changes every day."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from import_project.matching.decide import order_of
from import_project.records.payments import Match
from import_project_tests.matching.deciding import decisions
from import_project_tests.matching.labelled import Labelled, labelled
from import_project_tests.matching.labelled_contradictions import contradictions

LEAST_RECALL = 0.97
TODAY = datetime.now(UTC).toordinal()


def judged(judging: Labelled, found: dict[str, Match]) -> tuple[list[str], Counter[str]]:
    """Return what was matched wrongly, in words, and what was not found of what can be proved, by kind."""
    wrong, missed = [], Counter[str]()
    for payment in judging.payments:
        truth, match = judging.truth[payment.payment_id], found[payment.payment_id]
        got = {a.invoice_id: a.amount for a in match.allocations} if match.matched else None
        right = dict(truth.settles or {})
        if got is not None and got != right:
            wrong.append(f"{truth.kind}: {match.rule} gave {got}, right is {right or None}: {match.evidence}")
        if truth.automatic and got != right:
            missed[truth.kind] += 1
    return wrong, missed


@pytest.mark.parametrize("seed", [1, 2, 3, 2026, TODAY])
def test_no_match_is_wrong_and_nearly_all_that_can_be_proved_is_found(seed: int) -> None:
    judging = labelled(seed)
    kinds = Counter(t.kind for t in judging.truth.values())
    assert (len(judging.payments) >= 2_000, len(kinds) >= 25) == (True, True)
    wrong, missed = judged(judging, decisions(judging.payments, judging.invoices))
    assert wrong == []
    provable = sum(t.automatic for t in judging.truth.values())
    assert provable > 1_000
    assert 1 - missed.total() / provable >= LEAST_RECALL, missed


def test_labels_do_not_contradict_the_data() -> None:
    assert contradictions(labelled(TODAY)) == []


def test_runs_in_order_decide_the_same_on_labelled_payments() -> None:
    judging = labelled(7)
    pays = sorted(judging.payments, key=order_of)
    whole = decisions(pays, judging.invoices)
    assert decisions(judging.payments[::-1], judging.invoices[::-1]) == whole
    assert all(m.evidence or m.rule == "reference" for m in whole.values())
