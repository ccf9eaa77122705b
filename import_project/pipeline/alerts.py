"""Telling people, once for each alert. What is worth an alert is decided by the caller."""

from import_project.errors import ApiUnavailable
from import_project.pipeline.parts import Parts
from import_project.posting.webhook import send_alert


def raise_alert(parts: Parts, webhook: str | None, key: str, text: str, facts: dict[str, str]) -> bool:
    """Record an alert under its key and send it, unless that was done before. Returns whether it was sent now.

    Without a webhook, recording is all there is. Raises ApiUnavailable when it could not be sent; it then waits.
    """
    if not parts.ledger.alerts.unsent(key, text, parts.clock()) or webhook is None:
        return False
    send_alert(webhook, text, facts)
    parts.ledger.alerts.sent(key, parts.clock())
    return True


def send_waiting(parts: Parts, webhook: str | None) -> int:
    """Send all recorded alerts that have not arrived; returns how many. Raises ApiUnavailable like `raise_alert`."""
    if webhook is None:
        return 0
    failed: ApiUnavailable | None = None
    arrived = 0
    for key, text in parts.ledger.alerts.waiting():
        try:
            send_alert(webhook, text, {})
        except ApiUnavailable as error:
            failed = error
            continue
        parts.ledger.alerts.sent(key, parts.clock())
        arrived += 1
    if failed is not None:
        raise failed
    return arrived
