"""Alerts over real channels: an SMTP server with and without TLS, a webhook, Python; each once, and one that fails holds
back no other."""

import json
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword

from import_project.alerting.channel import Channel
from import_project.alerting.mail import Mail
from import_project.alerting.python import Python
from import_project.alerting.webhook import Webhook
from import_project.config.settings import Settings
from import_project.errors import ConfigError, NotDelivered
from import_project.pipeline.alerts import raise_alert, send_waiting
from import_project.pipeline.wiring import channels_of
from import_project.records.alerts import Alert
from import_project_tests.certificates import make_certificates
from import_project_tests.cli.test_inspect import command, one_line
from import_project_tests.http_servers import WebhookPeer, webhook_peer
from import_project_tests.installation import Installation, environment
from import_project_tests.mail_server import SmtpPeer, mail_peer

ONE = Alert(
    key="k", text="orders: row 7 says Åre\nhas no\x1b name", facts={"feed": "orders", "link": "http://d/runs/1"}
)


def _login(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"ann", b"right")
    return AuthResult(success=good, handled=False)


@pytest.fixture
def plain() -> Iterator[SmtpPeer]:
    with mail_peer() as peer:
        yield peer


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[SmtpPeer, Path]]:
    """A server that wants STARTTLS and a login."""
    made = make_certificates(tmp_path, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.chain, made.key)
    with mail_peer(tls_context=context, require_starttls=True, authenticator=_login, auth_required=True) as peer:
        yield peer, made.ca


@pytest.fixture
def webhook() -> Iterator[WebhookPeer]:
    with webhook_peer() as peer:
        yield peer


def mail(port: int, scheme: str = "smtp+plain", user: str = "", **keys: Any) -> Mail:
    host = f"{user}@localhost" if user else "localhost"
    return Mail(
        server=f"{scheme}://{host}:{port}", sender="erp@acme.example", recipients=["a@b.example", "c@d.example"], **keys
    )


def test_mail_has_the_text_the_facts_and_one_line_as_its_subject(plain: SmtpPeer) -> None:
    mail(plain.port).send(ONE)
    (message,) = plain.received
    assert message["Subject"] is not None
    assert message["To"] == "a@b.example, c@d.example"
    body = message.get_payload(decode=True)
    assert isinstance(body, bytes)
    text = body.decode("utf-8")
    assert "row 7 says Åre" in text
    assert "feed: orders" in text
    assert "link: http://d/runs/1" in text


def test_mail_goes_over_tls_and_with_a_login(secure: tuple[SmtpPeer, Path]) -> None:
    peer, ca = secure
    mail(peer.port, "smtp", "ann", password="right", ca_file=str(ca)).send(ONE)
    assert len(peer.received) == 1
    for wrong in (
        mail(peer.port, "smtp", "ann", password="wrong-password", ca_file=str(ca)),
        mail(peer.port, "smtp", "ann", password="right"),
        mail(peer.port, "smtp+plain"),
        mail(peer.port, "smtps", ca_file=str(ca)),
    ):
        with pytest.raises(NotDelivered) as error:
            wrong.send(ONE)
        assert "password" not in str(error.value)
    assert len(peer.received) == 1


def test_mail_that_is_refused_says_why(plain: SmtpPeer) -> None:
    plain.refuse = True
    with pytest.raises(NotDelivered, match="nobody of this name"):
        mail(plain.port).send(ONE)
    with pytest.raises(NotDelivered, match="the alert e-mail did not go out"):
        mail(1).send(ONE)
    with pytest.raises(ConfigError, match="http:// is no mail server"):
        replace(mail(1), server="http://x").send(ONE)


def test_webhook_gets_text_facts_and_link(webhook: WebhookPeer) -> None:
    Webhook(url=webhook.url).send(ONE)
    (told,) = webhook.received
    assert told["text"].endswith("<http://d/runs/1|open>")
    assert told["facts"] == ONE.facts
    webhook.status = 500
    with pytest.raises(NotDelivered, match="answered 500"):
        Webhook(url=webhook.url).send(ONE)
    with pytest.raises(NotDelivered) as error:
        Webhook(url="http://127.0.0.1:1/secret").send(ONE)
    assert "secret" not in str(error.value)


def test_python_is_called_with_the_alert() -> None:
    got: list[Alert] = []
    Python(call=got.append).send(ONE)
    assert got == [ONE]

    def broken(_alert: Alert) -> None:
        raise OSError("the pager is off")

    with pytest.raises(NotDelivered, match="the alert callback failed: OSError: the pager is off"):
        Python(call=broken).send(ONE)


