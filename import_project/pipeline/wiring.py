"""The one place where real parts are built from settings and feeds. No use case of its own."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from import_project.alerting.channel import Channel
from import_project.alerting.mail import Mail
from import_project.alerting.python import Python
from import_project.alerting.webhook import Webhook
from import_project.config.load import LoadedFeed
from import_project.config.python_objects import load_object
from import_project.config.settings import Settings
from import_project.errors import ConfigError
from import_project.pipeline.inbox import open_source, reveal
from import_project.pipeline.parts import Parts
from import_project.posting.client import ImportApiClient
from import_project.store.disk import sweep
from import_project.store.landing import Landing
from import_project.store.ledger import Ledger
from import_project.store.objects import Objects
from import_project.store.tables import DryTables, Tables
from import_project.store.watermark import Watermark


def build_parts(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    dry_run: str | None = None,
    interrupts: tuple[type[BaseException], ...] = (KeyboardInterrupt,),
) -> Parts:
    """Build the parts of an installation. Nothing is connected to yet; secrets are read at each connect.

    `dry_run` is the id of a run that may change nothing: its tables are its own, and are swept away after a day.
    """
    objects = None if settings.objects is None else Objects(settings.objects)
    tables = Tables(settings.home / "tables", objects)
    if dry_run is not None:
        folder = settings.home / "dry_runs"
        sweep(folder, "*")
        tables = DryTables(folder / dry_run, tables)
    return Parts(
        ledger=Ledger(settings.ledger_url, Watermark(settings.watermark or settings.home / "ledger.mark")),
        landing=Landing(settings.home / "landing", objects),
        tables=tables,
        clock=lambda: datetime.now(UTC),
        open_source=lambda feed: open_source(feed, environ, datetime.now(UTC)),
        open_api=lambda feed: open_api(feed, environ),
        reveal=lambda secret: reveal(secret, environ),
        lease=timedelta(seconds=settings.lease_seconds),
        retry=timedelta(seconds=settings.retry_seconds),
        dry_run=dry_run is not None,
        interrupts=interrupts,
    )


def channels_of(settings: Settings) -> list[Channel]:
    """Build the channels that alerts go to. Raises ConfigError for Python that is not there, or an unreadable
    password."""
    channels: list[Channel] = []
    if settings.alert_webhook is not None:
        channels.append(Webhook(url=settings.alert_webhook))
    if settings.alert_email is not None:
        file = settings.alert_smtp_password_file
        recipients = [address.strip() for address in settings.alert_email.split(",") if address.strip()]
        password = None if file is None else _read_password(file)
        channels.append(
            Mail(server=settings.alert_smtp, sender=settings.alert_from, recipients=recipients, password=password)
        )
    if settings.alert_callback is not None:
        call = load_object(settings.alert_callback, settings.feeds, "IMPORT_PROJECT_ALERT_CALLBACK")
        channels.append(Python(call=call))
    return channels


def _read_password(file: Path) -> str:
    try:
        return file.read_text("utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the mail server's password in {file} cannot be read: {error}") from None


def open_api(loaded: LoadedFeed, environ: Mapping[str, str]) -> ImportApiClient:
    """Build the client of a feed's API. Raises ConfigError for a feed that calls Python in its place."""
    api = loaded.api
    if api is None:
        raise ConfigError("the feed has no API: Python is called in its place", feed=loaded.name)
    return ImportApiClient(
        api.base_url,
        api.token.reveal(environ),
        api.tenant_id,
        timeout_seconds=api.timeout_seconds,
        connect_seconds=api.connect_seconds,
        ca_file=api.ca_file,
        concurrency=api.concurrency,
        key_header=api.key_header,
    )
