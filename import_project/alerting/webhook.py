"""Alerts to a webhook, as Slack-compatible JSON."""

from dataclasses import dataclass, field

import httpx

from import_project.errors import NotDelivered
from import_project.records.alerts import Alert

_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Posts `{"text": …, "facts": {…}}`. The URL is a secret: whoever has it can post."""

    url: str = field(repr=False)
    name: str = "webhook"

    def send(self, alert: Alert) -> None:
        """Deliver an alert. Raises NotDelivered."""
        link = alert.facts.get("link")
        text = alert.text + (f" <{link}|open>" if link else "")
        try:
            answer = httpx.post(self.url, json={"text": text, "facts": dict(alert.facts)}, timeout=_SECONDS)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NotDelivered(f"the alert webhook cannot be reached: {type(error).__name__}") from error
        if not answer.is_success:
            raise NotDelivered(f"the alert webhook answered {answer.status_code}")
