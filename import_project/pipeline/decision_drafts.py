"""A decision as the postings that follow from it: paths and bodies, and what the ledger keeps of the payment."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from import_project.config.apis import Endpoint
from import_project.config.feed import PAYMENT_FIELDS, Post
from import_project.matching.references import form, normal
from import_project.pipeline.freeze import as_json
from import_project.pipeline.requests import request_of
from import_project.records.decisions import RULES, DecidedPayment
from import_project.records.payments import Allocation, Match, Payment
from import_project.records.postings import Draft, PostingKind

#: What an unmatched payment is posted with beside itself, so that a person knows it.
DETAILS = ("remittance", "payer_name", "payer_account", "bank_reference")

_KEYS = {PostingKind.MATCHED: "matched", PostingKind.UNMATCHED: "unmatched", PostingKind.CREDIT: "credits"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What of a listed invoice goes with its postings."""

    reference: str
    currency: str
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A match, with what was read beside the payment, the entry it is of, the rules' edition and who decided."""

    match: Match
    remittance: str | None = None
    entry: str | None = None
    lump: bool = False
    edition: str = ""
    decided_by: str = RULES
    note: str = ""
    taken_back_by: str | None = None


def drafts(decision: Decision, post: Post, invoices: Mapping[str, Listed]) -> Iterator[Draft]:
    """Yield one draft for each invoice that a payment settles and one for what is left over, or one that says why it
    settles none. `invoices` are those it settles, by id."""
    match, about = decision.match, _about(decision)
    bodies = [_unmatched(decision, post)] if match.reason is not None else list(_settled(decision, post, invoices))
    for part, one in enumerate(bodies):
        yield Draft(
            subject=match.payment.payment_id,
            part=part,
            row_number=match.payment.row_number,
            evidence=about.evidence,
            entry=decision.entry,
            lump=decision.lump,
            about=about if part == 0 else None,
            **one,
        )


def _about(decision: Decision) -> DecidedPayment:
    match = decision.match
    told = {
        "rule": match.rule,
        "rule_version": match.rule_version,
        "rules": decision.edition,
        "reason": match.reason,
        "evidence": match.evidence,
        "rivals": [{"invoices": list(r.invoice_ids), "why": r.why} for r in match.rivals],
    }
    evidence = as_json({k: v for k, v in told.items() if v or k in {"reason", "evidence"}})
    return DecidedPayment(
        payment=_with_normal_account(match.payment),
        remittance=decision.remittance,
        rule=match.rule,
        rule_version=match.rule_version,
        reason=match.reason,
        evidence=evidence,
        waits=match.waits,
        reverses=match.reverses,
        decided_by=decision.decided_by,
        note=decision.note,
        taken_back_by=decision.taken_back_by,
    )


def _with_normal_account(payment: Payment) -> Payment:
    return replace(payment, payer_account=normal(payment.payer_account or "") or None)


def _common(payment: Payment) -> dict[str, Any]:
    return {
        "payment_id": payment.payment_id,
        "currency": payment.currency,
        "payment_amount": payment.amount,
        "booking_date": payment.booking_date,
        "account": payment.account,
        "references": list(dict.fromkeys(r.text for r in payment.references)),
    }


def _rule(decision: Decision) -> dict[str, Any]:
    by = {} if decision.decided_by == RULES else {"decided_by": decision.decided_by}
    return {"rule": decision.match.rule, "rule_version": decision.match.rule_version, **by}


def _unmatched(decision: Decision, post: Post) -> dict[str, Any]:
    match = decision.match
    assert match.reason is not None
    payment = match.payment
    payer = {name: getattr(payment, name) for name in DETAILS if name != "remittance"}
    said = {"reason": match.reason, "explanation": match.evidence, "remittance": decision.remittance}
    by = {} if decision.decided_by == RULES else {"decided_by": decision.decided_by}
    undone = {"reverses": match.reverses} if match.reverses else {}
    return _request(PostingKind.UNMATCHED, post, {**_common(payment), **payer, **said, **by, **undone})


def _request(kind: PostingKind, post: Post, values: Mapping[str, Any]) -> dict[str, Any]:
    """What is posted of a payment. A template may name any field of its kind, also one that this payment has not."""
    key = _KEYS[kind]
    endpoint: Endpoint | None = getattr(post, key)
    if endpoint is None:
        return {"kind": kind, **request_of(None, values)}
    known = values if endpoint.body is None else dict.fromkeys(PAYMENT_FIELDS[key]) | dict(values)
    return {"kind": kind, **request_of(endpoint.endpoint, known)}


def _settled(decision: Decision, post: Post, invoices: Mapping[str, Listed]) -> Iterator[dict[str, Any]]:
    match = decision.match
    for allocation in sorted(match.allocations, key=lambda a: a.invoice_id):
        invoice = invoices.get(allocation.invoice_id)
        values = _common(match.payment) | _allocated(decision, allocation, invoice) | _rule(decision)
        yield _request(PostingKind.MATCHED, post, values) | {
            "invoice_id": allocation.invoice_id,
            "amount": allocation.settles + allocation.written_off,
            "written_off": allocation.written_off or None,
            "reference": (invoice.reference or None) if invoice else None,
            "reference_form": (form(invoice.reference) or None) if invoice else None,
        }
    if match.unapplied:
        ids = {"invoice_ids": sorted(a.invoice_id for a in match.allocations), "amount": match.unapplied}
        payer = {name: getattr(match.payment, name) for name in ("payer_name", "payer_account")}
        values = _common(match.payment) | ids | payer | _rule(decision)
        yield _request(PostingKind.CREDIT, post, values) | {"amount": match.unapplied}


def _allocated(decision: Decision, one: Allocation, invoice: Listed | None) -> dict[str, Any]:
    residual = one.residual or abs(one.residual)  # never -0.00
    told: dict[str, Any] = {"invoice_id": one.invoice_id, "amount": one.amount, "residual": residual}
    if one.written_off:
        told["written_off"] = one.written_off
    if invoice is not None and invoice.currency != decision.match.payment.currency:
        told |= {"settles": one.settles, "invoice_currency": invoice.currency}
    if invoice is not None and invoice.version is not None:
        told["invoice_version"] = invoice.version
    if decision.match.reverses:
        told["reverses"] = decision.match.reverses
    return told


def invoice_ids(matches: Iterable[Match]) -> set[str]:
    """Return the invoices that decisions settle."""
    return {a.invoice_id for m in matches for a in m.allocations}
