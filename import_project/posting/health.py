"""When an API is left in peace, and when it is tried again: a circuit breaker over what the ledger keeps. Pure."""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from import_project.errors import ApiRefusesUs, ApiUnavailable
from import_project.posting.answers import Judged, Stop, slow_down
from import_project.posting.waits import jittered, retry_after
from import_project.records.postings import UNSENT, Health, PostingState
from import_project.records.terms import Terms

#: No more than half of a wait is left to chance: nobody tries again at once.
_LEAST = 0.5
_REASON_LENGTH = 200


def after_chunk(
    current: Health,
    seen: datetime | None,
    judged: Sequence[Judged],
    now: datetime,
    terms: Terms,
    chance: float,
    *,
    probe: bool = False,
    known: Collection[int] = (),
    look_up: bool | ApiUnavailable | ApiRefusesUs = False,
) -> Health:
    """Return an API's health after a chunk. `current` is as other runs have left it, `seen` until when it was closed as
    this one began: what another run has closed since is not opened. `probe`: it was the one try after an outage.

    `known` are postings that failed before, with nothing answered since: one that fails for ever is no outage.
    `look_up` is whether one was answered, or how one failed.
    """
    tried = [(j.reply, j.verdict) for j in judged if j.reply is not None and j.verdict is not None]
    definite = [v for r, v in tried if not v.fault and v.stop is None and not slow_down(r.status)]
    after = current
    if definite or (look_up is True and not tried):
        took = any(v.state is PostingState.DONE for v in definite)
        took_at = now if took else current.took_at
        others = current.closed_until != seen
        after = replace(current, took_at=took_at) if others else Health(api=current.api, took_at=took_at)
    elif probe and not tried and look_up is False and current.closed_until == seen:
        after = replace(current, closed_until=now)  # it tried nothing: another posting may
    last = list(itertools.takewhile(lambda one: one[1].fault, reversed(tried)))
    if last and (not definite or len(last) >= terms.breaking.failures):
        fresh = {j.posting.id for j in judged if j.verdict is not None and j.verdict.fault} - set(known)
        count = min(len(last), len(fresh))
        if count or probe:
            after = failed(after, count, now, terms, last[0][0].reason, chance)
    stops = [(r, v) for r, v in tried if v.stop is Stop.REFUSED or (probe and v.stop is not None)]
    if stops:
        reply, verdict = stops[0]
        after = _closed(after, now, terms, reply.reason, chance, refused=verdict.stop is Stop.REFUSED)
    if isinstance(look_up, ApiRefusesUs):
        after = _closed(after, now, terms, look_up.what, chance, refused=True)
    if isinstance(look_up, ApiUnavailable):
        after = failed(after, 1, now, terms, look_up.what, chance)
        after = _held_off(after, look_up.retry_after, look_up.what, now, terms)
    for reply, verdict in tried:
        if verdict.state in UNSENT:
            after = _held_off(after, reply.retry_after, reply.reason, now, terms)
    if any(slow_down(r.status) for r, _ in tried) and (after.closed_until is None or after.closed_until <= now):
        reply = next(r for r, _ in tried if slow_down(r.status))
        after = _closed(after, now, terms, reply.reason, chance)
    return after


def failed(health: Health, faults: int, now: datetime, terms: Terms, reason: str, chance: float) -> Health:
    """The API failed so many times in a row, and answered nothing in between."""
    strikes = health.strikes + faults
    if strikes < terms.breaking.failures and not health.breaks:
        return replace(health, strikes=strikes, reason=reason[:_REASON_LENGTH])
    return _closed(health, now, terms, reason, chance, strikes=strikes)


def _held_off(health: Health, asked: str | None, reason: str, now: datetime, terms: Terms) -> Health:
    """Give the API the peace it asks for, if it does."""
    seconds = retry_after(asked, now, terms.waits.retry_after)
    if seconds is None:
        return health
    until = now + timedelta(seconds=seconds)
    if health.closed_until is not None and health.closed_until >= until:
        return health
    return replace(health, closed_until=until, reason=reason[:_REASON_LENGTH])


def longest_peace(terms: Terms) -> timedelta:
    """Return how long an API may be left in peace: a moment further off comes from a clock that was wrong."""
    seconds = max(terms.breaking.waits.longest, terms.waits.retry_after)
    return max(timedelta(seconds=seconds), terms.probe)


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
