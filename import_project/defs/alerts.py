"""Telling people from within Dagster: an alert is recorded before it is sent, sent until it has arrived, and leads back
to the run or file. What is worth one is decided where it is seen."""

import os
from collections.abc import Mapping
from urllib.parse import quote

from import_project.config.settings import Settings
from import_project.errors import ConfigError, NotDelivered, StoreError
from import_project.logs import LOG
from import_project.pipeline.alerts import raise_alert, send_unrecorded
from import_project.pipeline.parts import Parts
from import_project.pipeline.wiring import channels_of
from import_project.records.alerts import Alert, Undelivered


def record(parts: Parts, key: str, text: str, facts: Mapping[str, str]) -> None:
    """Record an alert; `watch_sensors` sends it. A feed's own tick must not wait for a webhook that hangs."""
    one = Alert(key=key, text=text, facts=linked(Settings.read(os.environ), facts))
    parts.ledger.alerts.undelivered(one, parts.clock())


def alert(parts: Parts, key: str, text: str, facts: Mapping[str, str]) -> None:
    """Record an alert and try to send it; when that fails, `watch_sensors` sends it later.

    A ledger that cannot be written is trouble that must be told all the same: then the alert goes out unrecorded.
    """
    settings = Settings.read(os.environ)
    one = Alert(key=key, text=text, facts=linked(settings, facts))
    try:
        recorded: Undelivered | None = parts.ledger.alerts.undelivered(one, parts.clock())
    except StoreError:
        if not send_unrecorded(channels_of(settings), one):
            raise
        return
    try:
        if recorded is not None:
            raise_alert(parts, channels_of(settings), one)
    except (NotDelivered, ConfigError) as error:  # of a channel that cannot be built, whoever sends what waits says so
        LOG.warning("an alert waits", extra={"fields": {"alert": key, "error": error.line}})


def linked(settings: Settings, facts: Mapping[str, str]) -> dict[str, str]:
    """Add a link to the run, or to the file's outcome, where the address of the UI is known."""
    told = {name: value for name, value in facts.items() if value}
    if settings.dagster_url is None:
        return told
    base = settings.dagster_url.rstrip("/")
    if "run" in told:
        return told | {"link": f"{base}/runs/{told['run']}"}
    if "feed" in told and "file" in told:
        return told | {"link": f"{base}/assets/{told['feed']}/outcome?partition={quote(told['file'], safe='')}"}
    return told


def recovered(parts: Parts, key: str, text: str, facts: Mapping[str, str]) -> None:
    """Tell that what an alert told of is over, if it was told; once."""
    if parts.ledger.alerts.known(key) and not parts.ledger.alerts.known(f"recovered:{key}"):
        alert(parts, f"recovered:{key}", text, facts)
