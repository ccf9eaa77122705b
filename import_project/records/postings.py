"""HTTP requests that must take effect once. How they are kept is the ledger's business, how they are sent posting's."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from import_project.records.decisions import DecidedPayment


class PostingKind(StrEnum):
    """What a posting tells the API."""

    ROW = "row"
    MATCHED = "matched"
    UNMATCHED = "unmatched"
    CREDIT = "credit"


class PostingState(StrEnum):
    """Where a posting stands. `unknown`: sent, and no answer that says whether it took effect. `dead`: a person must
    say, for the API does not."""

    READY = "ready"
    SENDING = "sending"
    UNKNOWN = "unknown"
    DONE = "done"
    REJECTED = "rejected"
    DEAD = "dead"


#: States of postings that are still to be sent, or sent again.
UNSENT = (PostingState.READY, PostingState.SENDING, PostingState.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A posting to be frozen: `subject` is the payment's or row's identity, `part` counts its postings from 0.

    `invoice_id` and `amount` say what a matched posting takes of an invoice, in its currency, of which `written_off` is
    forgiven; `reference` is the invoice's, `reference_form` what all ways to write it share. `also` is another subject
    for the same thing. `entry` is the bank's entry that a payment is of, `lump` whether it stands for all of that
    entry; one that is `repeated` was decided as, or by, its entry: it is never posted. `about` is the payment, on the
    first of its postings.
    """

    subject: str
    part: int
    kind: PostingKind
    row_number: int
    path: str
    body: str
    method: str = "POST"
    evidence: str = ""
    invoice_id: str | None = None
    amount: Decimal | None = None
    also: str | None = None
    entry: str | None = None
    lump: bool = False
    reference: str | None = None
    reference_form: str | None = None
    written_off: Decimal | None = None
    about: DecidedPayment | None = None
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """A new decision about a payment that was decided before: its drafts, whose parts are numbered on, and how many
    decisions it had when this one was made (`changes`)."""

    drafts: tuple[Draft, ...]
    changes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What matched postings take of invoices (`of`, by invoice id) that an invoice list may not show yet.

    `newest` is the newest matched posting that was looked at: a decision is only sound while there is none newer.
    """

    of: Mapping[str, Decimal]
    newest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """A frozen posting: key, method, path and body never change again. Times are aware UTC.

    `sent_at` is when it was first sent so that it may have taken effect; `status` and `receipt` are the last answer,
    `repeats` counts how often that one came while the API took other postings.
    """

    id: int
    kind: PostingKind
    key: str
    api: str
    method: str
    path: str
    body: str
    row_number: int
    state: PostingState
    attempts: int = 0
    sent_at: datetime | None = None
    changed_at: datetime | None = None
    status: int | None = None
    receipt: str | None = None
    repeats: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one attempt made of a posting; `receipt` is what the API said, cut to a bounded length.

    One that was not `tried` after all is as it was before. `sent_at` and `repeats` as in Posting.
    """

    posting_id: int
    key: str
    state: PostingState
    status: int | None
    receipt: str | None
    sent_at: datetime | None = None
    repeats: int = 0
    tried: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How an API has been answering. Times are aware UTC; nothing is sent before `closed_until`.

    `strikes` counts failures in a row, `breaks` how often it was left in peace since it last answered; `took_at` is
    when it last took a posting.
    """

    api: str
    strikes: int = 0
    breaks: int = 0
    closed_until: datetime | None = None
    refused: bool = False
    reason: str = ""
    took_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPosting:
    """A posting as people see it: with its feed, its file's id, its subject, and what it takes of which invoice."""

    id: int
    feed: str
    sha256: str
    subject: str
    part: int
    kind: PostingKind
    row_number: int
    key: str
    api: str
    method: str
    path: str
    body: str
    state: PostingState
    attempts: int
    status: int | None
    receipt: str | None
    invoice_id: str | None
    amount: Decimal | None
    frozen_at: datetime
    sent_at: datetime | None
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What was decided about a subject, and in which file and row it stood."""

    subject: str
    sha256: str
    kind: PostingKind
    row_number: int
