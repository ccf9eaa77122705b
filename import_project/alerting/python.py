"""Alerts handed to Python of the user's own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from import_project.errors import NotDelivered
from import_project.records.alerts import Alert


@dataclass(frozen=True, slots=True, kw_only=True)
class Python:
    """Calls `call` with each alert; what it raises means that the alert did not arrive."""

    call: Callable[[Alert], Any]
    name: str = "python"

    def send(self, alert: Alert) -> None:
        """Deliver an alert. Raises NotDelivered."""
        try:
            self.call(alert)
        except Exception as error:
            raise NotDelivered(f"the alert callback failed: {type(error).__name__}: {error}"[:300]) from error
