"""`import-project alerts`: channels tried out, and what was raised."""

import os
import socket
import sys
import time
from datetime import timedelta

from rich.table import Column, Table
from rich.text import Text

from import_project.cli.installation import installation, print_json
from import_project.cli.outcome_table import table_console
from import_project.config.settings import Settings
from import_project.errors import ConfigError, ImportProjectError, StoreError, one_line
from import_project.pipeline.alerts import send_unrecorded, send_waiting
from import_project.pipeline.alive import tell_silence
from import_project.pipeline.wiring import channels_of
from import_project.records.alerts import Alert


def send_test(*, as_json: bool) -> None:
    """Send a test over each channel and print how it went; exit with 1 when one failed."""
    channels = channels_of(Settings.read(os.environ))
    if not channels:
        raise ConfigError("no channel is set", do="set IMPORT_PROJECT_ALERT_WEBHOOK, _EMAIL or _CALLBACK")
    one = Alert(key="test", text="a test of the alerts of import_project", facts={"machine": socket.gethostname()})
    told: dict[str, str | None] = {}
    for channel in channels:
        try:
            channel.send(one)
            told[channel.name] = None
        except ImportProjectError as error:
            told[channel.name] = error.line
    if as_json:
        print_json([{"channel": name, "ok": why is None, "error": why} for name, why in told.items()])
    else:
        table = Table("channel", "test", "told")
        for name, why in told.items():
            verdict = Text("arrived", style="green") if why is None else Text("failed", style="red")
            table.add_row(name, verdict, Text(one_line(why or "-")))
        table_console().print(table)
    if any(told.values()):
        sys.exit(1)


def watch(after: float, every: float | None) -> None:
    """Look for a sign of life once, or again and again; alerts that wait are sent too.

    What keeps a look from its end ends no loop. When the ledger cannot be asked, people are told so, once until it can.
    """
    if every is None:
        told = _look(after)
        if told is not None:
            print(told, file=sys.stderr, flush=True)
        sys.exit(0 if told is None else 1)
    blind = False
    while True:
        try:
            told, blind = _look(after), False
        except ImportProjectError as error:
            told = error.line
            if isinstance(error, StoreError):
                blind = blind or _tell_blind(error)
        if told is not None:
            print(told, file=sys.stderr, flush=True)
        time.sleep(every)


def _look(after: float) -> str | None:
    channels = channels_of(Settings.read(os.environ))
    with installation() as parts:
        told = tell_silence(parts, channels, timedelta(minutes=after))
        send_waiting(parts, channels)
    return told


def _tell_blind(error: StoreError) -> bool:
    """Tell that the ledger cannot be asked. Returns whether that arrived anywhere."""
    one = Alert(key="blind", text=f"whether the feeds are evaluated cannot be seen: {error.line}", facts={})
    try:
        return send_unrecorded(channels_of(Settings.read(os.environ)), one) > 0
    except ConfigError:
        return False  # the loop prints the ledger's error; the setting's own is met when the ledger answers


def list_alerts(most: int, *, as_json: bool) -> None:
    """Print the newest alerts, the newest first."""
    with installation() as parts:
        found = parts.ledger.alerts.newest(most)
    if as_json:
        rows = [
            {
                "key": one.key,
                "text": one.text,
                "facts": dict(one.facts),
                "raised_at": raised.isoformat(timespec="seconds"),
                "sent_at": None if sent is None else sent.isoformat(timespec="seconds"),
            }
            for one, raised, sent in found
        ]
        print_json(rows)
        return
    console = table_console()
    if not found:
        console.print("nothing was raised")
        return
    table = Table("raised at (UTC)", "reached all", Column("what", overflow="fold"))
    for one, raised, sent in found:
        when = "not yet" if sent is None else f"{sent:%Y-%m-%d %H:%M:%S}"
        table.add_row(f"{raised:%Y-%m-%d %H:%M:%S}", when, Text(one_line(one.text)))
    console.print(table)
