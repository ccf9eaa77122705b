"""The routes of those who review: payments that settle nothing, postings nobody can tell of, and who did what."""

import json
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from import_project.api.answers import AuditList, PaymentList, PostingList, Refusal
from import_project.api.callers import Admin, Reviewer, desk_of
from import_project.api.desk import Desk
from import_project.config.load import LoadedFeed
from import_project.config.workspaces import Workspace
from import_project.errors import BadForm, NoSuchThing
from import_project.pipeline.by_hand import Hand, Wanted, match_by_hand, reject_by_hand
from import_project.pipeline.dead_letters import EXPLAINED, Word, replay_postings, settle_posting
from import_project.pipeline.work_queue import listed
from import_project.records.audit import Act, Entry
from import_project.records.decisions import DecidedPayment
from import_project.records.postings import KeptPosting, PostingState

_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "it cannot be so"},
    401: {"model": Refusal, "description": "no token, or one that does not hold"},
    403: {"model": Refusal, "description": "the token's role does not allow it"},
    404: {"model": Refusal, "description": "no such payment or posting in this workspace"},
    409: {"model": Refusal, "description": "it was decided meanwhile, or a run holds its file"},
    503: {"model": Refusal, "description": "the API, the disk or the database does not take it now"},
}
_SHOWN = 200
router = APIRouter(tags=["review"], responses=_REFUSALS)


class Part(BaseModel):
    """An invoice, and how much of the payment goes to it; without an amount as much as both allow."""

    invoice_id: str = Field(min_length=1, max_length=200)
    amount: str | None = Field(default=None, max_length=40, examples=["12.50"])


class MatchWord(BaseModel):
    """What a payment settles, by a person's word; `credit`: what is left over is credited to the payer."""

    invoices: list[Part] = Field(min_length=1, max_length=100)
    credit: bool = False
    note: str = Field(default="", max_length=500)


class Note(BaseModel):
    """Why."""

    note: str = Field(default="", max_length=500)


class Settled(BaseModel):
    """What became of a posting, by a person's word: the API has it, never will, or it is to be sent again."""

    word: Literal["done", "rejected", "again"]
    note: str = Field(default="", max_length=500)


@router.get("/review/payments")
def list_payments(request: Request, caller: Reviewer, feed: str | None = None) -> PaymentList:
    """The payments of the workspace's feeds that settle nothing, the oldest first, with proposals."""
    parts, (_, workspace) = desk_of(request).parts, caller
    feeds = [name for name in workspace.feeds if feed in {None, name}]
    found = [one for name in feeds for one in parts.ledger.payments.unmatched(name, None)]
    found.sort(key=lambda one: (one.payment.booking_date, one.payment.payment_id))
    today = parts.clock().date()
    return PaymentList(payments=[listed(one, today) for one in found[:_SHOWN]])


@router.post("/review/payments/{payment}/match")
def match_payment(request: Request, caller: Reviewer, payment: str, word: MatchWord) -> dict[str, Any]:
    """Settle invoices with a payment, and post that."""
    desk, (token, workspace) = desk_of(request), caller
    one, loaded = _payment(desk, workspace, payment)
    wanted = [Wanted(invoice_id=part.invoice_id, amount=_money(part.amount)) for part in word.invoices]
    hand = Hand(by=token.person, note=word.note)
    now = match_by_hand(desk.parts, loaded, one, wanted, hand, credit=word.credit, owner=_owner())
    return listed(now, desk.parts.clock().date())


@router.post("/review/payments/{payment}/reject")
def reject_payment(request: Request, caller: Reviewer, payment: str, word: Note) -> dict[str, Any]:
    """Say that none of the proposals is right: the payment stays unmatched, and no rule decides it again."""
    desk, (token, workspace) = desk_of(request), caller
    one, loaded = _payment(desk, workspace, payment)
    now = reject_by_hand(desk.parts, loaded, one, Hand(by=token.person, note=word.note), owner=_owner())
    return listed(now, desk.parts.clock().date())


