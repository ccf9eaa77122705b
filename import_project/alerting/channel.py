"""What all channels have in common. No channel of its own."""

from typing import Protocol

from import_project.records.alerts import Alert


class Channel(Protocol):
    """One way to tell people. Its `name` is kept with what it has delivered."""

    @property
    def name(self) -> str:
        """The channel's name."""

    def send(self, alert: Alert) -> None:
        """Deliver an alert. Raises NotDelivered when it did not arrive; no address with a secret in it is shown."""
