"""Postings of a ledger that is older than what was done: each may have been sent since, and nobody has noted it."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from import_project.posting.outbox import Box
from import_project.records.files import Claim
from import_project.records.postings import Answer, Posting, PostingKind, PostingState


def doubted(posting: Posting, since: datetime) -> Posting:
    """Return a posting as one that may have been sent at `since`: it is looked up, sent again while the API knows its
    key for certain, or waits for a person."""
    fresh = posting.state is PostingState.READY
    return replace(
        posting,
        state=PostingState.UNKNOWN,
        sent_at=since if posting.sent_at is None else min(posting.sent_at, since),
        changed_at=None if fresh else posting.changed_at,  # when it was frozen tells nothing of when it was sent
    )


class DoubtedBox:
    """A box whose unsent postings are all in doubt."""

    def __init__(self, box: Box, since: datetime) -> None:
        self._box, self._since = box, since

    def unsent(
        self,
        feed: str,
        file: str,
        kinds: Iterable[PostingKind],
        *,
        after: int,
        limit: int,
        states: Collection[PostingState],
    ) -> list[Posting]:
        """Return the next postings in these states, in doubt."""
        found = self._box.unsent(feed, file, kinds, after=after, limit=limit, states=states)
        return [doubted(one, self._since) for one in found]

    def least_tried(self, feed: str, file: str, kinds: Iterable[PostingKind]) -> Posting | None:
        """Return the posting to try an API with, in doubt."""
        found = self._box.least_tried(feed, file, kinds)
        return None if found is None else doubted(found, self._since)

    def sending(self, claim: Claim, file: str, some: Sequence[Posting], now: datetime) -> set[int]:
        """Mark postings as on their way."""
        return self._box.sending(claim, file, some, now)

    def answered(self, claim: Claim, file: str, answers: Sequence[Answer], now: datetime, api: str, change: Any) -> Any:
        """Store what the API said."""
        return self._box.answered(claim, file, answers, now, api, change)
