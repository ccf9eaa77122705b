"""Alerts as e-mail over SMTP."""

import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from import_project.errors import ConfigError, NotDelivered, one_line
from import_project.records.alerts import Alert

_SECONDS = 15.0
_SUBJECT_LENGTH = 120
_PORTS = {"smtp": 587, "smtps": 465, "smtp+plain": 25}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """`server` is smtp://USER@HOST:PORT (STARTTLS), smtps:// (TLS from the start) or smtp+plain:// (no TLS, for a relay
    on the same machine)."""

    server: str
    sender: str
    recipients: Sequence[str]
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    name: str = "email"

    def send(self, alert: Alert) -> None:
        """Deliver an alert. Raises NotDelivered; ConfigError for an address that names no server."""
        message = EmailMessage()
        message["Subject"] = f"[import_project] {one_line(alert.text)[:_SUBJECT_LENGTH]}"
        message["From"], message["To"] = self.sender, ", ".join(self.recipients)
        told = [alert.text, "", *(f"{name}: {value}" for name, value in alert.facts.items())]
        message.set_content("\n".join(told) + "\n")
        try:
            with self._connected() as connection:
                self._introduce(connection)
                connection.send_message(message)
        except (OSError, smtplib.SMTPException) as error:
            told_by = getattr(error, "smtp_error", b"")
            said = told_by.decode("utf-8", "replace") if isinstance(told_by, bytes) else str(told_by)
            what = one_line(said or str(error)) or type(error).__name__
            raise NotDelivered(f"the alert e-mail did not go out: {what[:200]}") from error

    def _connected(self) -> smtplib.SMTP:
        parts = urlsplit(self.server)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ConfigError(f"{parts.scheme or 'no'}:// is no mail server", do="such as smtp://user@mail.example:587")
        port = parts.port or _PORTS[parts.scheme]
        if parts.scheme == "smtps":
            return smtplib.SMTP_SSL(parts.hostname, port, timeout=_SECONDS, context=self._tls())
        return smtplib.SMTP(parts.hostname, port, timeout=_SECONDS)

    def _introduce(self, connection: smtplib.SMTP) -> None:
        parts = urlsplit(self.server)
        if parts.scheme == "smtp":
            connection.starttls(context=self._tls())
        if parts.username:
            try:
                connection.login(unquote(parts.username), self.password or "")
            except UnicodeError:  # smtplib can say ASCII only
                raise NotDelivered("the mail server's user or password holds what no login can") from None

    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_file)
