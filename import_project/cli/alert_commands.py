"""The group `import-project alerts`: its commands and their options. Their work is in `alerts`."""

import click

from import_project.cli.options import JSON


@click.group()
def alerts() -> None:
    """Work with alerts, and with the channels they go to."""


@alerts.command("test")
@JSON
def try_channels(*, as_json: bool) -> None:
    """Send a test over every channel that is set. Exits with 1 when one does not take it, or none is set."""
    from import_project.cli.alerts import send_test

    send_test(as_json=as_json)


@alerts.command("list")
@click.option("--most", type=click.IntRange(1), default=50, show_default=True, help="How many, the newest first.")
@JSON
def list_them(*, most: int, as_json: bool) -> None:
    """List what was raised, and whether it has reached all its receivers."""
    from import_project.cli.alerts import list_alerts

    list_alerts(most, as_json=as_json)
