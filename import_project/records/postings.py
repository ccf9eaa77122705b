"""HTTP requests that must take effect once. How they are kept is the ledger's business, how they are sent posting's."""

from collections.abc import Mapping
from dataclasses import dataclass
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
    """Where a posting stands. `unknown`: sent, and no answer that says whether it took effect."""

    READY = "ready"
    SENDING = "sending"
    UNKNOWN = "unknown"
    DONE = "done"
    REJECTED = "rejected"


#: States without a final answer.
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
    """A frozen posting: the key and the body never change again."""

    id: int
    key: str
    api: str
    path: str
    body: str
    row_number: int
    state: PostingState


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the API said to one attempt; `receipt` is its body, cut to a bounded length."""

    posting_id: int
    state: PostingState
    status: int | None
    receipt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What was decided about a subject, and in which file and row it stood."""

    subject: str
    sha256: str
    kind: PostingKind
    row_number: int