@router.get("/review/postings")
def list_postings(request: Request, caller: Reviewer) -> PostingList:
    """The postings of the workspace's feeds of which nobody can tell whether they took effect."""
    parts, (_, workspace) = desk_of(request).parts, caller
    kept = parts.ledger.dead_letters.kept(states=(PostingState.DEAD,))
    found = [one for one in kept if one.feed in workspace.feeds]
    return PostingList(postings=[_told(one) for one in found[:_SHOWN]])


@router.post("/review/postings/{posting}")
def settle(request: Request, caller: Reviewer, posting: int, word: Settled) -> dict[str, Any]:
    """Say what became of a posting, or have it sent again with its key."""
    desk, (token, workspace) = desk_of(request), caller
    found = [p for p in desk.parts.ledger.dead_letters.called(str(posting)) if p.feed in workspace.feeds]
    if not found or posting < 0:
        raise NoSuchThing(f"no posting {posting}")
    loaded, said = _feed(desk, found[0].feed), Word(by=token.person, note=word.note)
    if word.word == "again":
        (now, *_), _ = replay_postings(desk.parts, loaded, found, said, owner=_owner())
        return _told(now)
    return _told(settle_posting(desk.parts, loaded, found[0], PostingState(word.word), said, owner=_owner()))


@router.get("/audit", tags=["desk"])
def list_audit(
    request: Request,
    caller: Admin,
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> AuditList:
    """Who did what in this workspace: files handed in and taken back, rows corrected, decisions by hand, tokens."""
    parts, (_, workspace) = desk_of(request).parts, caller
    found: list[dict[str, Any]] = []
    for one in parts.ledger.audit.entries(after=after):
        if (by := _whose(one, workspace.workspace)) is not None:
            told = {"number": one.number, "at": one.at.isoformat(timespec="seconds"), "by": by}
            found.append({**told, "what": str(one.what), "feed": one.feed, "facts": one.facts})
            if len(found) == limit:
                return AuditList(entries=found, next=one.number)
    return AuditList(entries=found)


def _whose(entry: Entry, workspace: str) -> str | None:
    """Return who of a workspace, or with a token of it, did what an entry tells; None: it is none of its business."""
    mine = f"{workspace}/"
    if entry.what in {Act.DESK, Act.BY_HAND, Act.CORRECTED} and entry.done_by.startswith(mine):
        return entry.done_by
    if entry.what is Act.DESK and not entry.feed:
        facts = json.loads(entry.facts)
        return entry.done_by if facts.get("made", facts).get("workspace") == workspace else None
    if entry.what is Act.DECIDED and f'"decided_by":{json.dumps(mine)[:-1]}' in entry.facts:  # most are by rules
        by = (one.get("decided_by", "") for one in json.loads(entry.facts)["decisions"])
        return next((name for name in by if name.startswith(mine)), None)
    return None


def _payment(desk: Desk, workspace: Workspace, name: str) -> tuple[DecidedPayment, LoadedFeed]:
    found = [p for feed in workspace.feeds for p in desk.parts.ledger.payments.by_id(feed, [name]).values()]
    if len(found) != 1:  # by its whole id: what decides is no place for a guess
        raise NoSuchThing(f"no payment {name[:80]}")
    return found[0], _feed(desk, found[0].feed)


def _feed(desk: Desk, name: str) -> LoadedFeed:
    found = desk.known().feeds.get(name)
    if found is None:
        raise NoSuchThing(f"the feed {name} is gone")
    return found


def _money(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        money = Decimal(text)
        if not money.is_finite() or money != money.quantize(Decimal("0.01")):
            raise InvalidOperation
    except InvalidOperation:
        raise BadForm(f"{text[:40]!r} is no amount of money", do="such as 12.50") from None
    return money.quantize(Decimal("0.01"))


def _told(one: KeptPosting) -> dict[str, Any]:
    amount = None if one.amount is None else str(one.amount)
    told = {"posting": one.id, "feed": one.feed, "row_number": one.row_number, "kind": str(one.kind), "amount": amount}
    told |= {"state": str(one.state), "request": f"{one.method} {one.path}", "answer": one.receipt}
    return told | {"explained": EXPLAINED[one.state], "invoice_id": one.invoice_id}


def _owner() -> str:
    return f"desk-{uuid4().hex[:12]}"