def test_each_channel_delivers_once_and_one_that_fails_holds_back_no_other(
    installation: Installation, webhook: WebhookPeer
) -> None:
    parts, got, broken = installation.parts(), list[Alert](), [True]

    def pager(alert: Alert) -> None:
        if broken[0]:
            raise OSError
        got.append(alert)

    channels: list[Channel] = [Python(call=pager), Webhook(url=webhook.url)]
    for _ in range(2):
        with pytest.raises(NotDelivered):
            raise_alert(parts, channels, ONE)
    assert len(webhook.received) == 1
    broken[0] = False
    assert send_waiting(parts, channels) == 1
    assert send_waiting(parts, channels) == 0
    assert not raise_alert(parts, channels, ONE)
    assert (got, len(webhook.received)) == ([ONE], 1)  # told later, with its facts


def test_without_a_channel_alerts_are_kept(installation: Installation) -> None:
    parts = installation.parts()
    assert not raise_alert(parts, [], ONE)
    assert send_waiting(parts, []) == 0
    assert [w.alert for w in parts.ledger.alerts.waiting()] == [ONE]


def test_channels_are_those_that_are_set(tmp_path: Path) -> None:
    (tmp_path / "pager.py").write_text("def page(alert): pass\n", "utf-8")
    (tmp_path / "password").write_text("right\r\n", "utf-8")
    environ = {
        "IMPORT_PROJECT_FEEDS": str(tmp_path),
        "IMPORT_PROJECT_ALERT_WEBHOOK": "http://hook.example/x",
        "IMPORT_PROJECT_ALERT_EMAIL": "a@b.example, c@d.example",
        "IMPORT_PROJECT_ALERT_SMTP": "smtp://ann@mail.example:587",
        "IMPORT_PROJECT_ALERT_SMTP_PASSWORD_FILE": str(tmp_path / "password"),
        "IMPORT_PROJECT_ALERT_CALLBACK": "pager.py:page",
    }
    webhook, email, python = channels_of(Settings.read(environ))
    assert [webhook.name, email.name, python.name] == ["webhook", "email", "python"]
    assert isinstance(email, Mail)
    assert (email.password, email.recipients) == ("right", ["a@b.example", "c@d.example"])
    assert "right" not in repr(email)
    assert "hook.example" not in repr(webhook)
    assert channels_of(Settings.read({})) == []
    with pytest.raises(ConfigError, match=r"password in .* cannot be read"):
        channels_of(Settings.read(environ | {"IMPORT_PROJECT_ALERT_SMTP_PASSWORD_FILE": str(tmp_path / "none")}))


def test_channels_are_tried_out_by_a_command(installation: Installation, webhook: WebhookPeer, plain: SmtpPeer) -> None:
    environ = environment(installation) | {
        "IMPORT_PROJECT_ALERT_WEBHOOK": webhook.url,
        "IMPORT_PROJECT_ALERT_EMAIL": "ops@acme.example",
        "IMPORT_PROJECT_ALERT_SMTP": f"smtp+plain://localhost:{plain.port}",
    }
    done = command("alerts", "test", "--json", environ=environ)
    assert done.returncode == 0, done.stderr
    assert [(c["channel"], c["ok"]) for c in json.loads(done.stdout)] == [("webhook", True), ("email", True)]
    assert (len(webhook.received), len(plain.received)) == (1, 1)
    plain.refuse = True
    done = command("alerts", "test", environ=environ)
    assert done.returncode == 1
    assert "nobody of this name" in done.stdout
    none = command("alerts", "test", environ=environment(installation))
    assert none.returncode == 1
    assert "no channel is set" in one_line(none.stderr)


def test_what_was_raised_is_listed(installation: Installation) -> None:
    parts = installation.parts()
    raise_alert(parts, [], ONE)
    raise_alert(parts, [Python(call=lambda _alert: None)], replace(ONE, key="other", text="second"))
    parts.close()
    done = command("alerts", "list", "--json", environ=environment(installation))
    rows = {row["key"]: row for row in json.loads(done.stdout)}
    assert rows["k"]["facts"] == dict(ONE.facts)
    assert rows["k"]["sent_at"] is None
    assert rows["other"]["sent_at"] is not None
    shown = command("alerts", "list", environ=environment(installation)).stdout
    assert "not yet" in shown
    assert "row 7 says Åre has no name" in shown
