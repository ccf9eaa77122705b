"""When an API is left in peace, and when it is tried again: a circuit breaker over what the ledger keeps. Pure."""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from import_project.posting.answers import Judged, Reply, Stop, Verdict, slow_down
from import_project.posting.waits import jittered, retry_after
from import_project.records.postings import Health, PostingState
from import_project.records.terms import Terms

#: No more than half of a wait is left to chance: nobody tries again at once.
_LEAST = 0.5
_REASON_LENGTH = 200


def after_chunk(
    health: Health,
    judged: Sequence[Judged],
    now: datetime,
    terms: Terms,
    chance: float,
    *,
    probe: bool,
    known: Collection[int] = (),
) -> Health:
    """Return an API's health after a chunk. `probe`: it was the one try after an outage.

    `known` are postings that failed before, with nothing answered since: one that fails for ever is no outage.
    """
    tried = [(j.reply, j.verdict) for j in judged if j.reply is not None and j.verdict is not None]
    definite = [v for r, v in tried if not v.fault and v.stop is None and not slow_down(r.status)]
    after = health
    if definite:
        took = any(v.state is PostingState.DONE for v in definite)
        after = Health(api=health.api, took_at=now if took else health.took_at)
    last = list(itertools.takewhile(lambda v: v.fault, (v for _, v in reversed(tried))))
    if last and (not definite or len(last) >= terms.breaking.failures):
        fresh = {j.posting.id for j in judged if j.verdict is not None and j.verdict.fault} - set(known)
        count = min(len(last), len(fresh))
        if count or probe:
            after = failed(after, count, now, terms, last[0].told, chance)
    stops = [v for _, v in tried if v.stop is Stop.REFUSED or (probe and v.stop is not None)]
    if stops:
        after = _closed(after, now, terms, stops[0].told, chance, refused=stops[0].stop is Stop.REFUSED)
    for reply, verdict in tried:
        if slow_down(reply.status) or verdict.fault:
            after = _held_off(after, reply, verdict, now, terms, chance)
    return after


def failed(health: Health, faults: int, now: datetime, terms: Terms, reason: str, chance: float) -> Health:
    """The API failed so many times in a row, and answered nothing in between."""
    strikes = health.strikes + faults
    if strikes < terms.breaking.failures and not health.breaks:
        return replace(health, strikes=strikes, reason=reason[:_REASON_LENGTH])
    return _closed(health, now, terms, reason, chance, strikes=strikes)


def _held_off(health: Health, reply: Reply, verdict: Verdict, now: datetime, terms: Terms, chance: float) -> Health:
    """Give the API the peace it asks for; where it does not say how long, as much as after a failure."""
    asked = retry_after(reply.retry_after, now, terms.waits.retry_after)
    if asked is not None:
        until = now + timedelta(seconds=asked)
        if health.closed_until is not None and health.closed_until >= until:
            return health
        return replace(health, closed_until=until, reason=verdict.told[:_REASON_LENGTH])
    if verdict.fault or (health.closed_until is not None and health.closed_until > now):
        return health
    return _closed(health, now, terms, verdict.told, chance)


def _closed(
    health: Health,
    now: datetime,
    terms: Terms,
    reason: str,
    chance: float,
    *,
    strikes: int = 0,
    refused: bool = False,
) -> Health:
    wait = jittered(terms.breaking.waits, health.breaks + 1, _LEAST + chance * _LEAST)
    return replace(
        health,
        strikes=strikes,
        breaks=health.breaks + 1,
        closed_until=now + timedelta(seconds=wait),
        refused=refused,
        reason=reason[:_REASON_LENGTH],
    )
