"""Alerts to a webhook, as Slack-compatible JSON. Which alerts there are is decided elsewhere."""

import httpx

from import_project.errors import ApiUnavailable


def send_alert(url: str, text: str, facts: dict[str, str]) -> None:
    """Post `{"text": …, "facts": {…}}`. Raises ApiUnavailable when it did not arrive; the URL is not shown."""
    try:
        answer = httpx.post(url, json={"text": text, "facts": facts}, timeout=10.0)
    except httpx.HTTPError as error:
        raise ApiUnavailable(f"the alert webhook cannot be reached: {type(error).__name__}") from error
    if not answer.is_success:
        raise ApiUnavailable(f"the alert webhook answered {answer.status_code}")
