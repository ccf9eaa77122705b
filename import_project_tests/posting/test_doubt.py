"""Postings of a ledger that is older than what was done."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from import_project.posting.answers import Next, next_of
from import_project.posting.doubt import doubted
from import_project.records.postings import PostingState
from import_project_tests.posting.memory_box import TERMS, Clock, MemoryBox

NOW = Clock().now
HOUR = timedelta(hours=1)
READY, UNKNOWN = PostingState.READY, PostingState.UNKNOWN


@pytest.mark.parametrize(
    ("state", "sent", "since", "look_up", "what"),
    [
        (READY, None, NOW - HOUR, False, Next.SEND),
        (READY, None, NOW - 25 * HOUR, False, Next.PARK),
        (READY, None, NOW - HOUR, True, Next.LOOK_UP),
        (READY, None, NOW - 25 * HOUR, True, Next.LOOK_UP),
        (UNKNOWN, NOW - HOUR, NOW - 25 * HOUR, False, Next.PARK),
        (UNKNOWN, NOW - 25 * HOUR, NOW - HOUR, False, Next.PARK),
        (UNKNOWN, NOW - HOUR, NOW - 2 * HOUR, False, Next.SEND),
    ],
)
def test_it_goes_on_as_one_that_may_have_been_sent(
    state: PostingState, sent: datetime | None, since: datetime, look_up: bool, what: Next
) -> None:
    one = replace(MemoryBox(1).postings[1], state=state, sent_at=sent)
    assert next_of(doubted(one, since), TERMS, NOW, look_up=look_up) is what


def test_fresh_one_needs_no_time_to_settle_before_it_is_looked_up() -> None:
    one = replace(MemoryBox(1).postings[1], changed_at=NOW)
    assert next_of(doubted(one, NOW - HOUR), TERMS, NOW, look_up=True) is Next.LOOK_UP
    unanswered = replace(one, state=UNKNOWN)
    assert next_of(doubted(unanswered, NOW - HOUR), TERMS, NOW, look_up=True) is Next.WAIT
