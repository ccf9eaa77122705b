"""What an answer makes of a posting, and what is done with a posting whose last answer never came. Pure."""

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from import_project.records.postings import Posting, PostingState
from import_project.records.terms import Terms

#: How often the same 500 must come, while others are taken, to be the answer that the API keeps for the key.
CACHED_AFTER = 3
_REFUSED = frozenset({401, 403})
_NOT_DONE = frozenset({425, 429})
_NOWHERE = frozenset({404, 405})
RECEIPT_LENGTH = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back from one try. `status` is None when no whole answer came; `text` is then why.

    `why` stands for a `text` that may hold a customer's row. `retry_after` is that header, `html` whether a web page
    came, `item` whether it is one result of a batch. What has not `left` certainly never came there. What was `called`
    is Python of the user's own: what it returns is the receipt.
    """

    status: int | None
    text: str
    retry_after: str | None = None
    html: bool = False
    item: bool = False
    left: bool = True
    called: bool = False
    why: str | None = None

    @property
    def reason(self) -> str:
        """Why it did not end well, without a word of a customer's row: logs, alerts and other feeds are told it."""
        return (self.why or self.text) if self.status is None else f"it answered {self.status}"


class Stop(StrEnum):
    """Why nothing more is sent: we are refused, the answers are unusable, or a key has had another body."""

    REFUSED = "refused"
    UNUSABLE = "unusable"
    KEY_REUSED = "key_reused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a posting is now, and why, cut to a bounded length. `fault`: the API as a whole may be down."""

    state: PostingState
    told: str
    fault: bool = False
    stop: Stop | None = None
    repeats: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What one try brought: the reply and what it makes of the posting. No verdict: it was not tried after all; no
    reply: the verdict was found without sending."""

    posting: Posting
    reply: Reply | None
    verdict: Verdict | None


def clean(text: str) -> str:
    """Return a text that every database takes: no NUL, no half of a character, of bounded length."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "")[:RECEIPT_LENGTH]


def untouched(posting: Posting) -> PostingState:
    """Return how a posting stands after a try that changed nothing: one that may have taken effect stays so."""
    return PostingState.READY if posting.state is PostingState.READY else PostingState.UNKNOWN


def try_later(status: int) -> bool:
    """Whether a status says that the same request may be right later."""
    return status in {408, 409, *_NOT_DONE} or status >= 500


def refuses_us(status: int) -> bool:
    """Whether a status is about our token or rights, not about the request."""
    return status in _REFUSED


def slow_down(status: int | None) -> bool:
    """Whether a status says that it was nothing, for now there are too many requests, or too early ones."""
    return status in _NOT_DONE


def nowhere(status: int | None) -> bool:
    """Whether a status says that nobody is at this address."""
    return status in _NOWHERE


def judge(posting: Posting, reply: Reply, *, took_at: datetime | None, receipt: str | None = None) -> Verdict:
    """Say what a reply makes of a posting.

    Only a 2xx ends it well, and only a 4xx about the request itself ends it badly. A posting that may have taken effect
    before stays `unknown` whatever says that this try did not. `took_at` is when the API last took any posting;
    `receipt` is a field that the answer to a posting that was taken must have; where none is agreed, it may tell of no
    `error`.
    """
    status, said, before = reply.status, reply.text, untouched(posting)
    told = clean(said if status is None else f"{status} {said}")
    if status is None:
        return Verdict(state=PostingState.UNKNOWN if reply.left else before, told=told, fault=True)
    if 200 <= status < 300:
        bad = not _has(said, receipt) if receipt is not None else not reply.called and _tells_error(said, posting.body)
        if reply.html or bad:
            return Verdict(state=PostingState.UNKNOWN, told=told, stop=Stop.UNUSABLE)
        return Verdict(state=PostingState.DONE, told=clean(said))
    if slow_down(status):
        return Verdict(state=before, told=told)
    if status == 409:
        return Verdict(state=PostingState.UNKNOWN, told=told)
    if status == 408 or status >= 500:
        return _failed(posting, status, told, took_at)
    if status in _REFUSED:
        return Verdict(state=before, told=told, stop=Stop.REFUSED)
    if status == 405:  # never about a row
        return Verdict(state=before, told=told, stop=Stop.UNUSABLE)
    if not 400 <= status < 500:
        return Verdict(state=PostingState.UNKNOWN, told=told, stop=Stop.UNUSABLE)
    if status == 422 and (before is PostingState.UNKNOWN or "idempoten" in said.lower()):
        return Verdict(state=PostingState.DEAD, told=told, stop=Stop.KEY_REUSED)
    return Verdict(state=PostingState.REJECTED, told=told)


def _has(said: str, field: str) -> bool:
    return _fields(said).get(field) is not None


def _tells_error(said: str, sent: str) -> bool:
    """Whether an answer that says 200 says in its body that it went wrong, as some APIs do; a field that was sent to it
    and comes back is none."""
    answer = _fields(said)
    told = {name: answer[name] for name in ("error", "errors") if answer.get(name)}
    return bool(told) and any(_fields(sent).get(name) != value for name, value in told.items())


def _fields(said: str) -> dict[str, Any]:
    try:
        answer = json.loads(said)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _failed(posting: Posting, status: int, told: str, took_at: datetime | None) -> Verdict:
    """A 500 that comes word for word again while the API takes others is what it keeps for the key."""
    same = status == 500 and posting.status == 500 and told == posting.receipt
    others = took_at is not None and posting.changed_at is not None and took_at > posting.changed_at
    repeats = posting.repeats + (1 if others else 0) if same else int(status == 500)
    if repeats >= CACHED_AFTER:
        kept = clean(f"the API keeps this answer for the key: {told}")
        return Verdict(state=PostingState.DEAD, told=kept, repeats=repeats)
    return Verdict(state=PostingState.UNKNOWN, told=told, fault=True, repeats=repeats)


class Next(StrEnum):
    """What is done with a posting that is still to be sent."""

    SEND = "send"
    LOOK_UP = "look_up"
    WAIT = "wait"
    PARK = "park"


def next_of(posting: Posting, terms: Terms, now: datetime, *, look_up: bool) -> Next:
    """Say how a posting goes on. One that may have taken effect is looked up where that is possible, once the API has
    had time to end what it was at; else it is sent again with its key as long as the API knows that; else a person must
    say."""
    if posting.state is PostingState.READY:
        return Next.SEND
    if look_up:
        soon = posting.changed_at is not None and now - posting.changed_at < terms.settling
        return Next.WAIT if soon else Next.LOOK_UP
    return Next.SEND if key_known(posting, terms, now) else Next.PARK


def key_known(posting: Posting, terms: Terms, now: datetime) -> bool:
    """Whether the API still knows the key of a posting for certain, if it ever came there."""
    return terms.key_window is None or posting.sent_at is None or now - posting.sent_at < terms.key_window
