"""Telling people, once for each alert and channel. What is worth an alert is decided by the caller."""

from collections.abc import Sequence
from contextlib import suppress

from import_project.alerting.channel import Channel
from import_project.errors import NotDelivered
from import_project.pipeline.parts import Parts
from import_project.records.alerts import Alert, Undelivered


def raise_alert(parts: Parts, channels: Sequence[Channel], alert: Alert) -> bool:
    """Record an alert under its key and send it over each channel that does not have it. Returns whether any sent it
    now.

    Without channels, recording is all there is. Raises NotDelivered when one could not send it; it then waits.
    """
    waiting = parts.ledger.alerts.undelivered(alert, parts.clock())
    if waiting is None or not channels:
        return False
    return _deliver(parts, channels, waiting)


def send_waiting(parts: Parts, channels: Sequence[Channel]) -> int:
    """Send all recorded alerts that have not arrived; returns how many did. Raises NotDelivered like `raise_alert`,
    when all have been tried."""
    if not channels:
        return 0
    failed: NotDelivered | None = None
    arrived = 0
    for waiting in parts.ledger.alerts.waiting():
        try:
            arrived += _deliver(parts, channels, waiting)
        except NotDelivered as error:
            failed = error
    if failed is not None:
        raise failed
    return arrived


def send_unrecorded(channels: Sequence[Channel], alert: Alert) -> int:
    """Send an alert that the ledger could not take down. Returns how many channels took it."""
    arrived = 0
    for channel in channels:
        with suppress(NotDelivered):
            channel.send(alert)
            arrived += 1
    return arrived


def _deliver(parts: Parts, channels: Sequence[Channel], waiting: Undelivered) -> bool:
    """Send over the channels that do not have it: one that fails holds back no other."""
    failed: NotDelivered | None = None
    sent = False
    for channel in channels:
        if channel.name in waiting.delivered:
            continue
        try:
            channel.send(waiting.alert)
        except NotDelivered as error:
            failed = error
            continue
        parts.ledger.alerts.delivered(waiting.alert.key, channel.name, parts.clock())
        sent = True
    if failed is not None:
        raise failed
    parts.ledger.alerts.sent(waiting.alert.key, parts.clock())
    return sent
